package sdk

import "math"

// RoundRobin goes through the usable backends in turn, each as often as its weight says and
// spread out: the smooth weighted round robin of nginx (ngx_http_upstream_round_robin.c, 2012).
// The turns are worked out when the table changes, so a pick is one step in a list.
//
// Each instance keeps a sequence of its own and starts it at a random place. So shares are
// proportional over all instances without a call to the host, though two instances may
// choose the same backend at once.
type RoundRobin struct {
	turns []uint16
	at    int
	seen  Weighted // for a pick that must pass over excluded backends
}

const (
	maxTurns  = 1 << 16 // length of a sequence; weights are scaled down to fit
	nginxWork = 1 << 20 // steps of the exact algorithm that one table may cost
	skipTurns = 64      // turns passed over before any usable backend will do
)

// Update takes in a table.
func (p *RoundRobin) Update(b Backends) {
	p.seen.Update(b)
	weights := p.seen.reduced()
	var total uint64
	for _, w := range weights {
		total += w
	}
	if total*uint64(len(weights)) <= nginxWork {
		p.turns = smooth(weights, int(total))
	} else {
		p.turns = strides(weights, int(total))
	}
	for i, t := range p.turns {
		p.turns[i] = p.seen.members[t]
	}
	p.at = 0
	if len(p.turns) > 0 {
		p.at = scale(b.Random(), len(p.turns))
	}
}

// Pick is the backend whose turn it is, or -1.
func (p *RoundRobin) Pick(r *Request) int {
	for range skipTurns {
		if i := p.next(); i < 0 || !excludes(r, i) {
			return i
		}
	}
	return p.seen.other(r, uint64(p.at)<<32, -1)
}

func (p *RoundRobin) next() int {
	if len(p.turns) == 0 {
		return -1
	}
	if p.at++; p.at >= len(p.turns) {
		p.at = 0
	}
	return int(p.turns[p.at])
}

// reduced is the weights of the members without their common divisor, scaled so that their sum
// is at most maxTurns.
func (w *Weighted) reduced() []uint64 {
	var divisor, total uint64
	for _, m := range w.members {
		divisor = gcd(uint64(w.share[m]), divisor)
		total += uint64(w.share[m])
	}
	weights := make([]uint64, len(w.members))
	for i, m := range w.members {
		weights[i] = uint64(w.share[m]) / divisor
		if total/divisor > maxTurns {
			weights[i] = max(1, uint64(w.share[m])*(maxTurns-uint64(len(weights)))/total)
		}
	}
	return weights
}

func gcd(a, b uint64) uint64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// smooth is nginx's algorithm: at each turn all gain their weight, and the one that has the
// most takes the turn and pays the total.
func smooth(weights []uint64, total int) []uint16 {
	turns, has := make([]uint16, total), make([]int64, len(weights))
	for t := range turns {
		best := 0
		for i, w := range weights {
			has[i] += int64(w)
			if has[i] > has[best] {
				best = i
			}
		}
		has[best] -= int64(total)
		turns[t] = uint16(best)
	}
	return turns
}

// strides is the order of stride scheduling: nearly as smooth, in total × log n. Phases are
// multiples of the golden ratio, which no others spread more evenly.
func strides(weights []uint64, total int) []uint16 {
	golden := func(i int) float64 { return math.Mod(float64(i)*math.Phi, 1) }
	order, list := newTurns(weights, golden), make([]uint16, total)
	for i := range list {
		list[i] = uint16(order.next())
	}
	return list
}
