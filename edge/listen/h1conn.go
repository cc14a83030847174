package listen

import (
	"crypto/tls"
	"net"
	"os"
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
	onTurn func() bool // turn, bound once
	stage  uint8       // how far turn came with a request
	bad    error       // why turn could not parse it
	one    [1]byte
	now    time.Time // when the request began
	rests  bool      // nothing has come for a while
}

// How far turn came with a request.
const (
	stageNone   uint8 = iota
	stageBegun        // a part of its head is there
	stageParsed       // its head was read
	stageServed       // the Handler has returned
)

func newH1Conn(c *tcpConn) *h1Conn {
	h := &h1Conn{conn: c, stream: c.stream}
	h.plain, _ = c.stream.(*socket)
	h.in.Reset(c.stream, nil)
	h.onTurn = h.turn
	h.parser.Scheme = schemeHTTP
	if c.secure {
		h.parser.Scheme = schemeHTTPS
	}
	x := &h.x // field by field: a literal would be built on the stack first, which has to stay small
	x.Protocol, x.Secure, x.SNI, x.Guard = proxy.H1, c.secure, c.sni, c.guard
	x.Peer, x.Shard, x.Reply = c.peer, c.shard, &h.reply
	x.Local = addrPort(c.socket.LocalAddr())
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

// await waits until a request has begun, without buffers. False is the end of the connection, or rest.
func (h *h1Conn) await() bool {
	h.clear()
	if len(h.in.Buffered()) == 0 && !h.idle() {
		return !h.rests && h.close()
	}
	return h.stage > stageNone || h.begin() || h.close()
}

// clear ends what there was of the exchange before.
func (h *h1Conn) clear() {
	h.stage = stageNone
	h.in.Release()
	if h.now = h.x.Ended; h.now.IsZero() {
		h.now = time.Now()
	}
	h.x.Reset()
}

// begin makes what came the beginning of a request.
func (h *h1Conn) begin() bool {
	c := h.conn
	h.now = time.Now()
	c.since.Store(int64(h.now.Sub(c.begun)))
	if !c.phase.CompareAndSwap(phaseBusy, phaseHead) {
		return false
	}
	h.stage, h.x.Begun = stageBegun, h.now
	return true
}

// idle waits for the client. It is true when something came, which turn may have served in part.
func (h *h1Conn) idle() bool {
	if !h.relax() {
		return false
	}
	var err error
	if h.conn.socket.stands() {
		err = h.conn.socket.stand(h.onTurn)
	} else {
		err = h.first()
	}
	if h.stage > stageNone || len(h.in.Buffered()) > 0 {
		return true
	}
	h.rests = timedOut(err) && h.conn.nudged()
	return false
}

// relax makes the connection an idle one. It is false if it is to end instead.
func (h *h1Conn) relax() bool {
	c := h.conn
	if !c.phase.CompareAndSwap(phaseBusy, phaseIdle) || h.server().draining.Load() {
		return false
	}
	putBuffer(h.in.TakeBuffer())
	c.until = h.now.Add(c.limits.IdleTimeout)
	c.socket.readBy(h.now, c.limits.IdleTimeout)
	return true
}

// wakes makes an idle connection, to which something came, a busy one.
func (h *h1Conn) wakes() bool {
	c := h.conn
	return c.phase.CompareAndSwap(phaseIdle, phaseBusy) ||
		c.nudged() && c.phase.CompareAndSwap(phaseNudged, phaseBusy)
}

// close ends the connection where nothing is on its way; it is false.
func (h *h1Conn) close() bool {
	h.stream.Close()
	return false
}

// first waits for the first byte of a request.
func (h *h1Conn) first() error {
	buf, n, err := firstByte(h.stream, &h.one)
	if n > 0 {
		h.in.SetBuffer(buf, n)
		if !h.wakes() {
			h.in.Discard(n)
		}
	}
	return err
}

// turn serves what has come to an idle connection as far as that needs no waiting for the client. It is true
// if the connection is idle again. It runs as socket.stand's step.
func (h *h1Conn) turn() (idle bool) {
	for {
		if err := h.receive(); err != nil {
			return timedOut(err)
		}
		if !h.wakes() || !h.begin() || !h.simple() || !h.serveOne() || !h.simplyEnded() {
			return false
		}
		h.clear()
		if len(h.in.Buffered()) > 0 || !h.relax() {
			return false
		}
	}
}

// receive takes a buffer for what has come, if anything has.
func (h *h1Conn) receive() error {
	if h.plain != nil && h.plain.isDry() {
		return os.ErrDeadlineExceeded
	}
	buf := getBuffer()
	n, err := h.stream.Read(buf)
	if n == 0 {
		putBuffer(buf)
		return err
	}
	h.in.SetBuffer(buf, n)
	return nil
}

// simple tells whether a whole request has come that has no body and no more.
func (h *h1Conn) simple() bool {
	n, err := h.parser.Request(h.in.Buffered(), &h.x.Request)
	if err != nil {
		h.bad = err
		return false
	}
	h.in.Pin(n)
	h.stage = stageParsed
	return h.parser.Framing == http1.None && h.x.Request.Upgrade == nil
}

// simplyEnded ends an exchange that leaves nothing to do; false changes nothing.
func (h *h1Conn) simplyEnded() bool {
	return h.reply.state == replyEnded && !h.reply.closing && h.conn.limits == h.server().limits.Load() &&
		h.conn.phase.CompareAndSwap(phaseServing, phaseBusy)
}

// head reads the head of a request into x. The time for it is kept by tcpConn.look; only a head that needs
// several reads has a deadline of its own.
func (h *h1Conn) head() bool {
	if h.stage >= stageParsed {
		return true
	}
	if h.bad != nil && h.bad != http1.ErrIncomplete {
		return h.refuse(h.bad)
	}
	for fills := 0; ; fills++ {
		n, err := h.parser.Request(h.in.Buffered(), &h.x.Request)
		if err == nil {
			h.in.Pin(n)
			if fills > 1 {
				h.x.Begun = time.Now()
			}
			return true
		}
		if err != http1.ErrIncomplete {
			if fills > 0 && tooLarge(err) { // fields may lie where the buffer was before
				h.parser.Partial(h.in.Buffered(), &h.x.Request)
			}
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
		h.parser.Partial(h.in.Buffered(), &h.x.Request)
		return h.refuse(errSlowHead)
	}
	return h.close()
}

// refuse answers what the parser did not take, and ends the connection.
func (h *h1Conn) refuse(err error) bool {
	h.reply.start()
	h.reply.closing = true
	h.server().refuse(&h.x, refusal(err))
	if h.reply.state != replyEnded {
		h.reply.Cut()
		return h.close()
	}
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
	defer h.body.giveBack()
	if h.stage < stageServed && !h.serveOne() {
		return h.close()
	}
	return h.settle() && h.conn.phase.CompareAndSwap(phaseServing, phaseBusy)
}

// serveOne hands the exchange to the Handler. It is false if the connection is to end first.
func (h *h1Conn) serveOne() bool {
	h.body.start()
	h.reply.start()
	if !h.conn.phase.CompareAndSwap(phaseHead, phaseServing) {
		return false
	}
	h.server().opt.Handler.Serve(&h.x)
	h.stage = stageServed
	return true
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
