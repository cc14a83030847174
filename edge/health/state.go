package health

import (
	"time"

	"github.com/wedge-lb/wedge/edge/balance"
)

// State is what a Checker knows of backends, by pool and id: what is kept over a restart.
type State map[string]map[string]Known

// Known is what a Checker knows of one backend. It is of no value for a backend at another address.
type Known struct {
	Scheme  string `json:"scheme"`
	Address string `json:"address"`

	// What the probes found.
	Down bool `json:"down,omitempty"`
	Good int  `json:"good,omitempty"` // in a row
	Bad  int  `json:"bad,omitempty"`

	// What requests met.
	Ejected  bool          `json:"ejected,omitempty"`
	Until    time.Time     `json:"until,omitzero"` // of the last ejection
	For      time.Duration `json:"for,omitempty"`  // it lasted, in ns
	Again    int           `json:"again,omitempty"`
	Connect  int           `json:"connect_errors,omitempty"` // in a row
	Failures int           `json:"failures,omitempty"`       // in a row
}

// State is a copy of what is known now. Backends of which there is nothing to say are left out.
func (c *Checker) State() State {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := State{}
	for name, w := range c.pools {
		pool := map[string]Known{}
		set := w.pool.Set()
		for i := range set.Backends {
			b := &set.Backends[i]
			k := Known{Scheme: b.Scheme, Address: b.Address}
			if r := c.records[subjectOf(w.pool, b)]; r != nil {
				r.save(&k)
			}
			w.eject.save(b, &k)
			if k != (Known{Scheme: b.Scheme, Address: b.Address}) {
				pool[b.ID] = k
			}
		}
		if len(pool) > 0 {
			all[name] = pool
		}
	}
	return all
}

func (r *record) save(k *Known) {
	r.mu.Lock()
	defer r.mu.Unlock()
	k.Down, k.Bad = r.down, r.bad
	if r.down {
		k.Good = r.good
	}
}

func (e *ejector) save(b *balance.Backend, k *Known) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if m := (*e.marks.Load())[b.ID]; m.is(b) {
		k.Ejected, k.Until, k.For, k.Again = m.out.Load(), m.until.Round(0), m.length, m.again
		k.Connect, k.Failures = int(m.connect.Load()), int(m.bad.Load())
	}
}

// Restore takes a State over, after the first Apply and before Run: what was down is down until its probes
// say otherwise, and ejections end when they would have. Of a pool that would have nobody open by it
// nothing is believed; refused are those pools. It tells how many backends were taken out.
func (c *Checker) Restore(s State) (out int, refused []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	for name, w := range c.pools {
		said := w.believed(s[name], now)
		gone, open := w.gone(said)
		if gone > 0 && gone == open {
			refused = append(refused, name)
			continue
		}
		for id, k := range said {
			b := w.pool.Set().Find(id)
			if w.probe != nil {
				c.recordLocked(subjectOf(w.pool, b)).restore(w, b, k)
			}
			w.eject.restore(b, k)
			if k.Down || k.Ejected {
				out++
			}
		}
	}
	return out, refused
}

// believed is the part of what is said that is of value: of backends that are there, by rules that there are,
// within their bounds.
func (w *watched) believed(said map[string]Known, now time.Time) map[string]Known {
	rules, set := w.eject.rules.Load(), w.pool.Set()
	list := map[string]Known{}
	for id, k := range said {
		b := set.Find(id)
		if b == nil || b.Address != k.Address || b.Scheme != k.Scheme {
			continue
		}
		if w.probe == nil {
			k.Down, k.Good, k.Bad = false, 0, 0
		}
		k.Again = min(max(k.Again, 0), maxDoublings)
		longest := rules.EjectFor << k.Again
		if !rules.any() || k.Until.After(now.Add(longest)) || k.For > longest || k.For < 0 {
			k.Ejected, k.Until, k.For, k.Again, k.Connect, k.Failures = false, time.Time{}, 0, 0, 0, 0
		}
		k.Ejected = k.Ejected && k.Until.After(now)
		list[id] = k
	}
	return list
}

// gone is how many of the backends that are open would not be.
func (w *watched) gone(said map[string]Known) (gone, open int) {
	set := w.pool.Set()
	for i := range set.Backends {
		if b := &set.Backends[i]; set.Available(b, false) {
			open++
			if k := said[b.ID]; k.Down || k.Ejected {
				gone++
			}
		}
	}
	return gone, open
}

// restore gives r what was known. One more probe decides at the earliest.
func (r *record) restore(w *watched, b *balance.Backend, k Known) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.down = k.Down
	r.good, r.bad = clamp(k.Good, w.probe.HealthyAfter-1), clamp(k.Bad, w.probe.UnhealthyAfter-1)
	_ = w.pool.SetUp(b.ID, !k.Down) // the pool has it
}

func (e *ejector) restore(b *balance.Backend, k Known) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if k.Until.IsZero() && k.Connect <= 0 && k.Failures <= 0 {
		return
	}
	m := e.markLocked(b)
	m.until, m.length, m.again = k.Until, k.For, k.Again
	rules := e.rules.Load()
	m.connect.Store(int32(clamp(k.Connect, rules.ConnectErrors-1)))
	m.bad.Store(int32(clamp(k.Failures, rules.Consecutive5xx-1)))
	if k.Ejected {
		e.ejectLocked(b.ID, m, k.Until)
	}
}

// clamp is n within 0 and most.
func clamp(n, most int) int { return min(max(n, 0), max(most, 0)) }
