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
	"sync/atomic"
	"time"

	"github.com/wedge-lb/wedge/edge/proxy"
)

// lookAfter is how long a request may take before its client is looked after.
const lookAfter = time.Second

// What an h1 connection is doing, as others may see and change it.
const (
	phaseBusy    uint32 = iota // handshake, or ending an exchange
	phaseIdle                  // between two requests; may be dismissed
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

	phase atomic.Uint32
	since atomic.Int64                   // ns from begun to when phaseHead was entered
	x     atomic.Pointer[proxy.Exchange] // of h1
	begun time.Time

	prev, next *tcpConn // of handshakes, under its mu
	listed     bool
}

func newTCPConn(f *tcpFront, c net.Conn, peer netip.AddrPort, l *Limits) *tcpConn {
	return &tcpConn{front: f, limits: l, socket: newSocket(c, l), peer: peer, shard: f.server.shard.Add(1),
		begun: time.Now()}
}

func (c *tcpConn) serve() {
	defer c.end()
	if c.front.tls == nil {
		c.serveH1(c.socket, nil)
		return
	}
	t := tls.Server(c.socket, c.front.tls)
	if !c.handshake(t) {
		c.front.server.counters.handshakeErrors.Add(1)
		return
	}
	switch state := t.ConnectionState(); {
	case state.NegotiatedProtocol == acmeProtocol:
		t.Close()
	case state.NegotiatedProtocol == "h2":
		c.front.server.h2.serve(c, t)
	case c.front.server.opt.Protocols&H1 != 0:
		c.serveH1(t, &state)
	}
}

func (c *tcpConn) serveH1(stream net.Conn, state *tls.ConnectionState) {
	c.front.server.counters.h1.Add(1)
	h := newH1Conn(c, stream, state)
	c.x.Store(&h.x)
	h.serve()
}

// end closes the connection and accounts for it. A panic of the Handler, or ours, ends this connection only.
func (c *tcpConn) end() {
	s := c.front.server
	if cause := recover(); cause != nil {
		s.counters.panics.Add(1)
		s.opt.Logger.Error("connection panicked", "cause", cause, "stack", string(debug.Stack()))
	}
	c.socket.Close()
	c.front.remove(c)
	s.gate.leave(c.front.kind(), c.peer.Addr())
}

// handshake is bounded in time, and by those that begin after it.
func (c *tcpConn) handshake(t *tls.Conn) bool {
	defer c.front.server.pending.end(c)
	if c.socket.bound(time.Now().Add(c.limits.HandshakeTimeout)) != nil {
		return false
	}
	err := t.HandshakeContext(context.Background())
	c.socket.release()
	return err == nil
}

// dismiss ends c if it is between two requests.
func (c *tcpConn) dismiss() {
	if c.phase.CompareAndSwap(phaseIdle, phaseLeaving) {
		c.socket.Interrupt()
	}
}

// sever ends c whatever it does.
func (c *tcpConn) sever() {
	c.phase.Store(phaseLeaving)
	c.socket.Close()
	if x := c.x.Load(); x != nil {
		x.Abort.Abort()
	}
}

// look ends what takes too long: a head, and an exchange whose client is gone. Deadlines of these two would
// have to be set and taken back with each request.
func (c *tcpConn) look(now time.Time) {
	phase, since := c.phase.Load(), c.since.Load()
	passed := now.Sub(c.begun) - time.Duration(since)
	switch {
	case phase == phaseHead && passed > c.front.server.limits.Load().HeaderTimeout:
		c.socket.Interrupt()
	case phase == phaseServing && passed > lookAfter && c.socket.gone():
		c.abandon()
	}
}

// abandon aborts the exchange. If it is the next one already, its client is gone as well.
func (c *tcpConn) abandon() {
	if x := c.x.Load(); !x.Abort.Aborted() {
		c.front.server.counters.abandoned.Add(1)
		x.Abort.Abort()
	}
}

// serverName is the SNI in the form that exchanges carry.
func serverName(state *tls.ConnectionState) string {
	if state == nil {
		return ""
	}
	return strings.ToLower(state.ServerName)
}

// guard is what the handshake of a connection stands for.
func (s *Server) guard(state *tls.ConnectionState, local net.Addr) proxy.Guard {
	if s.opt.Guard == nil {
		return nil
	}
	return s.opt.Guard(state, local)
}

// timedOut tells whether err is a deadline's.
func timedOut(err error) bool { return errors.Is(err, os.ErrDeadlineExceeded) }
