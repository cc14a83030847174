package balance

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// A Pool is a named set of backends that can answer the same requests. It is safe for concurrent use; each
// change makes a new Set.
type Pool struct {
	name    string
	current atomic.Pointer[Set]
	gate    atomic.Pointer[Gate] // nil until the pool has limits
	reports atomic.Bool          // what backends report of their load is wanted
	budget  Budget
	// observer hears of every attempt; nil = nobody.
	observer atomic.Pointer[ResultFunc]

	mu     sync.Mutex
	specs  []Spec
	status map[string]*status
	// overrides are an operator's words by id: also those of ids that the pool does not have now.
	overrides map[string]Override
	watchers  map[chan<- struct{}]struct{}
	tuning    Tuning
	peopled   bool      // it has had a backend
	stepAt    time.Time // when weights of slow starts are due again; zero = none is in progress
}

// Tuning is how a pool takes what is known of the health of its backends.
type Tuning struct {
	SlowStart time.Duration // from coming back, or joining, to the whole weight; 0 = at once
	Panic     float64       // share of the backends that must be well for health to be believed; 0 = any
}

// A ResultFunc hears the result of one attempt at a backend, on the request's goroutine.
type ResultFunc func(b *Backend, r *Result)

// status is what the process knows of a backend id beside its spec; guarded by the pool's mu but for load.
type status struct {
	load    *Load
	down    bool // the probes' word
	ejected bool // the requests' word
	observed
}

// NewPool makes an empty pool.
func NewPool(name string) *Pool {
	p := &Pool{
		name: name, status: map[string]*status{}, overrides: map[string]Override{},
		watchers: map[chan<- struct{}]struct{}{},
	}
	p.current.Store(newSet(0, nil, 0))
	return p
}

// Name is the pool's name in the configuration.
func (p *Pool) Name() string { return p.name }

// Set is the current table.
func (p *Pool) Set() *Set { return p.current.Load() }

// Retry tells whether one more attempt is within the pool's budget for retries, percent of its requests.
func (p *Pool) Retry(percent int, now time.Time) bool { return p.budget.Take(p.Set(), percent, now) }

// Update replaces the backends. What is known of an id that stays is kept; an id that leaves is forgotten but
// for an operator's word, though requests in progress still count on the row they hold. IDs must be distinct.
func (p *Pool) Update(specs []Spec) {
	specs = weighed(specs)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.sameLocked(specs) {
		return
	}
	kept := make(map[string]*status, len(specs))
	for i := range specs {
		st := p.status[specs[i].ID]
		if st == nil {
			st = p.newStatusLocked()
		}
		st.locate(&specs[i])
		kept[specs[i].ID] = st
	}
	p.specs, p.status = specs, kept
	p.peopled = p.peopled || len(specs) > 0
	p.publishLocked()
}

// Tune sets how the pool takes what is known of its backends.
func (p *Pool) Tune(t Tuning) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if t != p.tuning {
		p.tuning = t
		p.publishLocked()
	}
}

// weighed is a copy of specs in which each has a weight.
func weighed(specs []Spec) []Spec {
	specs = slices.Clone(specs)
	for i := range specs {
		specs[i].Weight = max(specs[i].Weight, 1)
	}
	return specs
}

// Preview is the table that Update would make of specs, without making it current: for what has to be tried
// before a new configuration is taken.
func (p *Pool) Preview(specs []Spec) *Set {
	p.mu.Lock()
	defer p.mu.Unlock()
	rows := make([]Backend, len(specs))
	for i, s := range weighed(specs) {
		st := p.status[s.ID]
		if st == nil {
			st = &status{load: new(Load)}
		}
		rows[i] = p.rowLocked(s, st)
		rows[i].twentieths = st.twentieths(time.Now(), p.tuning.SlowStart)
	}
	return newSet(p.current.Load().Version+1, rows, p.tuning.Panic)
}

