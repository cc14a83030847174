package edge_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// pairs are fields in the order they are sent.
type pairs [][2]string

// good is a request that is fine, with fields changed or added: "name", "value" replaces, "+name" adds and
// "-name" leaves one out.
func good(changes ...string) pairs {
	f := pairs{{":method", "GET"}, {":scheme", "https"}, {":authority", "lb.test"}, {":path", "/"}}
	for i := 0; i+1 < len(changes); i += 2 {
		name, value := changes[i], changes[i+1]
		at := -1
		for j := range f {
			if f[j][0] == strings.TrimLeft(name, "-") {
				at = j
			}
		}
		switch {
		case name[0] == '-':
			f = append(f[:at], f[at+1:]...)
		case at >= 0:
			f[at][1] = value
		default:
			f = append(f, [2]string{strings.TrimPrefix(name, "+"), value})
		}
	}
	return f
}

func post(changes ...string) pairs { return good(append([]string{":method", "POST"}, changes...)...) }

// An h2Attack is one request of HTTP/2 that must not be served.
type h2Attack struct {
	head     pairs
	body     string // in one DATA frame; "" = the head ends the stream, unless there are trailers
	trailers pairs
}

// Requests that RFC 9113 calls malformed, or that an HTTP/1.1 backend would read otherwise than the edge.
var h2Attacks = map[string]h2Attack{
	"CR in a value":               {head: good("x", "a\rb")},
	"LF in a value":               {head: good("x", "a\nb")},
	"CRLF and a field in a value": {head: good("x", "a\r\nContent-Length: 5")},
	"a request in a value": {
		head: good("x", "a\r\n\r\nGET /evil HTTP/1.1\r\nHost: lb.test\r\n\r\n"),
	},
	"NUL in a value":            {head: good("x", "a\x00b")},
	"a control byte in a value": {head: good("x", "a\x01b")},
	"spaces around a value":     {head: good("x", " a ")},
	"DEL in a value":            {head: good("x", "a\x7fb")},
	"CRLF in a name":            {head: good("x\r\ny", "a")},
	"a colon in a name":         {head: good("x:y", "a")},
	"a space in a name":         {head: good("x y", "a")},
	"an upper-case name":        {head: good("X-Upper", "a")},
	"an empty name":             {head: append(good(), [2]string{"", "a"})},
	"a name beyond ASCII":       {head: good("fö", "a")},
	"NUL in a name":             {head: good("x\x00", "a")},
	"no method":                 {head: good("-:method", "")},
	"no path":                   {head: good("-:path", "")},
	"no scheme":                 {head: good("-:scheme", "")},
	"no authority and no host":  {head: good("-:authority", "")},
	"an empty authority":        {head: good(":authority", "")},
	"two methods":               {head: good("+:method", "POST")},
	"two paths":                 {head: append(good(), [2]string{":path", "/evil"})},
	"two schemes":               {head: append(good(), [2]string{":scheme", "https"})},
	"two authorities":           {head: append(good(), [2]string{":authority", "lb.test"})},
	"a pseudo field after a field": {
		head: append(good("-:path", "", "x", "a"), [2]string{":path", "/"}),
	},
	"a pseudo field that is none": {head: append(pairs{{":evil", "1"}}, good()...)},
	"a response's pseudo field":   {head: append(pairs{{":status", "200"}}, good()...)},
	"a protocol without CONNECT":  {head: append(pairs{{":protocol", "websocket"}}, good()...)},
	"CONNECT": {
		head: pairs{{":method", "CONNECT"}, {":authority", "lb.test:443"}},
	},
	"CONNECT with a path":              {head: good(":method", "CONNECT")},
	"an empty method":                  {head: good(":method", "")},
	"a space in the method":            {head: good(":method", "GET /evil")},
	"CRLF in the method":               {head: good(":method", "GET / HTTP/1.1\r\nX:")},
	"an empty path":                    {head: good(":path", "")},
	"a path without a slash":           {head: good(":path", "evil")},
	"a space in the path":              {head: good(":path", "/ HTTP/1.1")},
	"CRLF in the path":                 {head: good(":path", "/ HTTP/1.1\r\nX: y")},
	"NUL in the path":                  {head: good(":path", "/\x00")},
	"a fragment in the path":           {head: good(":path", "/#evil")},
	"a backslash in the path":          {head: good(":path", "/\\evil")},
	"bytes beyond ASCII in the path":   {head: good(":path", "/\xff")},
	"dot segments in the path":         {head: good(":path", "/a/../evil")},
	"encoded dot segments in the path": {head: good(":path", "/a/%2e%2e/evil")},
	"half an escape in the path":       {head: good(":path", "/%2")},
	"an encoded NUL in the path":       {head: good(":path", "/%00")},
	"an asterisk for GET":              {head: good(":path", "*")},
	"another's absolute path":          {head: good(":path", "https://evil.test/")},
	"the scheme of plain HTTP":         {head: good(":scheme", "http")},
	"a scheme that is none":            {head: good(":scheme", "https://evil.test/?")},
	"host other than the authority":    {head: good("host", "evil.test")},
	"two hosts": {
		head: append(good("-:authority", "", "host", "lb.test"), [2]string{"host", "evil.test"}),
	},
	"a user in the authority":  {head: good(":authority", "lb.test@evil.test")},
	"a path in the authority":  {head: good(":authority", "lb.test/evil")},
	"a list in the authority":  {head: good(":authority", "lb.test, evil.test")},
	"a space in the authority": {head: good(":authority", "lb.test evil")},
	"CRLF in the authority":    {head: good(":authority", "lb.test\r\nX: y")},
	"a port that is none":      {head: good(":authority", "lb.test:80x")},
	"another authority":        {head: good(":authority", "evil.test")},
	"transfer-encoding": {
		head: post("transfer-encoding", "chunked"),
		body: "0\r\n\r\nGET /evil HTTP/1.1\r\n\r\n",
	},
	"transfer-encoding identity": {head: post("transfer-encoding", "identity"), body: "x"},
	"connection":                 {head: good("connection", "close")},
	"connection names a field":   {head: good("connection", "x-forwarded-for")},
	"keep-alive":                 {head: good("keep-alive", "timeout=5")},
	"proxy-connection":           {head: good("proxy-connection", "keep-alive")},
	"upgrade":                    {head: good("upgrade", "h2c")},
	"te other than trailers":     {head: good("te", "gzip")},
	"te with more than trailers": {head: good("te", "trailers, gzip")},
	"two lengths": {
		head: append(post("content-length", "5"), [2]string{"content-length", "6"}),
		body: "hello",
	},
	"a list of lengths":       {head: post("content-length", "5, 6"), body: "hello"},
	"a negative length":       {head: post("content-length", "-1"), body: "hello"},
	"a length with a sign":    {head: post("content-length", "+5"), body: "hello"},
	"a length in hexadecimal": {head: post("content-length", "0x5"), body: "hello"},
	"a length with a space":   {head: post("content-length", "5 5"), body: "hello"},
	"an empty length":         {head: post("content-length", ""), body: "hello"},
	"a length that overflows": {
		head: post("content-length", "18446744073709551621"),
		body: "hello",
	},
	"a length with no body": {head: post("content-length", "5")},
	"a body longer than its length": {
		head: post("content-length", "4"),
		body: "helloGET /evil HTTP/1.1\r\n\r\n",
	},
	"a body shorter than its length": {head: post("content-length", "50"), body: "hello"},
	"an underscore twin of a length": {
		head: post("content_length", "0"),
		body: "GET /evil HTTP/1.1\r\n\r\n",
	},
	"an underscore twin of a coding": {head: post("transfer_encoding", "chunked"), body: "0\r\n\r\n"},
	"a pseudo field in trailers": {
		head:     post(),
		body:     "hello",
		trailers: pairs{{":path", "/evil"}},
	},
	"an upper-case name in trailers": {head: post(), body: "hello", trailers: pairs{{"X-Upper", "a"}}},
	"a length in trailers": {
		head:     post("trailer", "content-length, x-sum"),
		body:     "hello",
		trailers: pairs{{"content-length", "99"}},
	},
	"CRLF in a trailer": {
		head:     post(),
		body:     "hello",
		trailers: pairs{{"x", "a\r\n\r\nGET /evil HTTP/1.1"}},
	},
	"a head of more than the limit":      {head: good("x", strings.Repeat("a", 40<<10))},
	"more fields than the limit":         {head: append(good(), many("x", 300)...)},
	"a path of more than the line limit": {head: good(":path", "/"+strings.Repeat("a", 20<<10))},
	"an expectation that is none":        {head: post("expect", "200-maybe"), body: "hello"},
	"a cookie with CRLF between crumbs": {
		head: append(good("cookie", "a=1"), [2]string{"cookie", "b=2\r\nX: y"}),
	},
	"connection-specific in the trailers": {
		head:     post(),
		body:     "hello",
		trailers: pairs{{"connection", "x"}, {"transfer-encoding", "chunked\r\n"}},
	},
}

