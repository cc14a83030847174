package affinity

import (
	"encoding/binary"
	"hash/maphash"
	"maps"
	"sync"
	"sync/atomic"
	"time"
)

// A census tells how many clients came back to each backend of a pool by its tokens. It outlives
// configurations. It is safe for concurrent use.
type census struct {
	seed   maphash.Seed
	recent atomic.Pointer[map[string]*Recent] // by backend id; never changed once it is stored

	mu     sync.Mutex // to store recent
	window time.Duration
}

// newCensus makes a census that has seen nobody.
func newCensus() *census {
	c := &census{seed: maphash.MakeSeed()}
	c.recent.Store(&map[string]*Recent{})
	return c
}

// setWindow changes the time that a client is counted for.
func (c *census) setWindow(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.window = d
	for _, r := range *c.recent.Load() {
		r.SetWindow(d)
	}
}

// seen notes that the client of a token was served by the token's backend. It allocates only for a backend's
// first client and when half of the window has passed.
func (c *census) seen(t *Token, now time.Time) {
	r := (*c.recent.Load())[string(t.Backend())]
	if r == nil {
		r = c.open(string(t.Backend()), now)
	}
	var issued [8]byte // a refresh keeps it, and it is not for clients to choose
	binary.BigEndian.PutUint64(issued[:], uint64(t.issued))
	r.Add(maphash.Bytes(c.seed, issued[:]), now)
}

// open adds a backend and forgets those that nobody came to: a pool's backends may come and go.
func (c *census) open(backend string, now time.Time) *Recent {
	c.mu.Lock()
	defer c.mu.Unlock()
	old := *c.recent.Load()
	if r := old[backend]; r != nil {
		return r
	}
	next := maps.Clone(old)
	maps.DeleteFunc(next, func(_ string, r *Recent) bool { return r.Estimate(now) == 0 })
	r := NewRecent(c.window)
	next[backend] = r
	c.recent.Store(&next)
	return r
}

// count is the number of clients seen for a backend.
func (c *census) count(backend string, now time.Time) int {
	if r := (*c.recent.Load())[backend]; r != nil {
		return r.Estimate(now)
	}
	return 0
}
