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
	first, second := p.pair.draw(r)
	if second >= 0 && p.faster(r, second, first) {
		return second
	}
	return first
}

// faster reports whether a request should leave a for b.
func (p *LeastLatency) faster(r *Request, b, a int) bool {
	slowA, slowB := float64(r.Latency(a)), float64(r.Latency(b))
	if slowA == 0 || slowB == 0 {
		return slowB == 0 && slowA != 0 && r.InFlight(b) == 0 || p.unknown(r, b, a, slowA == 0)
	}
	share := p.pair.spread.share
	costA := slowA * float64(r.InFlight(a)+1) / float64(share[a])
	costB := slowB * float64(r.InFlight(b)+1) / float64(share[b])
	return costB < costA
}

func (p *LeastLatency) unknown(r *Request, b, a int, newA bool) bool {
	if newA && r.InFlight(a) == 0 {
		return false
	}
	return p.pair.spread.less(r, b, a)
}
