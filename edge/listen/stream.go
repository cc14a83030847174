package listen

import (
	"io"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wedge-lb/wedge/edge/http1"
	"github.com/wedge-lb/wedge/edge/proxy"
)

// A stream is one request of h2 in net/http's form, as an exchange. What net/http's form hides or lets
// pass is made up for here: the request is held to the rules of the h1 parser.
type stream struct {
	streamReply
	owner  *streams
	limits *Limits
	r      *http.Request

	answered atomic.Bool // the answer has begun
	x        proxy.Exchange
	body     streamBody
	reads    watch
	writes   watch
	mem      []byte // what the request's slices alias
	names    []string
}

var streamPool = sync.Pool{New: func() any {
	st := new(stream)
	st.reads.late, st.writes.late = st.lateRead, st.lateWrite
	return st
}}

func newStream(ss *streams, l *Limits, w http.ResponseWriter, r *http.Request) *stream {
	st := streamPool.Get().(*stream)
	c := &ss.client
	st.owner, st.limits, st.r = ss, l, r
	st.mem, st.names = st.mem[:0], st.names[:0]
	st.x.Reset()
	st.x.Protocol, st.x.Secure, st.x.SNI, st.x.Peer, st.x.Shard = proxy.H2, true, c.sni, c.peer, c.shard
	st.x.Local = c.local
	st.x.Reply, st.x.Guard = &st.streamReply, c.guard
	st.streamReply = streamReply{st: st, w: w, control: *http.NewResponseController(w),
		pace: newPace(l.BodyTimeout, l.MinRate)}
	st.answered.Store(false)
	return st
}

// giveBack lets another request use st; only when nothing can call Abort on it any more.
func (st *stream) giveBack() {
	st.streamReply = streamReply{}
	st.owner, st.limits, st.r = nil, nil, nil
	st.body = streamBody{trailers: st.body.trailers[:0]}
	st.x.Reset()
	clear(st.names)
	if cap(st.mem) <= 64<<10 {
		streamPool.Put(st)
	}
}

var longAgo = time.Unix(1, 0)

// lateRead ends a read that the client lets wait. Once the answer to a body of no declared length has begun,
// the two are a conversation, in which a client may be silent as it may in a tunnel.
func (st *stream) lateRead(waited time.Duration) time.Duration {
	if more := st.limits.TunnelTimeout - waited; st.body.left < 0 && st.answered.Load() && more > 0 {
		return more
	}
	st.control.SetReadDeadline(longAgo)
	return 0
}

// lateWrite ends a write that the client does not take.
func (st *stream) lateWrite(time.Duration) time.Duration {
	st.control.SetWriteDeadline(longAgo)
	return 0
}

// keep copies s to where the request's slices live.
func (st *stream) keep(s string) []byte {
	n := len(st.mem)
	st.mem = append(st.mem, s...)
	return st.mem[n:len(st.mem):len(st.mem)]
}

// keepLower is keep with ASCII letters in lower case: names are so on the wire, net/http capitalises them.
func (st *stream) keepLower(s string) []byte {
	b := st.keep(s)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c | 0x20
		}
	}
	return b
}

var errNoConnect = &http1.Error{Status: http.StatusMethodNotAllowed, Reason: "method CONNECT"}

// fill makes the exchange's request. An error is an *http1.Error.
func (st *stream) fill() error {
	r, q := st.r, &st.x.Request
	if r.Method == http.MethodConnect {
		return errNoConnect
	}
	if r.TLS == nil { // x/net's way to say that :scheme was http
		return &http1.Error{Status: http.StatusBadRequest, Reason: "invalid scheme"}
	}
	q.Method, q.Scheme = st.keep(r.Method), schemeHTTPS
	if r.Host != "" {
		q.Authority = st.keep(r.Host)
	}
	if err := q.SetTarget(st.keep(r.RequestURI)); err != nil {
		return err
	}
	st.fields()
	if err := q.Check(st.limits.wire()); err != nil {
		return err
	}
	return st.length()
}

// fields copies the header's, in the order of their names: the client's own order is lost in the map.
func (st *stream) fields() {
	for name := range st.r.Header {
		st.names = append(st.names, name)
	}
	slices.Sort(st.names)
	for _, name := range st.names {
		lower := st.keepLower(name)
		for _, v := range st.r.Header[name] {
			st.x.Request.Fields.Add(lower, st.keep(v))
		}
	}
}

// length decides whether there is a body. q.Length is the declared one.
func (st *stream) length() error {
	r, q := st.r, &st.x.Request
	ended := r.ContentLength == 0 // with the head
	if ended && q.Length > 0 {
		return &http1.Error{Status: http.StatusBadRequest, Reason: "declared body is missing"}
	}
	if q.Length == 0 || ended {
		q.Length = 0
		return nil
	}
	st.body.start(st, q.Length)
	q.Body, q.Trailers = &st.body, &st.body.trailers
	return nil
}

// A streamBody reads the body of a request, at the pace that the limits demand.
type streamBody struct {
	st       *stream
	src      io.ReadCloser
	trailers http1.Fields
	left     int64 // of the declared length; Unknown = not declared
	pace     pace
	err      error
}

func (b *streamBody) start(st *stream, length int64) {
	*b = streamBody{st: st, src: st.r.Body, trailers: b.trailers[:0], left: length,
		pace: newPace(st.limits.BodyTimeout, st.limits.MinRate)}
}

// Read waits for the client only as long as its pace allows.
func (b *streamBody) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	b.st.reads.begin(time.Now(), max(b.pace.left, 0))
	n, err := b.src.Read(p)
	waited := b.st.reads.end()
	if b.left < 0 && b.st.answered.Load() {
		waited = 0
	}
	b.pace.moved(n, waited)
	if b.left >= 0 {
		b.left -= int64(n)
	}
	if err != nil {
		b.err = b.end(err)
	}
	return n, b.err
}

// end says how the body ended.
func (b *streamBody) end(err error) error {
	switch {
	case err != io.EOF:
		return err
	case b.left > 0:
		return io.ErrUnexpectedEOF
	}
	b.readTrailers()
	return io.EOF
}

// readTrailers keeps the trailers that may be passed on.
func (b *streamBody) readTrailers() {
	st := b.st
	for name, values := range st.r.Trailer {
		lower := []byte(name)
		for i, c := range lower {
			if 'A' <= c && c <= 'Z' {
				lower[i] = c | 0x20
			}
		}
		if !http1.ValidFieldName(lower) || !http1.TrailerAllowed(lower) {
			continue
		}
		for _, v := range values {
			if value := []byte(v); http1.ValidFieldValue(value) {
				b.trailers.Add(lower, value)
			}
		}
	}
	slices.SortStableFunc(b.trailers, func(x, y http1.Field) int { return slices.Compare(x.Name, y.Name) })
}

// Close makes a Read that waits, and all later ones, fail.
func (b *streamBody) Close() error { return b.src.Close() }

// lengthText is the value of a content-length field.
func lengthText(n int64) []string { return []string{strconv.FormatInt(n, 10)} }
