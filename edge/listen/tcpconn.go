package listen

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"os"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wedge-lb/wedge/edge/proxy"
)

const (
	// lookAfter is how long a request may take before its client is looked after.
	lookAfter = time.Second
	// restAfter is how long after a request began a connection that is idle is put to rest.
	restAfter = 2 * time.Second
)

// What an h1 connection is doing, as others may see and change it.
const (
	phaseBusy    uint32 = iota // handshake, or ending an exchange
	phaseIdle                  // between two requests; may be dismissed, or nudged
	phaseNudged                // to be put to rest
	phaseResting               // idle, with as little memory as can be; may be dismissed
	phaseHead                  // a head has begun
	phaseServing               // the Handler has the exchange
	phaseLeaving               // dismissed or severed
)

// A tcpConn is one connection from accept to close.
type tcpConn struct {
	front  *tcpFront
	limits *Limits
	socket *socket
	peer   netip.AddrPort
	shard  uint32

	announces bool // a PROXY header may have to be read; until then it counts for no address

	// Of h1, once it is clear that it is spoken.
	stream net.Conn // the socket, or TLS over it
	secure bool
	sni    string
	guard  proxy.Guard

	phase atomic.Uint32
	since atomic.Int64                   // ns from begun to when phaseHead was entered
	x     atomic.Pointer[proxy.Exchange] // nil when there is none
	h2    atomic.Pointer[h2Conn]         // nil if h2 is not spoken
	begun time.Time
	until time.Time  // when it has been idle for too long
	nudge sync.Mutex // held while a nudge is given

	prev, next *tcpConn // of handshakes, under its mu
	listed     bool
}

func newTCPConn(f *tcpFront, c net.Conn, peer netip.AddrPort, l *Limits) *tcpConn {
	return &tcpConn{front: f, limits: l, socket: newSocket(c, l), peer: peer, shard: f.server.shard.Add(1),
		begun: time.Now()}
}

// serve sees to c from accept on.
func (c *tcpConn) serve() { c.run(c.open) }

// resume sees to a c that is at rest.
func (c *tcpConn) resume() { c.run(c.rest) }

// run ends the connection after step, or puts it to rest if step says so: on a new goroutine, whose stack has
// not grown yet. A panic of the Handler, or ours, ends this connection only.
func (c *tcpConn) run(step func() (rests bool)) {
	rests := false
	defer func() {
		if rests {
			c.front.wg.Go(c.resume)
			return
		}
		c.end(recover())
	}()
	rests = step()
}

func (c *tcpConn) end(cause any) {
	s := c.front.server
	if cause != nil {
		s.counters.panics.Add(1)
		s.opt.Logger.Error("connection panicked", "cause", cause, "stack", string(debug.Stack()))
	}
	c.socket.Close()
	c.front.remove(c)
	c.leave()
}

func (c *tcpConn) open() (rests bool) {
	if c.announces && !c.introduce() {
		return false
	}
	c.stream = c.socket
	if c.front.tls == nil {
		c.front.server.counters.h1.Add(1)
		return newH1Conn(c).serve()
	}
	t := tls.Server(c.socket, c.front.tls)
	if !c.handshake(t) {
		c.front.server.counters.handshakeErrors.Add(1)
		return false
	}
	switch state := t.ConnectionState(); {
	case state.NegotiatedProtocol == acmeProtocol:
		t.Close()
	case state.NegotiatedProtocol == "h2":
		newH2Conn(c, t).serve()
	case c.front.server.opt.Protocols&H1 != 0:
		c.stream, c.secure, c.sni = t, true, serverName(&state)
		c.guard = c.front.server.guard(&state, t.LocalAddr())
		c.front.server.counters.h1.Add(1)
		return newH1Conn(c).serve()
	}
	return false
}

