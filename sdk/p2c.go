package sdk

// P2C draws two distinct backends by weight and takes the one with less load for its weight
// (Mitzenmacher: The Power of Two Choices in Randomized Load Balancing, IEEE TPDS 12, 2001). The
// first draw stands unless the second would carry less even with the request added.
type P2C struct {
	pair pairs
}

// Update takes in a table.
func (p *P2C) Update(b Backends) { p.pair.update(b) }

// Pick is the better of two, or -1.
func (p *P2C) Pick(r *Request) int {
	first, second := p.pair.draw(r)
	if second < 0 {
		return first
	}
	load := r.InFlight(first) // an idle one needs no comparison
	if load > 0 && p.pair.spread.lighter(second, r.InFlight(second), first, load) {
		return second
	}
	return first
}

// pairs draws two distinct backends.
type pairs struct {
	spread Weighted
	rand   Rand
}

func (p *pairs) update(b Backends) {
	p.spread.Update(b)
	p.rand = NewRand(b.Random())
}

// draw gives two distinct backends; the second is -1 if there is only one, and both if there is
// none. The first stays by weight: only the second is drawn again if they are the same.
func (p *pairs) draw(r *Request) (first, second int) {
	first = p.spread.draw(r, &p.rand, -1)
	if first < 0 {
		return -1, -1
	}
	if p.spread.Len() <= 2 {
		return first, p.spread.other(r, 0, first)
	}
	return first, p.spread.draw(r, &p.rand, first)
}
