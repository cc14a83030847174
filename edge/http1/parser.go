package http1

import "bytes"

// A Framing is how the body behind a head is delimited.
type Framing uint8

const (
	None       Framing = iota // there is no body
	Sized                     // Length bytes
	Chunked                   // the chunked coding
	UntilClose                // to the end of the connection; answers only
)

// A Parser reads the heads of one connection. Its zero value is ready, with the default Limits. What is
// beside the message itself stands in its fields until the next head. It allocates nothing but field slots,
// and room for Connection lines where there are several.
type Parser struct {
	Limits Limits
	Scheme []byte // given to requests: "http" (default) or "https"

	Framing   Framing
	Old       bool // the peer speaks HTTP/1.0
	KeepAlive bool // the peer will take another exchange on the connection
	Expect    bool // a request with a body waits for 100-continue; the field is among Fields
	TE        bool // a request's TE says "trailers"

	lim      Limits   // with defaults; filled once
	byTarget bool     // the authority need not be told by Host too
	seen     int      // bytes of the unfinished head that were searched for its end
	more     [][]byte // Connection lines behind the first, if head.lines says that there are any
	head     head
}

// head is what the framing fields of one head said.
type head struct {
	length     int64 // -1 = none
	host       []byte
	coding     []byte
	upgrade    []byte
	expect     []byte
	connection []byte // the first Connection line
	lines      uint8  // of Connection
	upgrades   uint8  // lines of Upgrade
	hasHost    bool
	hasCoding  bool
	hasExpect  bool
	te         bool
}

var schemeHTTP = []byte("http")

// Reset makes p ready for a new connection.
func (p *Parser) Reset() { *p = Parser{Limits: p.Limits, Scheme: p.Scheme, lim: p.lim} }

// Request reads the head of a request that begins at buf[0] and gives its length. The error is ErrIncomplete
// if the head has not ended yet: call again with the same bytes and more behind them (they may have moved);
// the cost of all calls is linear. Any other error is an *Error; then r is what could be read. The slices of r alias buf, whose path may
// be rewritten in place. r is Reset first.
func (p *Parser) Request(buf []byte, r *Request) (int, error) {
	if p.seen > 0 && !p.ended(buf) {
		return 0, p.unfinished(buf)
	}
	r.Reset()
	p.begin()
	i, err := p.requestLine(buf, r, false)
	switch {
	case err == nil:
		if i, err = p.fields(buf, i, &r.Fields, true); err == nil {
			err = p.endRequest(i, r)
		}
	case i > 0: // the target is refused: what else can be read is for an account of it
		_, _ = p.fields(buf, i, &r.Fields, true)
	}
	return p.done(buf, i, err)
}

// Partial reads what there is of a head that Request gave ErrIncomplete for, or found too large, and that is
// not waited for any more: an account of a request that is refused, not one to serve.
func (p *Parser) Partial(buf []byte, r *Request) {
	r.Reset()
	p.begin()
	if i, _ := p.requestLine(buf, r, true); i > 0 {
		_, _ = p.fields(buf, i, &r.Fields, true) // it is known to be faulty
	}
}

// Response reads the head of an answer to a request with that method, as Request does. Only the framing of
// RFC 9112 6.3 is taken; a 101 counts as one without a body.
func (p *Parser) Response(buf []byte, method []byte, a *Response) (int, error) {
	if p.seen > 0 && !p.ended(buf) {
		return 0, p.unfinished(buf)
	}
	a.Reset()
	p.begin()
	i, err := p.statusLine(buf, a)
	if err == nil {
		if i, err = p.fields(buf, i, &a.Fields, false); err == nil {
			err = p.endResponse(i, method, a)
		}
	}
	return p.done(buf, i, err)
}

func (p *Parser) begin() {
	if p.lim.Head == 0 {
		p.lim = p.Limits.WithDefaults()
	}
	if p.Scheme == nil {
		p.Scheme = schemeHTTP
	}
	p.Framing, p.Old, p.KeepAlive, p.Expect, p.TE = None, false, true, false, false
	p.head = head{length: -1}
}

func (p *Parser) done(buf []byte, i int, err error) (int, error) {
	switch {
	case err == ErrIncomplete:
		p.seen = max(p.seen, len(buf))
		return 0, p.unfinished(buf)
	case err != nil:
		return 0, err
	}
	p.seen = 0
	return i, nil
}

// ended looks at the bytes that are new since the last call for the end of the head.
func (p *Parser) ended(buf []byte) (found bool) {
	p.seen, found = headEnd(buf, p.seen)
	return found
}

// headEnd looks from i on for the empty line that ends a head, or for a bare LF, which the parse then
// reports. If there is none, it gives where to go on.
func headEnd(buf []byte, i int) (int, bool) {
	for ; ; i++ {
		k := bytes.IndexByte(buf[i:], '\n')
		if k < 0 {
			return len(buf), false
		}
		i += k
		if i == 0 || buf[i-1] != '\r' || i >= 3 && buf[i-2] == '\n' && buf[i-3] == '\r' {
			return i, true
		}
	}
}

