package sdk

// Random draws a usable backend by weight.
type Random struct {
	spread Weighted
	rand   Rand
}

// Update takes in a table.
func (p *Random) Update(b Backends) {
	p.spread.Update(b)
	p.rand = NewRand(b.Random())
}

// Pick is a random backend, or -1.
func (p *Random) Pick(r *Request) int { return p.spread.draw(r, &p.rand, -1) }
