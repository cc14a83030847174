package upstream

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/wedge-lb/wedge/edge/http1"
)

// A stream is one exchange over HTTP/2. It is the body of its answer.
type stream struct {
	t      *h2
	r      *http1.Request
	a      *http1.Response
	ctx    context.Context
	cancel context.CancelFunc
	body   *requestBody // nil = none
	source io.ReadCloser
	reply  *http.Response
	extra  http1.Fields // trailers of the answer

	got      atomic.Bool // a connection was had: something may have been sent
	conn     atomic.Pointer[h2Conn]
	first    atomic.Pointer[tls.Conn] // the connection, if no other stream was before
	late     atomic.Bool
	deaf     atomic.Bool // the client could not be told of an interim answer
	informed atomic.Int32
	timer    *time.Timer // until the head, from the end of the request; nil = its body has not ended
	closed   bool
}

func newStream(t *h2, r *http1.Request, a *http1.Response) *stream {
	s := &stream{t: t, r: r, a: a}
	ctx := httptrace.WithClientTrace(context.Background(), &httptrace.ClientTrace{
		GotConn:        s.gotConn,
		Got1xxResponse: s.inform,
	})
	s.ctx, s.cancel = context.WithCancel(ctx)
	limit := patient(t.b.settings.Load().ResponseTimeout, r)
	s.timer = time.AfterFunc(limit, s.timeUp)
	if r.Length != 0 && !replayable(r) {
		s.timer.Stop()
		s.body = &requestBody{src: r.Body, trailers: r.Trailers, ended: func() { s.timer.Reset(limit) }}
	}
	return s
}

// replayable tells whether the body is at hand, without trailers.
func replayable(r *http1.Request) bool {
	return r.Buffered != nil && (r.Trailers == nil || len(*r.Trailers) == 0)
}

func (s *stream) gotConn(info httptrace.GotConnInfo) {
	s.got.Store(true)
	raw := info.Conn
	if c, ok := raw.(*tls.Conn); ok {
		if raw = c.NetConn(); !info.Reused {
			s.first.Store(c)
		}
	}
	if c, ok := raw.(*h2Conn); ok {
		s.conn.Store(c)
	}
}

// Interrupt ends the stream: the client has left.
func (s *stream) Interrupt() { s.cancel() }

func (s *stream) timeUp() {
	s.late.Store(true)
	s.cancel()
}

// answered stops the clock. It may run into a body that ends only now, whose clock then has no effect.
func (s *stream) answered() {
	if s.body != nil {
		s.body.quiet()
	}
	s.timer.Stop()
}

// request puts r into net/http's form.
func (s *stream) request() *http.Request {
	r, to := s.r, s.t.b.key
	authority := string(r.Authority)
	q := &http.Request{
		Method: string(r.Method),
		URL:    &url.URL{Scheme: to.scheme, Host: to.address, Opaque: opaque(authority, r)},
		Host:   authority,
		Header: make(http.Header, len(r.Fields)+2),
	}
	if r.HasQuery {
		q.URL.RawQuery, q.URL.ForceQuery = string(r.Query), true
	}
	for _, f := range r.Fields {
		name := textproto.CanonicalMIMEHeaderKey(string(f.Name))
		q.Header[name] = append(q.Header[name], string(f.Value))
	}
	if _, ok := q.Header["User-Agent"]; !ok {
		q.Header["User-Agent"] = []string{""} // or net/http tells its own
	}
	if r.Trailers != nil || strings.HasPrefix(q.Header.Get("Content-Type"), "application/grpc") {
		q.Header["Te"] = []string{"trailers"}
	}
	if r.Length != 0 && s.body == nil {
		q.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(r.Buffered)), nil }
		q.Body, _ = q.GetBody()
		q.ContentLength = int64(len(r.Buffered))
	}
	if s.body != nil {
		q.Body, q.ContentLength = s.body, r.Length
		q.Trailer = http.Header{}
		s.body.to = q.Trailer
	}
	return q.WithContext(s.ctx)
}

// opaque has the path go out byte by byte as it is.
func opaque(authority string, r *http1.Request) string {
	path := string(r.Path)
	if strings.HasPrefix(path, "//") {
		return "//" + authority + path // net/http takes scheme and host off again
	}
	return path
}

func (s *stream) inform(status int, h textproto.MIMEHeader) error {
	if s.informed.Add(1) > maxInformed {
		return errTooMany1xx
	}
	if s.r.Informed == nil || status == http.StatusSwitchingProtocols {
		return nil
	}
	err := s.r.Informed(status, appendHeader(nil, http.Header(h)))
	s.deaf.Store(err != nil)
	return err
}

// open fills the answer.
func (s *stream) open(h *http.Response) {
	a := s.a
	a.Reset()
	a.Status, a.Length = h.StatusCode, h.ContentLength
	if h.StatusCode == http.StatusNoContent {
		a.Length = 0
	}
	a.Fields = appendHeader(a.Fields, h.Header)
	s.reply, s.source = h, h.Body
	a.Body, a.Trailers = s, &s.extra
}

// appendHeader gives fields as HTTP/1.1 knows them, without those that frame.
func appendHeader(f http1.Fields, h http.Header) http1.Fields {
	for name, values := range h {
		if http1.ForbiddenField([]byte(name)) {
			continue
		}
		for _, v := range values {
			f.Add([]byte(name), []byte(v))
		}
	}
	return f
}

// Read reads of the answer's body.
func (s *stream) Read(p []byte) (int, error) {
	n, err := s.source.Read(p)
	if err == io.EOF {
		for name, values := range s.reply.Trailer {
			for _, v := range values {
				if http1.TrailerAllowed([]byte(name)) {
					s.extra.Add([]byte(name), []byte(v))
				}
			}
		}
		s.reply.Trailer = nil
	}
	if err != nil && err != io.EOF && s.cut() {
		err = severedBody
	}
	return n, err
}

// cut tells whether Sever has ended the stream.
func (s *stream) cut() bool {
	c := s.conn.Load()
	return c != nil && c.severed.Load()
}

// Close ends the exchange. A stream that has not ended is reset.
func (s *stream) Close() error {
	if s.closed {
		return nil
	}
	s.closed = true
	err := s.source.Close()
	s.end()
	return err
}

// end lets go of what the stream holds. When it returns, nobody reads the request's body.
func (s *stream) end() {
	s.r.Abort.Detach()
	s.cancel()
	if s.body != nil {
		s.body.finish()
	}
	s.timer.Stop()
	s.t.end()
}
