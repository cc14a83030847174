package listen

import (
	"net/netip"
	"sync"
	"sync/atomic"
)

const gateShards = 16

// A gate counts connections, in all and by address, and refuses those over the limits. It is safe for
// concurrent use.
type gate struct {
	open   [kinds]atomic.Int64
	total  atomic.Int64
	shards [gateShards]gateShard
}

type gateShard struct {
	mu        sync.Mutex
	addresses map[netip.Prefix]int
}

// A kind is what a connection arrived by.
type kind uint8

const (
	plainTCP kind = iota
	tlsTCP
	overQUIC
	kinds
)

// enter counts a connection in; if it is true, leave must follow.
func (g *gate) enter(k kind, peer netip.Addr, l *Limits) bool {
	if !g.enterUnnamed(k, l) {
		return false
	}
	if !g.name(peer, l) {
		g.leaveUnnamed(k)
		return false
	}
	return true
}

func (g *gate) leave(k kind, peer netip.Addr) {
	g.shard(peer).leave(network(peer))
	g.leaveUnnamed(k)
}

// enterUnnamed counts a connection in whose address is yet to be told. If it is true, leaveUnnamed must
// follow, or name and leave.
func (g *gate) enterUnnamed(k kind, l *Limits) bool {
	if g.total.Add(1) > int64(l.Connections) {
		g.total.Add(-1)
		return false
	}
	g.open[k].Add(1)
	return true
}

// name counts an unnamed connection for its address. If it is false, nothing has changed.
func (g *gate) name(peer netip.Addr, l *Limits) bool {
	return g.shard(peer).enter(network(peer), l.ConnectionsPerAddress)
}

func (g *gate) leaveUnnamed(k kind) {
	g.open[k].Add(-1)
	g.total.Add(-1)
}

// network is what counts as one address: an IPv6 client has a /64 to choose from (RFC 6177).
func network(a netip.Addr) netip.Prefix {
	a = a.Unmap()
	bits := 32
	if a.Is6() {
		bits = 64
	}
	p, err := a.WithZone("").Prefix(bits)
	if err != nil { // the zero Addr: sockets that are not of the internet share one count
		return netip.Prefix{}
	}
	return p
}

func (g *gate) shard(a netip.Addr) *gateShard {
	b := network(a).Addr().As16()
	h := uint32(2166136261) // FNV-1a
	for _, c := range b {
		h = (h ^ uint32(c)) * 16777619
	}
	return &g.shards[h%gateShards]
}

func (s *gateShard) enter(p netip.Prefix, most int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.addresses == nil {
		s.addresses = map[netip.Prefix]int{}
	}
	if s.addresses[p] >= most {
		return false
	}
	s.addresses[p]++
	return true
}

func (s *gateShard) leave(p netip.Prefix) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.addresses[p]--; s.addresses[p] == 0 {
		delete(s.addresses, p)
	}
}
