package sdk

// LeastLoad takes the backend with the fewest requests in flight for its weight. It looks at all
// of up to 16 backends; of more it looks at a weighted draw and at one of each of 16 equal parts,
// so that a pick costs the same for 16 and for 2,000 (Mitzenmacher's d choices, IEEE TPDS 12, 2001).
//
// A pick is one call to the host: for the draw alone after a pick that found an idle one, for all
// otherwise.
type LeastLoad struct {
	pair  pairs
	idle  bool   // the draw of the last pick was
	looks []Load // the draw, then the others; those of a small pool stay
}

// leastLoadLooks is the number of backends a pick looks at, beside the draw by weight.
const leastLoadLooks = 16

// Update takes in a table.
func (p *LeastLoad) Update(b Backends) {
	p.pair.update(b)
	p.looks = append(p.looks[:0], Load{})
	for _, m := range p.pair.spread.members[:min(p.pair.spread.Len(), leastLoadLooks)] {
		p.looks = append(p.looks, Load{Backend: uint32(m)})
	}
}

// Pick is the least loaded backend, or -1. Among equals the draw by weight decides.
func (p *LeastLoad) Pick(r *Request) int {
	draw := p.pair.first(r)
	if draw < 0 || p.pair.spread.Len() == 1 || p.idle && r.InFlight(draw) == 0 {
		return draw
	}
	if p.pair.spread.Len() > leastLoadLooks {
		p.look()
	}
	p.looks[0].Backend = uint32(draw)
	r.Loads(p.looks)
	p.idle = p.looks[0].InFlight == 0
	return p.least(r)
}

// look draws one of each part.
func (p *LeastLoad) look() {
	members := p.pair.spread.members
	n := len(members)
	for part := range leastLoadLooks {
		from, to := part*n/leastLoadLooks, (part+1)*n/leastLoadLooks
		p.looks[1+part].Backend = uint32(members[from+p.pair.rand.IntN(to-from)])
	}
}

// least is the backend that carries least of those looked at, beginning with the draw.
func (p *LeastLoad) least(r *Request) int {
	best, load := int(p.looks[0].Backend), int(p.looks[0].InFlight)
	for i := range p.looks {
		l := &p.looks[i]
		next, busy := int(l.Backend), int(l.InFlight)
		if p.pair.spread.lighter(next, busy, best, load) && !r.Excludes(next) {
			best, load = next, busy
		}
	}
	return best
}