// unfinished is ErrIncomplete, or what is wrong already.
func (p *Parser) unfinished(buf []byte) error {
	if len(buf) > p.lim.Line && bytes.IndexByte(buf[:p.lim.Line], '\n') < 0 {
		return errLineTooLong
	}
	if len(buf) >= p.lim.Head {
		return errHeadTooLarge
	}
	return ErrIncomplete
}

// requestLine reads "method SP target SP version CRLF". One empty line before it is let pass (RFC 9112 2.2).
// The path may be rewritten, which must happen in the last parse only.
func (p *Parser) requestLine(buf []byte, r *Request, last bool) (int, error) {
	i := 0
	if len(buf) > 0 && buf[0] == '\r' {
		if len(buf) < 2 {
			return 0, ErrIncomplete
		}
		if buf[1] != '\n' {
			return 0, errBareCR
		}
		i = 2
	}
	start := i
	for i < len(buf) && class[buf[i]]&isToken != 0 {
		i++
	}
	if i == len(buf) {
		return 0, ErrIncomplete
	}
	if r.Method = buf[start:i]; buf[i] != ' ' || !ValidMethod(r.Method) {
		return 0, errMethod
	}
	i++
	start = i
	for i < len(buf) && buf[i] > ' ' && buf[i] < 0x7f {
		i++
	}
	if i == len(buf) {
		return 0, ErrIncomplete
	}
	if buf[i] != ' ' || i == start {
		return 0, errTarget
	}
	target := buf[start:i]
	i, err := p.version(buf, i+1)
	if err != nil {
		return 0, err
	}
	if i > p.lim.Line {
		return 0, errLineTooLong
	}
	if !last && escaped(target) {
		if _, ended := headEnd(buf, 0); !ended {
			return 0, ErrIncomplete
		}
	}
	return i, p.target(target, r)
}

// escaped tells whether there is a percent sign before the query.
func escaped(target []byte) bool {
	i := bytes.IndexByte(target, '%')
	return i >= 0 && bytes.IndexByte(target[:i], '?') < 0
}

func (p *Parser) target(t []byte, r *Request) error {
	switch string(r.Method) {
	case "CONNECT":
		return errNoConnect
	case "TRACE":
		return errNoTrace
	}
	r.Scheme = p.Scheme
	if t[0] == '/' || t[0] == '*' {
		return r.SetTarget(t)
	}
	return r.setAbsolute(t)
}

// version reads the HTTP version and the CRLF behind it. A higher minor version is 1.1 (RFC 9110 2.5).
func (p *Parser) version(buf []byte, i int) (int, error) {
	const form = "HTTP/1.1\r\n"
	if len(buf)-i >= len(form) && string(buf[i:i+len(form)]) == form {
		return i + len(form), nil
	}
	for k := range len(form) {
		if i+k == len(buf) {
			return 0, ErrIncomplete
		}
		switch c := buf[i+k]; {
		case k == 5 && c >= '0' && c <= '9', k == 7 && c >= '0' && c <= '9': // the digits
		case c != form[k]:
			return 0, errLine
		}
	}
	if buf[i+5] != '1' {
		return 0, errVersion
	}
	p.Old = buf[i+7] == '0'
	return i + len(form), nil
}

// statusLine reads "version SP status [SP reason] CRLF".
func (p *Parser) statusLine(buf []byte, a *Response) (int, error) {
	const prefix = "HTTP/1."
	for k := range min(len(buf), len(prefix)) {
		if buf[k] != prefix[k] {
			return 0, errLine
		}
	}
	if len(buf) < len(prefix)+7 { // digit, SP, three digits, CRLF
		return 0, ErrIncomplete
	}
	if buf[7] < '0' || buf[7] > '9' || buf[8] != ' ' {
		return 0, errLine
	}
	p.Old = buf[7] == '0'
	d1, d2, d3 := buf[9]-'0', buf[10]-'0', buf[11]-'0'
	if d1 < 1 || d1 > 5 || d2 > 9 || d3 > 9 { // RFC 9110 15: there are five classes
		return 0, errStatus
	}
	a.Status = int(d1)*100 + int(d2)*10 + int(d3)
	if buf[12] != ' ' && buf[12] != '\r' {
		return 0, errStatus
	}
	return lineEnd(buf, textEnd(buf, 12))
}

// textEnd is valueEnd past tabs.
func textEnd(buf []byte, i int) int {
	i = valueEnd(buf, i)
	for i < len(buf) && buf[i] == '\t' {
		i = valueEnd(buf, i+1)
	}
	return i
}

// lineEnd takes the CRLF at i and gives the place behind it.
func lineEnd(buf []byte, i int) (int, error) {
	switch {
	case i == len(buf):
		return 0, ErrIncomplete
	case buf[i] == '\n':
		return 0, errBareLF
	case buf[i] != '\r':
		return 0, errControl
	case i+1 == len(buf):
		return 0, ErrIncomplete
	case buf[i+1] != '\n':
		return 0, errBareCR
	}
	return i + 2, nil
}
