package sdk

// LeastLoad takes the backend with the fewest requests in flight for its weight. It looks at all
// of up to 16 backends; of more it looks at a weighted draw and at one of each of 15 equal parts,
// so that a pick costs the same for 16 and for 2,000 (Mitzenmacher's d choices, IEEE TPDS 12, 2001).
type LeastLoad struct {
	pair pairs
}

// leastLoadLooks is the number of backends a pick looks at.
const leastLoadLooks = 16

// Update takes in a table.
func (p *LeastLoad) Update(b Backends) { p.pair.update(b) }

// Pick is the least loaded backend, or -1. Among equals the draw by weight decides.
func (p *LeastLoad) Pick(r *Request) int {
	spread := &p.pair.spread
	best := spread.draw(r, &p.pair.rand, -1)
	if best < 0 || r.InFlight(best) == 0 {
		return best
	}
	n := spread.Len()
	if n <= leastLoadLooks {
		for _, m := range spread.members {
			best = p.better(r, int(m), best)
		}
		return best
	}
	for part := range leastLoadLooks - 1 {
		from, to := part*n/(leastLoadLooks-1), (part+1)*n/(leastLoadLooks-1)
		best = p.better(r, int(spread.members[from+p.pair.rand.IntN(to-from)]), best)
	}
	return best
}

func (p *LeastLoad) better(r *Request, next, best int) int {
	if next != best && !r.Excludes(next) && p.pair.spread.less(r, next, best) {
		return next
	}
	return best
}