func many(name string, n int) (f pairs) {
	for range n {
		f = append(f, [2]string{name, "1"})
	}
	return f
}

// An h2Conn is a connection of HTTP/2 whose frames a test makes by hand.
type h2Conn struct {
	t *testing.T
	*tls.Conn
	*http2.Framer
}

func dialH2(t *testing.T, r *running) *h2Conn {
	t.Helper()
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(r.RootPEM())
	conf := &tls.Config{RootCAs: roots, ServerName: "lb.test", NextProtos: []string{"h2"}}
	conn, err := tls.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", r.Port("https")), conf)
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	require.NoError(t, conn.SetDeadline(time.Now().Add(10*time.Second)))
	c := &h2Conn{t, conn, http2.NewFramer(conn, conn)}
	c.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	c.AllowIllegalWrites = true
	_, err = io.WriteString(conn, http2.ClientPreface)
	require.NoError(t, err)
	require.NoError(t, c.WriteSettings())
	return c
}

// send writes a request on stream 1. Errors are of an edge that has closed already; ended tells.
func (c *h2Conn) send(a h2Attack) {
	var b bytes.Buffer
	e := hpack.NewEncoder(&b)
	c.block(e, &b, a.head, a.body == "" && a.trailers == nil)
	if a.body != "" {
		c.WriteData(1, a.trailers == nil, []byte(a.body))
	}
	if a.trailers != nil {
		b.Reset()
		c.block(e, &b, a.trailers, true)
	}
}

