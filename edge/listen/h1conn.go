package listen

import (
	"crypto/tls"
	"net"
	"time"

	"github.com/wedge-lb/wedge/edge/http1"
	"github.com/wedge-lb/wedge/edge/proxy"
)

// lingerTime is how long a connection that is to be closed waits for its client to have read the answer.
const lingerTime = 2 * time.Second

// An h1Conn serves HTTP/1.1 on one connection, on the goroutine that calls serve: one exchange at a time, in
// order. It has buffers only while a request is in progress.
type h1Conn struct {
	conn   *tcpConn
	stream net.Conn // the socket, or TLS over it
	plain  *socket  // the socket if it is the stream
	in     http1.Reader
	parser http1.Parser
	body   h1Body
	reply  h1Reply
	x      proxy.Exchange
	one    [1]byte
	ahead  []byte    // received, but not seen by the Reader yet
	now    time.Time // when the request began
	rests  bool      // nothing has come for a while
}

func newH1Conn(c *tcpConn) *h1Conn {
	h := &h1Conn{conn: c, stream: c.stream}
	h.plain, _ = c.stream.(*socket)
	h.in.Reset((*h1Source)(h), nil)
	h.parser.Scheme = schemeHTTP
	if c.secure {
		h.parser.Scheme = schemeHTTPS
	}
	x := &h.x // field by field: a literal would be built on the stack first, which has to stay small
	x.Protocol, x.Secure, x.SNI, x.Guard = proxy.H1, c.secure, c.sni, c.guard
	x.Peer, x.Shard, x.Reply = c.peer, c.shard, &h.reply
	h.body.h, h.reply.h = h, h
	h.setLimits(c.limits)
	c.x.Store(&h.x)
	return h
}

var (
	schemeHTTP  = []byte("http")
	schemeHTTPS = []byte("https")
)

func (h *h1Conn) setLimits(l *Limits) {
	h.conn.limits = l
	h.parser = http1.Parser{Limits: l.wire(), Scheme: h.parser.Scheme}
	h.in.Max = l.HeaderBytes
	h.conn.socket.setPace(l)
}

// serve returns when the connection has ended, or is to rest: then nothing of h is needed any more.
func (h *h1Conn) serve() (rests bool) {
	defer h.giveBack()
	for h.await() && h.head() && h.exchange() {
		if l := h.server().limits.Load(); l != h.conn.limits {
			h.setLimits(l)
		}
	}
	return h.rests
}

func (h *h1Conn) server() *Server { return h.conn.front.server }

func (h *h1Conn) giveBack() {
	h.in.Release()
	putBuffer(h.in.Reset(nil, nil))
	h.reply.giveBack()
}

// await waits for the first byte of a request, without buffers. False is the end of the connection, or rest.
func (h *h1Conn) await() bool {
	h.in.Release()
	if h.now = h.x.Ended; h.now.IsZero() {
		h.now = time.Now()
	}
	h.x.Reset()
	c := h.conn
	if len(h.in.Buffered()) == 0 && !h.idle() {
		return !h.rests && h.close()
	}
	h.now = time.Now()
	c.since.Store(int64(h.now.Sub(c.begun)))
	return c.phase.CompareAndSwap(phaseBusy, phaseHead) || h.close()
}

func (h *h1Conn) idle() bool {
	c := h.conn
	if !c.phase.CompareAndSwap(phaseBusy, phaseIdle) || h.server().draining.Load() {
		return false
	}
	putBuffer(h.in.TakeBuffer())
	c.until = h.now.Add(c.limits.IdleTimeout)
	c.socket.readBy(h.now, c.limits.IdleTimeout)
	buf, n, err := h.first()
	if n > 0 {
		h.in.SetBuffer(buf)
		h.ahead = buf[:n]
		return c.phase.CompareAndSwap(phaseIdle, phaseBusy) ||
			c.nudged() && c.phase.CompareAndSwap(phaseNudged, phaseBusy)
	}
	h.rests = timedOut(err) && c.nudged()
	return false
}

// close ends the connection where nothing is on its way; it is false.
func (h *h1Conn) close() bool {
	h.stream.Close()
	return false
}

func (h *h1Conn) first() (buf []byte, n int, err error) {
	if h.plain != nil {
		return h.plain.first(&h.one)
	}
	return firstByte(h.stream, &h.one)
}

// h1Source is what the Reader reads from: what idle got, which is in the Reader's own buffer already, then
// the stream.
type h1Source h1Conn

func (s *h1Source) Read(p []byte) (int, error) {
	if len(s.ahead) > 0 {
		n := copy(p, s.ahead)
		s.ahead = s.ahead[n:]
		return n, nil
	}
	return s.stream.Read(p)
}

// head reads the head of a request into x. The time for it is kept by tcpConn.look; only a head that needs
// several reads has a deadline of its own.
func (h *h1Conn) head() bool {
	for fills := 0; ; fills++ {
		n, err := h.parser.Request(h.in.Buffered(), &h.x.Request)
		if err == nil {
			h.in.Pin(n)
			return true
		}
		if err != http1.ErrIncomplete {
			return h.refuse(err)
		}
		if fills == 2 { // the first gave what was waited for, the second the rest of its record
			h.conn.socket.readBy(h.now, h.conn.limits.HeaderTimeout)
		}
		if err := h.in.Fill(); err != nil {
			return h.noHead(err)
		}
	}
}

// noHead ends a connection whose client left, or was too slow, in the middle of a head.
func (h *h1Conn) noHead(err error) bool {
	switch {
	case err == http1.ErrBufferFull:
		return h.refuse(&http1.Error{Status: 431, Reason: "head too large"})
	case timedOut(err) || err == errInterrupted:
		h.server().counters.timedOut.Add(1)
		return h.refuse(&http1.Error{Status: 408, Reason: "head too slow"})
	}
	return h.close()
}

// refuse answers what the parser did not take, and ends the connection.
func (h *h1Conn) refuse(err error) bool {
	status := 400
	if e, ok := err.(*http1.Error); ok {
		status = e.Status
	}
	h.server().counters.badRequests.Add(1)
	h.reply.refuse(status)
	return h.hangUp()
}

// hangUp ends the connection so that the client sees the answer sent before.
func (h *h1Conn) hangUp() bool {
	if c, ok := h.stream.(*tls.Conn); ok {
		c.CloseWrite()
	}
	h.conn.socket.CloseWrite()
	h.conn.socket.linger(lingerTime)
	return h.close()
}

// exchange has the request answered; it is true if another may follow on the connection.
func (h *h1Conn) exchange() bool {
	c := h.conn
	defer h.body.giveBack()
	h.body.start()
	h.reply.start()
	if !c.phase.CompareAndSwap(phaseHead, phaseServing) {
		return h.close()
	}
	h.server().opt.Handler.Serve(&h.x)
	return h.settle() && c.phase.CompareAndSwap(phaseServing, phaseBusy)
}

// settle brings the connection to the end of the exchange.
func (h *h1Conn) settle() bool {
	r := &h.reply
	switch {
	case r.tunnel != nil:
		r.tunnel.wait()
		return false
	case r.state != replyEnded:
		r.Cut() // or else the client might take it for complete
		return false
	case h.body.drained():
		h.conn.socket.pace(false)
		return !r.closing || h.hangUp()
	}
	return h.hangUp()
}
