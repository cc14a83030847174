package certs

import (
	"sync"
	"time"
)

// bucket is a token bucket: burst at once, then one every interval. It is safe for concurrent use.
type bucket struct {
	burst int
	every time.Duration

	mu   sync.Mutex
	full time.Time // when it would be full again
}

func (b *bucket) take(now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.full.Before(now) {
		b.full = now
	}
	next := b.full.Add(b.every)
	if next.Sub(now) > time.Duration(b.burst)*b.every {
		return false
	}
	b.full = next
	return true
}
