package strategy

import (
	"crypto/rand"
	"log/slog"
	"sync"
	"time"

	"github.com/wedge-lb/wedge/edge/balance"
	"github.com/wedge-lb/wedge/edge/plugin"
)

// Deps are what a strategy works with.
type Deps struct {
	Host   *plugin.Host
	Secret func(pool string) [16]byte  // the key of a pool's hashes, 16 bytes; default: one random key
	Logger *slog.Logger                // default: discard
	Fault  func(strategy, kind string) // counts faults; called concurrently; default: nobody
	Now    func() time.Time            // default time.Now
}

func (d Deps) withDefaults() Deps {
	if d.Secret == nil {
		var key [16]byte
		_, _ = rand.Read(key[:]) // never fails
		d.Secret = func(string) [16]byte { return key }
	}
	if d.Logger == nil {
		d.Logger = slog.New(slog.DiscardHandler)
	}
	if d.Fault == nil {
		d.Fault = func(string, string) {}
	}
	if d.Now == nil {
		d.Now = time.Now
	}
	return d
}

// A Strategy is a name under which generations of a plugin choose backends. It is safe for concurrent use.
type Strategy struct {
	name     string
	deps     Deps
	counters plugin.Counters // kept over generations
	usage    plugin.Usage    // kept over generations
	faults   faults
	outage   quarantine
	wake     chan struct{} // there is work for Run

	mu      sync.Mutex
	handles map[*balance.Pool]*Handle
	current *generation // nil before the first Commit
	retired []*guests   // nobody's any more, not closed yet
}

// New makes a strategy that serves nothing yet.
func New(name string, d Deps) *Strategy {
	return &Strategy{
		name: name, deps: d.withDefaults(), handles: map[*balance.Pool]*Handle{}, wake: make(chan struct{}, 1),
	}
}

// Name is the strategy's name in the configuration.
func (s *Strategy) Name() string { return s.name }

// Picker gives the pool's handle, which stays the same over all generations.
func (s *Strategy) Picker(pool *balance.Pool) *Handle {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.handleLocked(pool)
}

func (s *Strategy) handleLocked(pool *balance.Pool) *Handle {
	h := s.handles[pool]
	if h == nil {
		h = &Handle{owner: s, outage: &s.outage}
		s.handles[pool] = h
	}
	return h
}

// poke tells Run that there is work.
func (s *Strategy) poke() {
	select {
	case s.wake <- struct{}{}:
	default: // it has been told
	}
}