// block writes fields as HEADERS and as many CONTINUATION as they need.
func (c *h2Conn) block(e *hpack.Encoder, b *bytes.Buffer, fields pairs, end bool) {
	for _, f := range fields {
		e.WriteField(hpack.HeaderField{Name: f[0], Value: f[1]})
	}
	const frame = 16 << 10
	first := b.Next(frame)
	c.WriteHeaders(http2.HeadersFrameParam{
		StreamID: 1, BlockFragment: first, EndStream: end, EndHeaders: b.Len() == 0})
	for b.Len() > 0 {
		c.WriteContinuation(1, b.Len() <= frame, b.Next(frame))
	}
}

// ended reads until stream 1 or the connection has ended and tells how: the status, or the error.
func (c *h2Conn) ended() string {
	c.t.Helper()
	status := ""
	for {
		frame, err := c.ReadFrame()
		var late net.Error
		if errors.As(err, &late) && late.Timeout() {
			return "no answer"
		}
		if err != nil {
			return strings.TrimSpace("closed " + status)
		}
		switch f := frame.(type) {
		case *http2.MetaHeadersFrame:
			if s := f.PseudoValue("status"); !strings.HasPrefix(s, "1") {
				status = s
			}
			if f.StreamEnded() {
				return status
			}
		case *http2.DataFrame:
			if f.StreamEnded() {
				return status
			}
		case *http2.RSTStreamFrame:
			return strings.TrimSpace("reset " + f.ErrCode.String() + " " + status)
		case *http2.GoAwayFrame:
			return "goaway " + f.ErrCode.String()
		}
	}
}

func TestNoMalformedH2RequestReachesABackend(t *testing.T) {
	o := newOrigin(t)
	r := attacked(t, o, "lb.test", "internal")
	outcomes := map[string]int{}
	for name, attack := range h2Attacks {
		t.Run(name, func(t *testing.T) {
			o.Reset()
			c := dialH2(t, r)
			c.send(attack)
			got := c.ended()
			outcomes[got]++
			assert.Regexp(t, `^(4\d\d|(reset|goaway) (PROTOCOL_ERROR|COMPRESSION_ERROR)( 4\d\d)?)$`, got)
			assertServedNext(t, r, o)
		})
	}
	t.Log(outcomes)
}

