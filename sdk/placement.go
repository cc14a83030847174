package sdk

import (
	"strconv"

	"github.com/wedge-lb/wedge/sdk/abi"
)

// placement is what Maglev and Ring share: who is usable now, and where a key goes whose own
// backend is not.
type placement struct {
	spread  Weighted
	members uint64 // fingerprint of the ids and weights that the structure was built from
	built   bool
}

// update takes in a table and reports whether ids or weights changed, so that the structure
// must be built anew. States do not count: a hash table stays put while a backend is down.
func (p *placement) update(b Backends) (changed bool) {
	p.spread.Update(b)
	now := uint64(b.Len())
	for i := range b.Len() {
		if b.listed(i) {
			now = Mix(now^Sum64(b.field(i, 0))) + uint64(b.placed(i))
		}
	}
	changed = !p.built || now != p.members
	p.members, p.built = now, true
	return changed
}

// probes is how many pseudo-random next choices a key has before any usable backend will do:
// with half of the pool down one key in 10^19 gets that far, with 90 % down one in 850.
const probes = 64

// a placer knows the backend of a key, usable or not, or -1.
type placer interface{ place(key uint64) int }

// settle is the backend for a key whose own place cannot take it.
func (p *placement) settle(of placer, r *Request, key uint64) int {
	if p.spread.Len() == 0 {
		return -1
	}
	for n := 1; n <= probes; n++ {
		i := of.place(rehash(key, n))
		if i >= 0 && p.spread.Usable(i) && !excludes(r, i) {
			return i
		}
	}
	if i := p.spread.At(key); !excludes(r, i) {
		return i
	}
	return p.spread.other(r, key, -1)
}

// placing gives the weights by which keys are placed, 0 for backends without keys. Backends
// that are down count; if no backend has a weight, all count the same.
func (b Backends) placing() []uint64 {
	weights, any := make([]uint64, b.count), false
	for i := range weights {
		if b.listed(i) {
			weights[i] = uint64(b.placed(i))
			any = any || weights[i] > 0
		}
	}
	for i := range weights {
		if !any && b.listed(i) {
			weights[i] = 1
		}
	}
	return weights
}

// placed is the weight by which a backend's keys are placed: the configured one, though it starts slowly.
func (b Backends) placed(i int) uint32 {
	if label, ok := b.Label(i, abi.LabelWeight); ok {
		if w, err := strconv.ParseUint(label, 10, 32); err == nil {
			return uint32(w)
		}
	}
	return b.Weight(i)
}

// listed reports whether a row belongs to the subset, in whatever state.
func (b Backends) listed(i int) bool { return b.keep == nil || b.keep[i] }
