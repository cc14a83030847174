package sdk

// LeastLatency draws two distinct backends by weight and takes the one with the lower product of
// latency and load for its weight: the peak-EWMA cost of Finagle, over two choices so that the
// fastest backend is not flooded. A backend without a latency yet is tried while it is idle;
// otherwise the two are compared by load alone.
type LeastLatency struct {
	pair pairs
}

// Update takes in a table.
func (p *LeastLatency) Update(b Backends) { p.pair.update(b) }

// Pick is the better of two, or -1.
func (p *LeastLatency) Pick(r *Request) int {
	first := p.pair.first(r)
	if first < 0 {
		return -1
	}
	second := p.pair.second(r, first)
	if second < 0 {
		return first
	}
	a, b := p.pair.both(first, second)
	if r.Loads(p.pair.loads[:]); p.faster(b, a) {
		return second
	}
	return first
}

// faster reports whether a request should leave a for b.
func (p *LeastLatency) faster(b, a *Load) bool {
	spread := &p.pair.spread
	switch {
	case a.Latency > 0 && b.Latency > 0: // costs are compared without a division
		costA := float64(a.Latency) * float64(a.InFlight+1) * float64(spread.share[b.Backend])
		costB := float64(b.Latency) * float64(b.InFlight+1) * float64(spread.share[a.Backend])
		return costB < costA
	case a.Latency > 0 && b.InFlight == 0: // b is new and idle
		return true
	}
	return spread.lighter(int(b.Backend), int(b.InFlight), int(a.Backend), int(a.InFlight))
}
