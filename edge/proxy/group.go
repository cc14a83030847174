package proxy

import (
	"net/netip"

	"github.com/wedge-lb/wedge/edge/affinity"
)

// A Group is the pools that one route shares its clients among. It is immutable.
type Group struct {
	members  []*Route
	weights  []uint64 // running total
	failover []*Route
}

// NewGroup makes a group of routes, each to one pool, that share clients by weight; one of weight 0 keeps those
// that are pinned in its pool. failover stand in, in order, while no member has a backend.
func NewGroup(members []*Route, weights []uint64, failover []*Route) *Group {
	g := &Group{members: members, failover: failover}
	var total uint64
	for _, w := range weights {
		total += w
		g.weights = append(g.weights, total)
	}
	return g
}

// follow finds the client's pin, takes what carries it out of the request and, of a route to several pools,
// settles on one: the one that has the pin, or the client's share. While the one with the pin has no backend,
// others stand in, if they have any.
func (x *Exchange) follow() {
	g := x.route.Group
	if g == nil {
		x.takePin()
		return
	}
	home, at := x.home(g), g.share(x.pick.ClientIP)
	if home != nil && (home.open() || !at.open()) {
		x.route = home
		return
	}
	if home != nil {
		x.leavePool(home)
	}
	x.route = at
	x.findSession()
}

// home is the route whose pool has the client's pin, nil if none has. It reads the pin and takes out the tokens
// of all pools, the one that counts first: they may share a name for what carries them.
func (x *Exchange) home(g *Group) *Route {
	home := x.latest(g)
	x.token.Reset()
	if x.route = home; home != nil {
		x.takePin()
	}
	for r := range g.all {
		if r != home {
			x.route = r
			x.dropTokens()
		}
	}
	return home
}

// latest is the route whose pool has the client's session or, if none has, the token that was made last: of one
// who had to move to another pool, the token of the pool before may come along for long.
func (x *Exchange) latest(g *Group) (home *Route) {
	var made int64
	for r := range g.all {
		x.route = r
		switch found := x.findPin(); {
		case found && x.session.Known:
			return r
		case found && (home == nil || x.token.Made() > made):
			home, made = r, x.token.Made()
		}
	}
	return home
}

// A departure is how a client came to be served by another pool than the one that has its pin.
type departure struct {
	from    *Route // nil = it is where it belongs, or is pinned nowhere
	loss    affinity.Loss
	session affinity.Session
}

// leavePool notes that the client's pool home, whose pin x has read, has no backend.
func (x *Exchange) leavePool(home *Route) {
	l := affinity.Down
	if b, _ := x.pinned(home.Pool.Set()); b == nil {
		l = affinity.Unknown
	}
	x.left = departure{home, l, x.session}
	x.token.Leave()
}

func (g *Group) all(yield func(*Route) bool) {
	for _, list := range [2][]*Route{g.members, g.failover} {
		for _, r := range list {
			if !yield(r) {
				return
			}
		}
	}
}

// share is the client's pool. While it has no backend, its clients alone go to others.
func (g *Group) share(client netip.Addr) *Route {
	h := hashClient(client)
	if r := g.members[search(g.weights, h%g.weights[len(g.weights)-1])]; r.open() {
		return r
	}
	if r := g.another(h); r != nil {
		return r
	}
	for _, r := range g.failover {
		if r.open() {
			return r
		}
	}
	return g.members[0]
}

// another is a member that has a backend, by weight; nil if none has.
func (g *Group) another(h uint64) *Route {
	var total, before uint64
	for i, r := range g.members {
		if r.open() {
			total += g.weights[i] - before
		}
		before = g.weights[i]
	}
	if total == 0 {
		return nil
	}
	at := mix(h) % total
	before = 0
	for i, r := range g.members {
		weight := g.weights[i] - before
		before = g.weights[i]
		if !r.open() {
			continue
		}
		if at < weight {
			return r
		}
		at -= weight
	}
	return nil
}

// open tells whether r's pool has a backend for a new request.
func (r *Route) open() bool { return r.Pool.Set().Open() > 0 }

// search is the first place whose running total is over at.
func search(totals []uint64, at uint64) int {
	for i, t := range totals {
		if at < t {
			return i
		}
	}
	return len(totals) - 1
}

// hashClient is the same on every edge; of an IPv6 address the network's half counts, as hosts change the
// other by themselves (RFC 8981).
func hashClient(a netip.Addr) uint64 {
	b := a.As16()
	if a.Is6() && !a.Is4In6() {
		clear(b[8:])
	}
	h := uint64(14695981039346656037) // FNV-1a
	for _, c := range b {
		h = (h ^ uint64(c)) * 1099511628211
	}
	return mix(h)
}

// mix spreads the bits (the finalizer of MurmurHash3).
func mix(h uint64) uint64 {
	h = (h ^ h>>33) * 0xff51afd7ed558ccd
	h = (h ^ h>>33) * 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}
