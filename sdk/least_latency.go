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
	if second := p.pair.second(r, first); second >= 0 && p.faster(r, second, first) {
		return second
	}
	return first
}

// faster reports whether a request should leave a for b.
func (p *LeastLatency) faster(r *Request, b, a int) bool {
	slowA, slowB := float64(r.Latency(a)), float64(r.Latency(b))
	loadA, loadB := r.InFlight(a), r.InFlight(b)
	spread := &p.pair.spread
	switch {
	case slowA > 0 && slowB > 0:
		costA := slowA * float64(loadA+1) / float64(spread.share[a])
		costB := slowB * float64(loadB+1) / float64(spread.share[b])
		return costB < costA
	case slowA > 0 && loadB == 0: // b is new and idle
		return true
	}
	return spread.lighter(b, loadB, a, loadA)
}
