package balance

import (
	"sync"
	"time"
)

// floor is how many retries a second a pool always has.
const floor = 10

// A Budget bounds the retries of a pool to a share of its requests, so that retries cannot multiply an outage. It
// is safe for concurrent use; requests that are not retried do not touch it.
type Budget struct {
	mu      sync.Mutex
	since   time.Time // of the second that is counted
	begun   uint64    // requests until then
	before  uint64    // requests of the second before
	retries uint64    // of this second
}

// Take tells whether one more retry is within percent of the requests of this second and the one before, or
// within 10 a second, and counts it if it is.
func (b *Budget) Take(s *Set, percent int, now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	var begun uint64
	for i := range s.Backends {
		begun += s.Backends[i].load.Begun()
	}
	recent := begun - min(b.begun, begun)
	if passed := now.Sub(b.since); passed >= time.Second {
		b.before = recent
		if passed >= 2*time.Second {
			b.before = 0
		}
		b.since, b.begun, b.retries = now, begun, 0
		recent = 0
	}
	if b.retries >= max((b.before+recent)*uint64(percent)/100, floor) {
		return false
	}
	b.retries++
	return true
}
