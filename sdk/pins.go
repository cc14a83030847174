package sdk

// Pins honours affinity tokens: a pinned client keeps its backend while that is ready or draining.
type Pins struct {
	open []bool
}

// Update takes in a table.
func (p *Pins) Update(b Backends) {
	p.open = resize(p.open, b.Len())
	for i := range p.open {
		p.open[i] = b.Open(i)
	}
}

// Pick is the backend the client is pinned to, or -1 if there is none or it cannot be used.
func (p *Pins) Pick(r *Request) int {
	i, ok := r.Pinned()
	if !ok || i >= len(p.open) || !p.open[i] || r.Excludes(i) {
		return -1
	}
	return i
}
