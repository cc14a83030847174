package balance

import (
	"sync"
	"time"
)

const (
	floor = 10  // retries a second that a pool always has
	burst = 100 // retries that quiet times can save up
)

// A Budget bounds the retries of a pool to a share of its requests, so that retries cannot multiply an outage. It
// is a token bucket that requests fill. It is safe for concurrent use; requests that are not retried do not
// touch it.
type Budget struct {
	mu       sync.Mutex
	requests uint64  // counted until now
	granted  uint64  // retries ever; they are attempts as well, but no requests
	tokens   float64 // filled by requests
	second   time.Time
	recent   int // granted in this second
}

// Take tells whether one more retry is within percent of the requests, or else within 10 a second, and counts
// it if it is. 0 percent are none at all.
func (b *Budget) Take(s *Set, percent int, now time.Time) bool {
	if percent <= 0 {
		return false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.fillLocked(s, percent)
	if now.Sub(b.second) >= time.Second {
		b.second, b.recent = now, 0
	}
	if b.tokens < 1 && b.recent >= floor {
		return false
	}
	b.tokens = max(b.tokens-1, 0)
	b.recent++
	b.granted++
	return true
}

func (b *Budget) fillLocked(s *Set, percent int) {
	var begun uint64
	for i := range s.Backends {
		begun += s.Backends[i].load.Begun()
	}
	requests := begun - min(b.granted, begun)
	if requests > b.requests {
		b.tokens = min(b.tokens+float64(requests-b.requests)*float64(percent)/100, burst)
	}
	b.requests = requests
}
