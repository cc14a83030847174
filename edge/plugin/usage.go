package plugin

import (
	"math/bits"
	"sync/atomic"
)

// UsageBuckets is how many classes of picks a Usage has: class k is of those that used fewer than 1<<k units
// and not fewer than half of that; the last is for all that used more.
const UsageBuckets = 32

// A Usage is how much fuel the picks of one strategy used. All its instances share it, and it outlives its
// generations. It is safe for concurrent use.
type Usage struct {
	picks [UsageBuckets]atomic.Uint64
	units atomic.Uint64
	most  atomic.Int64
}

// UsageCount is what a Usage says at one time.
type UsageCount struct {
	Picks [UsageBuckets]uint64 // by class
	Units uint64               // of all picks
	Most  int64                // units of one pick
}

// Mean is the units of a pick.
func (c UsageCount) Mean() uint64 {
	var n uint64
	for _, picks := range c.Picks {
		n += picks
	}
	return c.Units / max(n, 1)
}

// Read gives what was added until now.
func (u *Usage) Read() (c UsageCount) {
	for k := range u.picks {
		c.Picks[k] = u.picks[k].Load()
	}
	c.Units, c.Most = u.units.Load(), u.most.Load()
	return c
}

// spent is what an instance has noted and not added yet: who has the instance may add to it, without a word to other
// processors.
type spent struct {
	picks [UsageBuckets]uint64
	units uint64
	most  int64
}

// note adds a pick, which used so much.
func (s *spent) note(units int64) {
	s.picks[min(bits.Len64(uint64(units)), UsageBuckets-1)]++
	s.units += uint64(units)
	if units > s.most {
		s.most = units
	}
}

// add hands over what was noted.
func (s *spent) add(to *Usage) {
	for k, n := range s.picks {
		if n > 0 {
			to.picks[k].Add(n)
		}
	}
	to.units.Add(s.units)
	for most := to.most.Load(); s.most > most && !to.most.CompareAndSwap(most, s.most); most = to.most.Load() {
	}
	*s = spent{}
}

// AddUsage brings the Usage up to date with the instances that are idle; the others' turn comes when they are.
func (g *Guests) AddUsage() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for slot := range g.free.slots {
		if i := g.free.takeFrom(slot); i != nil {
			i.spent.add(i.shared.usage)
			g.free.give(i)
		}
	}
}
