package sdk

// LeastUtilization draws two distinct backends by weight and takes the one that reports the lower
// utilization for its weight (Mitzenmacher's two choices, IEEE TPDS 12, 2001). If one of them has
// reported nothing of late, or they are equal, load decides as for P2C.
type LeastUtilization struct {
	pair pairs
}

// Update takes in a table.
func (p *LeastUtilization) Update(b Backends) {
	p.pair.update(b)
	if b.Len() > 0 {
		b.Utilization(0) // the host reads reports only where they are asked for
	}
}

// Pick is the better of two, or -1.
func (p *LeastUtilization) Pick(r *Request) int {
	first := p.pair.first(r)
	if first < 0 {
		return -1
	}
	second := p.pair.second(r, first)
	if second < 0 {
		return first
	}
	if p.freer(r, second, first) {
		return second
	}
	return first
}

// freer reports whether a request should leave a for b.
func (p *LeastUtilization) freer(r *Request, b, a int) bool {
	spread := &p.pair.spread
	busyA, known := r.Utilization(a)
	if known {
		busyB, known := r.Utilization(b)
		costA, costB := uint64(busyA)*uint64(spread.share[b]), uint64(busyB)*uint64(spread.share[a])
		if known && costA != costB {
			return costB < costA
		}
	}
	loadA, loadB := p.pair.both(a, b)
	r.Loads(p.pair.loads[:])
	return spread.lighter(b, int(loadB.InFlight), a, int(loadA.InFlight))
}
