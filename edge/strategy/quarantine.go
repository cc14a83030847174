package strategy

import (
	"sync"
	"sync/atomic"
	"time"
)

// When a strategy is set aside: more than so many faults in each of two seconds, one after the other.
const quarantineFaults = 5

// How long it is set aside: twice as long each time, from the first again after it has done well.
const (
	firstPause = 5 * time.Second
	lastPause  = 5 * time.Minute
)

// A quarantine counts faults and decides when a strategy is not asked any more. The zero value is usable.
type quarantine struct {
	active atomic.Bool

	mu     sync.Mutex
	second int64 // the Unix time of count
	count  int   // faults in that second
	before int   // and in the second before it
	pause  time.Duration
	until  time.Time
	lifted time.Time
}

// note counts a fault and tells whether it began a quarantine.
func (q *quarantine) note(now time.Time) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.active.Load() {
		return false
	}
	if second := now.Unix(); second != q.second {
		q.before = 0
		if second == q.second+1 {
			q.before = q.count
		}
		q.second, q.count = second, 0
	}
	q.count++
	again := now.Sub(q.lifted) < 2*time.Second // just back: one bad second is enough
	if q.count <= quarantineFaults || q.before <= quarantineFaults && !again {
		return false
	}
	q.beginLocked(now)
	return true
}

func (q *quarantine) beginLocked(now time.Time) {
	well := now.Sub(q.lifted) > 2*q.pause
	if q.pause *= 2; q.pause == 0 || well {
		q.pause = firstPause
	}
	q.pause = min(q.pause, lastPause)
	q.until = now.Add(q.pause)
	q.active.Store(true)
}

// lift ends a quarantine whose time is over, and tells whether it did and else when it will.
func (q *quarantine) lift(now time.Time) (lifted bool, next time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.active.Load() {
		return false, time.Time{}
	}
	if now.Before(q.until) {
		return false, q.until
	}
	q.lifted, q.count, q.before = now, 0, 0
	q.active.Store(false)
	return true, time.Time{}
}

// reset forgets all: another generation serves.
func (q *quarantine) reset() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.second, q.count, q.before, q.pause = 0, 0, 0, 0
	q.until, q.lifted = time.Time{}, time.Time{}
	q.active.Store(false)
}

// end is when the quarantine ends; zero if there is none.
func (q *quarantine) end() time.Time {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.active.Load() {
		return time.Time{}
	}
	return q.until
}
