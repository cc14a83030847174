package upstream

import (
	"context"
	"errors"
	"maps"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/wedge-lb/wedge/edge/balance"
	"github.com/wedge-lb/wedge/edge/http1"
)

const (
	// pingAfter is how long an HTTP/2 connection may be silent before a ping asks whether it still lives. Its
	// streams may be silent for as long as they like.
	pingAfter    = 15 * time.Second
	pingTimeout  = 15 * time.Second
	maxReadFrame = 64 << 10
	// What is received ahead of a client that reads slowly, for a stream and for all of a connection.
	streamBuffer, connBuffer = 256 << 10, 64 << 20
)

// h2 is the HTTP/2 connections to one backend, by net/http's client.
type h2 struct {
	b         *backend
	transport *http.Transport

	mu     sync.Mutex
	conns  map[*h2Conn]struct{}
	active int
	closed bool
}

func newH2(b *backend) *h2 {
	s := b.settings.Load()
	t := &h2{b: b, conns: map[*h2Conn]struct{}{}}
	var protocols http.Protocols
	protocols.SetHTTP2(b.dialer.secure != nil)
	protocols.SetUnencryptedHTTP2(b.dialer.secure == nil)
	t.transport = &http.Transport{
		Protocols:              &protocols,
		DialContext:            t.dial,
		TLSClientConfig:        b.dialer.secure,
		TLSHandshakeTimeout:    s.ConnectTimeout,
		DisableCompression:     true,
		IdleConnTimeout:        s.IdleTimeout,
		MaxResponseHeaderBytes: int64(s.Limits.Head),
		HTTP2: &http.HTTP2Config{
			SendPingTimeout: pingAfter, PingTimeout: pingTimeout, WriteByteTimeout: s.BodyTimeout,
			MaxReadFrameSize: maxReadFrame, MaxReceiveBufferPerStream: streamBuffer,
			MaxReceiveBufferPerConnection: connBuffer,
		},
	}
	return t
}

// dialFailure marks what went wrong before there was a connection.
type dialFailure struct{ err error }

func (d *dialFailure) Error() string { return d.err.Error() }
func (d *dialFailure) Unwrap() error { return d.err }

func (t *h2) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, t.b.settings.Load().ConnectTimeout)
	defer cancel()
	raw, err := t.b.dialer.dial(ctx)
	if err != nil {
		return nil, &dialFailure{err}
	}
	c := &h2Conn{Conn: raw, t: t, ended: make(chan struct{})}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed && t.active == 0 {
		_ = raw.Close()
		return nil, &dialFailure{errClosed}
	}
	t.conns[c] = struct{}{}
	t.b.mu.Lock()
	t.b.open++
	t.b.dialed++
	t.b.mu.Unlock()
	return c, nil
}

// h2Conn counts itself out when it is closed.
type h2Conn struct {
	net.Conn
	t       *h2
	once    sync.Once
	ended   chan struct{} // closed by Close
	severed atomic.Bool   // before it was closed
}

func (c *h2Conn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if err != nil && c.severed.Load() {
		err = errSevered
	}
	return n, err
}

// Write leaves it to Read to tell that the peer has closed: before that it may find what the peer said.
func (c *h2Conn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	if err != nil && c.severed.Load() {
		return n, errSevered
	}
	if errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET) {
		return len(p), nil
	}
	return n, err
}

func (c *h2Conn) Close() error {
	c.once.Do(func() {
		close(c.ended)
		c.t.mu.Lock()
		delete(c.t.conns, c)
		c.t.mu.Unlock()
		c.t.b.leave()
	})
	return c.Conn.Close()
}

// do is one exchange on a stream.
func (t *h2) do(r *http1.Request, a *http1.Response) *balance.Failure {
	if !t.begin() {
		return &balance.Failure{Kind: balance.ConnectFailed, Err: errClosed}
	}
	s := newStream(t, r, a)
	if !r.Abort.Attach(s) {
		s.cancel()
		s.timer.Stop()
		t.end()
		return clientGone(false)
	}
	answer, err := t.transport.RoundTrip(s.request())
	s.answered()
	if err == nil && answer.ProtoMajor != 2 {
		_ = answer.Body.Close()
		err = errProtocol
	}
	if err == nil && (answer.StatusCode < 200 || answer.StatusCode > 599) {
		_ = answer.Body.Close()
		err = errStatus
	}
	if err != nil {
		s.end()
		f := s.failed(err)
		if f.Kind == balance.Reset {
			f.Err = s.verdict(f.Err)
		}
		t.b.judge(f, r)
		return f
	}
	t.b.trusted()
	s.open(answer)
	return nil
}

// begin counts an exchange in; false if the backend has left. Until end it may make connections.
func (t *h2) begin() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed && !t.b.passing {
		return false
	}
	t.active++
	return true
}

// end lets the connections go once the backend has left and no stream is open.
func (t *h2) end() {
	t.mu.Lock()
	t.active--
	last := t.closed && t.active == 0
	t.mu.Unlock()
	if last {
		t.closeAll()
		t.b.t.departed.remove(t.b)
	}
}

func (t *h2) close() {
	t.mu.Lock()
	t.closed = true
	last := t.active == 0
	t.mu.Unlock()
	if last {
		t.closeAll()
	}
}

func (t *h2) closeAll() {
	t.transport.CloseIdleConnections()
	for _, c := range t.open() {
		_ = c.Close()
	}
}

func (t *h2) open() []*h2Conn {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Collect(maps.Keys(t.conns))
}

// failed classes the error of a stream without an answer.
func (s *stream) failed(err error) *balance.Failure {
	var dial *dialFailure
	f := &balance.Failure{Kind: balance.Reset, Sent: s.got.Load(), Err: err}
	switch {
	case s.r.Abort.Aborted(), s.deaf.Load():
		f.Kind, f.Err = balance.ClientGone, errAborted
	case s.cut(), errors.Is(err, errSevered):
		f.Kind, f.Err = balance.Severed, errSevered
	case s.late.Load():
		f.Kind = balance.TimedOut
	case s.body != nil && s.body.fault() != nil:
		f.Kind, f.Err = balance.BadRequestBody, s.body.fault()
	case errors.As(err, &dial):
		f.Kind, f.Sent = balance.ConnectFailed, false
	case !s.got.Load():
		f.Kind, f.Sent = balance.ConnectFailed, false
		if s.t.b.dialer.secure != nil {
			s.t.b.distrusted(err)
		}
	case errors.Is(err, errProtocol), errors.Is(err, errStatus), s.informed.Load() > maxInformed:
		f.Kind = balance.BadAnswer
	}
	return f
}
