package sdk

import (
	"math"
	"slices"
)

// Rendezvous maps a key to the backend with the highest score for it (Thaler, Ravishankar:
// Using Name-Based Mappings to Increase Hit Rates, IEEE/ACM ToN 6, 1998). With weights the score
// is -w/ln(h), which gives exact shares (Schindelhauer, Schomaker: Weighted Distributed Hash
// Tables, SPAA 2005). Nothing is built and the fewest keys move, but a pick looks at every
// usable backend: for pools of up to some dozens.
type Rendezvous struct {
	nodes   []node        // usable backends, in groups of equal weight
	classes []weightClass // the groups
	log     *logTable
}

type node struct {
	id     uint64 // hash of the backend's id
	owner  uint16
	weight uint32
}

// weightClass is the nodes of one weight, from the end of the class before. Among them the
// highest hash has the highest score, so a class costs one logarithm.
type weightClass struct {
	end    int
	weight float64
}

// NewRendezvous is a Rendezvous of a table.
func NewRendezvous(b Backends) Rendezvous {
	var t Rendezvous
	t.Update(b)
	return t
}

// Update takes in a table.
func (t *Rendezvous) Update(b Backends) {
	if t.log == nil {
		t.log = newLogTable()
	}
	t.nodes, t.classes = t.nodes[:0], t.classes[:0]
	for i := range b.Len() {
		if b.Usable(i) {
			t.nodes = append(t.nodes, node{Sum64(b.field(i, 0)), uint16(i), max(b.placed(i), 1)})
		}
	}
	slices.SortStableFunc(t.nodes, func(a, b node) int { return int(int64(b.weight) - int64(a.weight)) })
	for i, n := range t.nodes {
		if i+1 == len(t.nodes) || t.nodes[i+1].weight != n.weight {
			t.classes = append(t.classes, weightClass{i + 1, float64(n.weight)})
		}
	}
}

// Lookup is the backend for a key, or -1.
func (t *Rendezvous) Lookup(key uint64) int { return t.Pick(nil, key) }

// Pick is the backend for a key, or -1. Backends that r excludes are passed over.
func (t *Rendezvous) Pick(r *Request, key uint64) int {
	best, least, from := -1, math.Inf(1), 0
	for _, c := range t.classes {
		owner, hash := highest(t.nodes[from:c.end], r, key)
		from = c.end
		if owner < 0 {
			continue
		}
		if len(t.classes) == 1 {
			return owner
		}
		if cost := t.log.negLog2(hash) / c.weight; cost < least {
			best, least = owner, cost
		}
	}
	return best
}

// highest is the node with the highest hash for the key, and that hash.
func highest(nodes []node, r *Request, key uint64) (owner int, hash uint64) {
	owner = -1
	for _, n := range nodes {
		if h := Mix(key ^ n.id); (h > hash || owner < 0) && !excludes(r, int(n.owner)) {
			owner, hash = int(n.owner), h
		}
	}
	return owner, hash
}