// The head of this request is fine; that it has a body is known too late to refuse it.
func TestAnH2BodyWhereTheLengthIsNoneGoesNowhere(t *testing.T) {
	o := newOrigin(t)
	r := attacked(t, o, "lb.test", "internal")
	c := dialH2(t, r)
	c.send(h2Attack{head: post("content-length", "0"), body: "GET /evil HTTP/1.1\r\n\r\n"})
	assert.Regexp(t, `^(200|400|reset PROTOCOL_ERROR( 200)?)$`, c.ended())
	next := dialH2(t, r)
	next.send(h2Attack{head: good(":path", "/next")})
	assert.Equal(t, "200", next.ended())
	seen := o.Seen()
	assert.Subset(t, []string{"POST /", "GET /next"}, seen.Targets)
	assert.Zero(t, seen.Bad)
	assert.NotContains(t, string(seen.Raw), "evil")
}

// assertServedNext holds that nothing but the next, good request was complete at the backend, and nothing was
// malformed.
func assertServedNext(t *testing.T, r *running, o *origin) {
	t.Helper()
	c := dialH2(t, r)
	c.send(h2Attack{head: good(":path", "/next")})
	assert.Equal(t, "200", c.ended())
	seen := o.Seen()
	assert.Equal(t, []string{"GET /next"}, seen.Targets)
	assert.Zero(t, seen.Bad)
	assert.NotContains(t, string(seen.Raw), "/evil HTTP/1.1")
}

// Requests that are fine, or are made fine on the way.
func TestGoodH2RequestsReachTheBackendClean(t *testing.T) {
	o := newOrigin(t)
	r := attacked(t, o, "lb.test", "internal")
	for name, tt := range map[string]struct {
		attack     h2Attack
		need, deny string
	}{
		"nothing special": {h2Attack{head: good()}, "GET / HTTP/1.1\r\n", ""},
		"a host alone": {
			h2Attack{head: good("-:authority", "", "host", "lb.test")},
			"Host: lb.test\r\n", "",
		},
		"a host that agrees": {
			h2Attack{head: good("host", "lb.test")},
			"Host: lb.test\r\n", "",
		},
		"te trailers": {h2Attack{head: good("te", "trailers")}, "", "gzip"},
		"crumbs of a cookie": {
			h2Attack{head: append(good("cookie", "a=1"), [2]string{"cookie", "b=2"})},
			"a=1; b=2\r\n", "",
		},
		"text beyond ASCII in a value": {
			h2Attack{head: good("x", "caf\xc3\xa9")},
			"caf\xc3\xa9", "",
		},
		"a body of known length": {
			h2Attack{head: post("content-length", "5"), body: "hello"},
			"\r\n\r\nhello", "chunked",
		},
		"a body of unknown length": {
			h2Attack{head: post(), body: "hello"},
			"5\r\nhello\r\n0\r\n\r\n", "ontent-",
		},
		"a body that looks like a request": {
			h2Attack{head: post("content-length", "18"), body: "GET /evil HTTP/1.1"},
			"GET /evil", "",
		},
		"a body that looks like a last chunk": {
			h2Attack{head: post(), body: "0\r\n\r\nGET"},
			"8\r\n0\r\n\r\nGET\r\n0\r\n\r\n", "",
		},
		"trailers": {
			h2Attack{head: post("trailer", "x-sum"), body: "x", trailers: pairs{{"x-sum", "42"}}},
			"0\r\nx-sum: 42\r\n\r\n", "",
		},
		"forged forwarding": {
			h2Attack{head: good("x-forwarded-for", "6.6.6.6", "forwarded", "for=6.6.6.6", "via", "6.6")},
			"", "6.6",
		},
	} {
		t.Run(name, func(t *testing.T) {
			o.Reset()
			c := dialH2(t, r)
			c.send(tt.attack)
			assert.Equal(t, "200", c.ended())
			seen := o.Seen()
			assert.Len(t, seen.Targets, 1)
			assert.Zero(t, seen.Bad)
			assert.Contains(t, strings.ToLower(string(seen.Raw)), strings.ToLower(tt.need))
			if tt.deny != "" {
				assert.NotContains(t, string(seen.Raw), tt.deny)
			}
		})
	}
}