// rest waits for the client without a buffer, a request or much of a stack, for as long as it may be idle.
func (c *tcpConn) rest() (rests bool) {
	c.x.Store(nil)
	c.socket.readBy(time.Now(), max(time.Until(c.until), time.Millisecond))
	if !c.phase.CompareAndSwap(phaseNudged, phaseResting) || c.socket.wait() != nil ||
		!c.phase.CompareAndSwap(phaseResting, phaseBusy) {
		c.stream.Close()
		return false
	}
	return newH1Conn(c).serve()
}

// handshake is bounded in time, and by those that begin after it.
func (c *tcpConn) handshake(t *tls.Conn) bool {
	defer c.front.server.pending.end(c)
	if c.socket.bound(c.begun.Add(c.limits.HandshakeTimeout)) != nil {
		return false
	}
	err := t.HandshakeContext(context.Background())
	c.socket.release()
	return err == nil
}

// dismiss ends c if it is between two requests. It may be called again, and has to for h2.
func (c *tcpConn) dismiss() {
	if h := c.h2.Load(); h != nil {
		h.drain()
		return
	}
	for _, idle := range [...]uint32{phaseIdle, phaseNudged, phaseResting} {
		if c.phase.CompareAndSwap(idle, phaseLeaving) {
			c.socket.Interrupt()
		}
	}
}

// sever ends c whatever it does.
func (c *tcpConn) sever() {
	c.phase.Store(phaseLeaving)
	if x := c.x.Load(); x != nil {
		x.Abort.Abort() // first: the close may have to wait for the exchange
	}
	c.socket.Close()
}

// look ends what takes too long: a head, and an exchange whose client is gone. Deadlines of these two would
// have to be set and taken back with each request. It also puts to rest what is idle. ask
// lets it spend a system call.
func (c *tcpConn) look(now time.Time, ask bool) {
	if h := c.h2.Load(); h != nil {
		h.look(now)
		return
	}
	phase, since := c.phase.Load(), c.since.Load()
	passed := now.Sub(c.begun) - time.Duration(since)
	switch {
	case phase == phaseHead && passed > c.front.server.limits.Load().HeaderTimeout:
		c.socket.Interrupt()
	case phase == phaseServing && passed > lookAfter && ask && c.socket.gone():
		c.abandon()
	case phase == phaseIdle && passed > restAfter && c.socket.waits():
		c.wake()
	}
}

// wake makes the read of an idle connection return, so that it goes to rest.
func (c *tcpConn) wake() {
	c.nudge.Lock()
	defer c.nudge.Unlock()
	if c.phase.CompareAndSwap(phaseIdle, phaseNudged) {
		c.socket.Conn.SetReadDeadline(time.Unix(1, 0))
	}
}

// nudged tells whether wake was called, and makes the socket usable again.
func (c *tcpConn) nudged() bool {
	if c.phase.Load() != phaseNudged {
		return false
	}
	c.nudge.Lock() // wake may not have touched the deadline yet
	defer c.nudge.Unlock()
	c.socket.SetReadDeadline(time.Now().Add(c.limits.HeaderTimeout)) // of a head that came with the nudge
	return true
}

// lookAtOnce ends an exchange that waits in a queue if its client is gone.
func (c *tcpConn) lookAtOnce() {
	if c.phase.Load() == phaseServing && c.socket.gone() {
		c.abandon()
	}
}

// abandon aborts the exchange. If it is the next one already, its client is gone as well.
func (c *tcpConn) abandon() {
	if x := c.x.Load(); x != nil && !x.Abort.Aborted() {
		c.front.server.counters.abandoned.Add(1)
		x.Abort.Abort()
	}
}

// serverName is the SNI in the form that exchanges carry.
func serverName(state *tls.ConnectionState) string { return strings.ToLower(state.ServerName) }

// guard is what the handshake of a connection stands for.
func (s *Server) guard(state *tls.ConnectionState, local net.Addr) proxy.Guard {
	if s.opt.Guard == nil {
		return nil
	}
	return s.opt.Guard(state, local)
}

// timedOut tells whether err is a deadline's.
func timedOut(err error) bool { return errors.Is(err, os.ErrDeadlineExceeded) }
