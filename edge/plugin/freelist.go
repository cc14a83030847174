package plugin

import (
	"math/rand/v2"
	"runtime"
	"sync/atomic"
	"time"
)

// A freeList holds the instances that nobody uses. Taking one and giving it back are one atomic exchange
// each on the usual path, on a cache line that others rarely touch: who finds a slot empty widens the range
// over which everyone starts to look, so that an idle edge keeps to one warm instance and a busy one
// spreads.
type freeList struct {
	slots   []slot
	width   atomic.Uint32 // 1 to len(slots)
	live    atomic.Int32  // instances in the list or taken
	waiting atomic.Int32
	given   chan struct{} // tells one who waits
}

type slot struct {
	instance atomic.Pointer[instance]
	_        [56]byte
}

func (l *freeList) init(n int) {
	l.slots = make([]slot, n)
	l.width.Store(1)
	l.given = make(chan struct{}, n)
}

// add puts a new instance into an empty slot.
func (l *freeList) add(i *instance, slot int) {
	i.slot = slot
	l.live.Add(1)
	l.give(i)
}

// take gives a free instance, or nil.
func (l *freeList) take() *instance {
	width, at := l.width.Load(), 0
	if width > 1 {
		at = int(rand.Uint32N(width)) // spreads load only; no result depends on it
	}
	for n := range len(l.slots) {
		s := &l.slots[at]
		if s.instance.Load() != nil {
			if i := s.instance.Swap(nil); i != nil {
				if n > 0 {
					l.widen(width)
				}
				return i
			}
		}
		if at++; at == len(l.slots) {
			at = 0
		}
	}
	return nil
}

func (l *freeList) widen(from uint32) {
	if int(from) < len(l.slots) {
		l.width.CompareAndSwap(from, from+1)
	}
}

// narrow takes back a step of widening; called now and then.
func (l *freeList) narrow() {
	if from := l.width.Load(); from > 1 {
		l.width.CompareAndSwap(from, from-1)
	}
}

// takeFrom gives the instance of one slot if it is free.
func (l *freeList) takeFrom(slot int) *instance { return l.slots[slot].instance.Swap(nil) }

// give puts an instance back.
func (l *freeList) give(i *instance) {
	l.slots[i.slot].instance.Store(i)
	l.wake()
}

// lose is for an instance that was taken and will not come back.
func (l *freeList) lose() {
	l.live.Add(-1)
	l.wake()
}

func (l *freeList) wake() {
	if l.waiting.Load() > 0 {
		select {
		case l.given <- struct{}{}:
		default: // all who wait have been told
		}
	}
}

// How long a pick waits for an instance: a few turns of the scheduler, then asleep.
const (
	yields  = 4
	maxWait = 2 * time.Millisecond
)

// wait is take for when the list was found empty: it waits a little, and not at all if nothing can come
// back.
func (l *freeList) wait() *instance {
	for range yields {
		if l.live.Load() == 0 {
			return nil
		}
		runtime.Gosched()
		if i := l.take(); i != nil {
			return i
		}
	}
	timer := time.NewTimer(maxWait)
	defer timer.Stop()
	l.waiting.Add(1)
	defer l.waiting.Add(-1)
	for {
		if i := l.take(); i != nil || l.live.Load() == 0 {
			return i
		}
		select {
		case <-l.given:
		case <-timer.C:
			return l.take()
		}
	}
}
