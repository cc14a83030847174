package sdk

// P2C draws two distinct backends by weight and takes the one with less load for its weight
// (Mitzenmacher: The Power of Two Choices in Randomized Load Balancing, IEEE TPDS 12, 2001). The
// first draw stands unless the second would carry less even with the request added.
//
// A pick is one call to the host: for the first alone after a pick that found an idle one, for both
// otherwise.
type P2C struct {
	pair pairs
	idle bool // the first of the last pick was
}

// Update takes in a table.
func (p *P2C) Update(b Backends) { p.pair.update(b) }

// Pick is the better of two, or -1.
func (p *P2C) Pick(r *Request) int {
	first := p.pair.first(r)
	if first < 0 {
		return -1
	}
	if p.idle && r.InFlight(first) == 0 { // an idle one needs no comparison
		return first
	}
	second := p.pair.second(r, first)
	if second < 0 {
		return first
	}
	a, b := p.pair.both(first, second)
	r.Loads(p.pair.loads[:])
	if p.idle = a.InFlight == 0; p.pair.spread.lighter(second, int(b.InFlight), first, int(a.InFlight)) {
		return second
	}
	return first
}

// pairs draws two distinct backends.
type pairs struct {
	spread Weighted
	rand   Rand
	loads  [2]Load
}

func (p *pairs) update(b Backends) {
	p.spread.Update(b)
	p.rand = NewRand(b.Random())
}

// first is a backend drawn by weight, or -1.
func (p *pairs) first(r *Request) int { return p.spread.draw(r, &p.rand, -1) }

// second is another one than first, or -1. The first stays by weight: only the second is drawn
// again if they are the same.
func (p *pairs) second(r *Request, first int) int {
	if p.spread.Len() <= 2 {
		return p.spread.other(r, 0, first)
	}
	return p.spread.draw(r, &p.rand, first)
}

// both makes two backends the loads to ask for.
func (p *pairs) both(first, second int) (a, b *Load) {
	a, b = &p.loads[0], &p.loads[1]
	a.Backend, b.Backend = uint32(first), uint32(second)
	return a, b
}
