package upstream

import (
	"crypto/tls"
	"errors"
	"io"
	"sync/atomic"
	"time"

	"github.com/wedge-lb/wedge/edge/http1"
)

// A conn is one HTTP/1.1 connection to a backend: idle, or owned by one exchange. The Body of an answer is
// the conn itself.
type conn struct {
	backend  *backend
	settings *Settings
	sock     *socket
	secure   *tls.Conn // nil = plain
	rd       http1.Reader
	parser   http1.Parser
	body     http1.Body // of the answer
	out      []byte     // the request's head and what is written with it
	sender   sender     // of a body that is still arriving

	prev, next *conn       // in the backend's list
	severed    atomic.Bool // Sever has closed it

	born, idleSince int64
	taken           int64         // when the exchange began
	reused          bool          // it has served before
	blind           bool          // what came behind the answer before was not seen
	answered        bool          // a byte of the answer came
	patience        time.Duration // for the head of the answer, from the end of the request
	request         *http1.Request
	answer          *http1.Response // nil = no exchange
}

func newConn(b *backend, sock *socket, s *Settings) *conn {
	c := &conn{backend: b, settings: s, sock: sock, born: b.t.now()}
	c.rd.Src, c.rd.Max = sock, s.Limits.Head
	c.parser.Limits = s.Limits
	c.sender.init(c)
	return c
}

// fits tells whether c may serve another request that takes it now. A plain connection may have to be looked at
// still, which the write of the request does.
func (c *conn) fits(now int64, s *Settings) bool {
	c.reused, c.taken, c.settings = true, now, s
	if now-c.idleSince >= int64(s.IdleTimeout) || now-c.born >= int64(s.Lifetime) {
		return false
	}
	return c.secure == nil || !c.doubtful() || c.quiet()
}

// handed tells whether c may serve the waiter it was handed to: it is looked at in any case.
func (c *conn) handed(now int64, s *Settings) bool {
	c.sock.readFor = s.ResponseTimeout
	if !c.fits(now, s) || c.secure == nil && !c.sock.silent() {
		return false
	}
	c.idleSince, c.blind = now, false
	return true
}

// quiet tells whether a TLS connection is open and has no answer that nobody asked for. What belongs to TLS
// alone, as session tickets, is taken in.
func (c *conn) quiet() bool {
	var b [1]byte
	c.sock.noWait, c.sock.readFor = true, c.settings.ResponseTimeout
	n, err := c.secure.Read(b[:])
	c.sock.noWait = false
	var wait wouldWait
	return n == 0 && errors.As(err, &wait)
}

// write writes all of p now.
func (c *conn) write(p []byte) (int, error) {
	if c.secure != nil {
		return c.secure.Write(p)
	}
	return c.sock.Write(p)
}

// Interrupt ends what c waits for: the client has left.
func (c *conn) Interrupt() { _ = c.sock.Close() }

// closeSocket closes c without counting it out.
func (c *conn) closeSocket() { _ = c.sock.Close() }

// discard closes c for good.
func (c *conn) discard() {
	c.closeSocket()
	c.backend.drop(c)
}

// Read reads of the answer's body. Only its owner calls it, between the head and Close.
func (c *conn) Read(p []byte) (int, error) {
	c.sock.readFor = c.settings.BodyTimeout
	n, err := c.body.Read(p)
	if err != nil && err != io.EOF && c.severed.Load() {
		err = severedBody
	}
	return n, err
}

// Arrived tells whether some of the body, or its end, has come with the head.
func (c *conn) Arrived() bool { return len(c.rd.Buffered()) > 0 || c.body.Ended() }

// Close ends the exchange: c goes back to its pool if both messages are complete and nothing came behind
// them.
func (c *conn) Close() error {
	if c.answer == nil {
		return nil
	}
	if c.answer.Body == io.ReadCloser(c) {
		c.answer.Body = ended{} // the conn may serve another exchange from here on
	}
	sent := c.sender.finish()
	c.request.Abort.Detach()
	clean := sent && c.body.Ended() && c.parser.KeepAlive && len(c.rd.Buffered()) == 0 &&
		!c.request.Abort.Aborted()
	c.request, c.answer = nil, nil
	c.rd.Release()
	if !clean {
		c.discard()
		return nil
	}
	if cap(c.out) > maxKept {
		c.out = nil
	}
	if buf := c.rd.TakeBuffer(); cap(buf) <= maxKept {
		c.rd.SetBuffer(buf, 0)
	}
	c.backend.give(c, c.backend.t.now())
	return nil
}

// maxKept bounds each of the two buffers that an idle connection keeps.
const maxKept = 16 << 10

// ended is the body of an answer that is over.
type ended struct{}

func (ended) Read([]byte) (int, error) { return 0, io.EOF }
func (ended) Close() error             { return nil }
