package balance

import (
	"math"
	"time"
)

const (
	whole        = 20 // parts of a weight: exact in integers, and as many steps to it
	least        = 2  // of them that a backend has at once
	shortestStep = 50 * time.Millisecond
)

// rise notes when a backend becomes fit to serve.
func (st *status) rise(b *Backend, now time.Time) {
	fit := b.condition != Maintenance && !b.down && !b.ejected
	if fit && !st.fit {
		st.rose = now
	}
	st.fit = fit
}

// twentieths is how much of its weight a backend has by now.
func (st *status) twentieths(now time.Time, slow time.Duration) uint32 {
	t := now.Sub(st.rose)
	if !st.fit || st.rose.IsZero() || t >= slow {
		return whole
	}
	return max(uint32(whole*float64(t)/float64(slow)), least)
}

// weigh gives each row its effective weight, and the scale of them all.
func weigh(rows []Backend) (scale uint32) {
	scale = 1
	for i := range rows {
		if rows[i].twentieths != whole {
			scale = whole
		}
	}
	for i := range rows {
		b := &rows[i]
		share := uint64(b.Weight) * uint64(b.twentieths) * uint64(scale) / whole
		b.Effective = uint32(min(share, math.MaxUint32))
	}
	return scale
}

// Step brings the weights of backends that start slowly up to date, if that is due, and tells when it is due
// again; false = none starts slowly.
func (p *Pool) Step(now time.Time) (next time.Time, more bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.stepAt.IsZero() && !now.Before(p.stepAt) {
		p.publishLocked()
	}
	return p.stepAt, !p.stepAt.IsZero()
}
