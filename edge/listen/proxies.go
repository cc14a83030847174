package listen

import (
	"errors"
	"net/netip"

	"github.com/wedge-lb/wedge/edge/proxyproto"
)

// A ProxyMode says when TCP connections begin with a PROXY header.
type ProxyMode uint8

// The modes.
const (
	ProxyOff      ProxyMode = iota // it is not looked for
	ProxyOptional                  // from trusted peers it is taken if it is there
	ProxyRequired                  // trusted peers must send one, others are refused at once
)

// Proxies are the peers that may say whom their TCP connections are from. A connection that is announced by a
// PROXY header counts for the announced address, which is its peer from then on; without one, or with one
// that gives no address (LOCAL, UNKNOWN), the peer's own counts. QUIC has no such header.
type Proxies struct {
	Mode    ProxyMode
	Trusted []netip.Prefix
}

// SetProxies replaces the proxies for connections from now on.
func (s *Server) SetProxies(p Proxies) { s.proxies.Store(&p) }

func (p *Proxies) trusts(a netip.Addr) bool {
	for _, t := range p.Trusted {
		if t.Contains(a) {
			return true
		}
	}
	return false
}

// enter counts a TCP connection in. One that may begin with a PROXY header does not count for an address yet:
// introduce sees to that.
func (s *Server) enter(k kind, peer netip.Addr, l *Limits) (announces, ok bool) {
	p := s.proxies.Load()
	trusted := p.Mode != ProxyOff && p.trusts(peer)
	switch {
	case trusted:
		return true, s.gate.enterUnnamed(k, l)
	case p.Mode == ProxyRequired:
		return false, false
	}
	return false, s.gate.enter(k, peer, l)
}

// leave counts c out.
func (c *tcpConn) leave() {
	gate := &c.front.server.gate
	if c.announces {
		gate.leaveUnnamed(c.front.kind())
		return
	}
	gate.leave(c.front.kind(), c.peer.Addr())
}

// introduce reads the PROXY header that c begins with. It is bounded as a handshake is, and is the beginning
// of one where there is TLS.
func (c *tcpConn) introduce() (ok bool) {
	s := c.front.server
	defer func() {
		if !ok || c.front.tls == nil {
			s.pending.end(c)
			c.socket.release()
		}
	}()
	if c.socket.bound(c.begun.Add(c.limits.HandshakeTimeout)) != nil {
		return false
	}
	h, err := c.socket.announcement()
	if errors.Is(err, proxyproto.ErrNone) && s.proxies.Load().Mode != ProxyRequired {
		err = nil
	}
	if err != nil {
		s.counters.proxyErrors.Add(1)
		s.opt.Logger.Debug("PROXY header refused", "peer", c.peer, "error", err)
		return false
	}
	if h.Source.IsValid() {
		c.peer = h.Source
	}
	if !s.gate.name(c.peer.Addr(), c.limits) {
		s.counters.refused.Add(1)
		return false
	}
	c.announces = false
	return true
}