func (p *Pool) sameLocked(specs []Spec) bool {
	if len(specs) != len(p.specs) {
		return false
	}
	for i := range specs {
		if !specs[i].equal(p.specs[i]) {
			return false
		}
	}
	return true
}

// SetUp records the word of the probes. A new backend is up until they say otherwise.
func (p *Pool) SetUp(id string, up bool) error {
	return p.change(id, func(st *status) { st.down = !up })
}

// Probed notes why the last probe of a backend failed; "" = it did not. It changes no state.
func (p *Pool) Probed(id, failure string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if st := p.status[id]; st != nil {
		st.probe = failure
	}
}

// Eject records the word of the requests: an ejected backend gets none until it is taken back, which is
// expected at a time, or nobody else is open. The zero time takes it back.
func (p *Pool) Eject(id string, until time.Time) error {
	return p.change(id, func(st *status) { st.ejected, st.until = !until.IsZero(), until })
}

func (p *Pool) change(id string, edit func(*status)) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	st := p.status[id]
	if st == nil {
		return fmt.Errorf("pool %s: no backend %q", p.name, id)
	}
	before := *st
	if edit(st); *st != before {
		p.publishLocked()
	}
	return nil
}

func (p *Pool) publishLocked() {
	now := time.Now()
	rows := make([]Backend, len(p.specs))
	for i, s := range p.specs {
		st := p.status[s.ID]
		rows[i] = p.rowLocked(s, st)
		st.rise(&rows[i], now)
		rows[i].twentieths = st.twentieths(now, p.tuning.SlowStart)
	}
	set := newSet(p.current.Load().Version+1, rows, p.tuning.Panic)
	p.noteLocked(set, now)
	p.current.Store(set)
	if g := p.gate.Load(); g != nil {
		g.reexamine()
	}
	for c := range p.watchers {
		select {
		case c <- struct{}{}:
		default: // a change is already waiting to be seen
		}
	}
}

// Watch makes the pool send on c, which should have room for one, after each change, until Unwatch. A send
// that would block is left out.
func (p *Pool) Watch(c chan<- struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.watchers[c] = struct{}{}
}

// Unwatch ends Watch.
func (p *Pool) Unwatch(c chan<- struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.watchers, c)
}

// Status is what an operator sees of one backend.
type Status struct {
	ID, Address, Zone string
	Weight            uint32
	State             State
	Override          bool // condition or weight are an operator's, not the configuration's
	Down, Ejected     bool
	InFlight          int64
	Latency           time.Duration
	Since             time.Time // when State became what it is
	EjectedUntil      time.Time // about; zero = it is not ejected
	ProbeError        string    // why its last probe failed; "" = it did not, or there was none
	SlowStart         float64   // share of its weight that it has; 1 unless it starts slowly
}

// Status lists the backends by id.
func (p *Pool) Status() []Status {
	p.mu.Lock()
	defer p.mu.Unlock()
	set := p.current.Load()
	list := make([]Status, len(set.Backends))
	for i := range set.Backends {
		b := &set.Backends[i]
		st := p.status[b.ID]
		list[i] = Status{
			ID: b.ID, Address: b.Address, Zone: b.Zone, Weight: b.Weight, State: b.State,
			Override: p.overrides[b.ID] != Override{}, Down: st.down, Ejected: st.ejected,
			InFlight: b.load.InFlight(), Latency: b.load.Latency(),
			Since: st.since, EjectedUntil: st.until, ProbeError: st.probe,
			SlowStart: float64(b.twentieths) / whole,
		}
	}
	return list
}

// OnResult names who hears the result of each attempt at the pool's backends; nil = nobody.
func (p *Pool) OnResult(f ResultFunc) {
	if f == nil {
		p.observer.Store(nil)
		return
	}
	p.observer.Store(&f)
}

// Report tells the observer the result of an attempt.
func (p *Pool) Report(b *Backend, r *Result) {
	if f := p.observer.Load(); f != nil {
		(*f)(b, r)
	}
}
