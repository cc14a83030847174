package sdk

// LeastLoad takes the backend with the fewest requests in flight for its weight. It looks at all
// of up to 16 backends; of more it looks at a weighted draw and at one of each of 16 equal parts,
// so that a pick costs the same for 16 and for 2,000 (Mitzenmacher's d choices, IEEE TPDS 12, 2001).
type LeastLoad struct {
	pair pairs
}

// leastLoadLooks is the number of backends a pick looks at, beside the draw by weight.
const leastLoadLooks = 16

// Update takes in a table.
func (p *LeastLoad) Update(b Backends) { p.pair.update(b) }

// Pick is the least loaded backend, or -1. Among equals the draw by weight decides.
func (p *LeastLoad) Pick(r *Request) int {
	spread := &p.pair.spread
	best := p.pair.first(r)
	if best < 0 {
		return -1
	}
	load, n := r.InFlight(best), spread.Len()
	if load == 0 || n == 1 {
		return best
	}
	looks := min(n, leastLoadLooks)
	for part := range looks {
		from, to := part*n/looks, (part+1)*n/looks
		next := int(spread.members[from+p.pair.rand.IntN(to-from)])
		if next == best || r.Excludes(next) {
			continue
		}
		if l := r.InFlight(next); spread.lighter(next, l, best, load) {
			best, load = next, l
		}
	}
	return best
}
