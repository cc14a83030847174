package health

import (
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wedge-lb/wedge/edge/balance"
)

const maxDoublings = 5

// An ejector takes backends of one pool out for what requests met. Requests that go well touch a few
// atomics of their backend at most.
type ejector struct {
	pool   *balance.Pool
	notify func(Event)
	rules  atomic.Pointer[Passive]
	marks  atomic.Pointer[map[string]*mark] // copied on write under mu

	mu sync.Mutex // to change anything
}

func newEjector(p *balance.Pool, notify func(Event)) *ejector {
	e := &ejector{pool: p, notify: notify}
	e.rules.Store(&Passive{})
	e.marks.Store(&map[string]*mark{})
	return e
}

// apply sets the rules. Without any, nothing is heard and nothing stays ejected.
func (e *ejector) apply(rules Passive) {
	e.mu.Lock()
	defer e.mu.Unlock()
	old := e.rules.Swap(&rules)
	if rules.any() {
		if old.Window != rules.Window {
			for _, m := range *e.marks.Load() {
				m.window.clear()
			}
		}
		e.pool.OnResult(e.result)
		return
	}
	e.pool.OnResult(nil)
	for id, m := range *e.marks.Load() {
		if m.out.Load() {
			e.returnLocked(id, m, time.Now())
		}
	}
	e.marks.Store(&map[string]*mark{})
}

// result hears of each attempt, on the request's goroutine.
func (e *ejector) result(b *balance.Backend, r *balance.Result) {
	said := judge(r)
	if said == silent {
		return
	}
	rules, m := e.rules.Load(), (*e.marks.Load())[b.ID]
	if m == nil && said == good && rules.ErrorRate == 0 {
		return // nothing speaks against it, and nothing is counted
	}
	if !m.is(b) {
		if m = e.mark(b); m == nil {
			return
		}
	}
	if said == good {
		m.well(rules, r)
		return
	}
	if why, over := m.fail(rules, r); over {
		e.failed(b.ID, m, why)
	}
}

// mark is the mark of a backend, a new one if need be; nil if it has left or moved.
func (e *ejector) mark(b *balance.Backend) *mark {
	e.mu.Lock()
	defer e.mu.Unlock()
	if now := e.pool.Set().Find(b.ID); !e.rules.Load().any() || now == nil ||
		now.Address != b.Address || now.Scheme != b.Scheme {
		return nil
	}
	return e.markLocked(b)
}

func (e *ejector) markLocked(b *balance.Backend) *mark {
	old := *e.marks.Load()
	if m := old[b.ID]; m.is(b) {
		return m
	}
	m := &mark{scheme: b.Scheme, address: b.Address}
	grown := maps.Clone(old)
	grown[b.ID] = m
	e.marks.Store(&grown)
	return m
}

// failed ejects a backend of which one failure was too many, if it may be.
func (e *ejector) failed(id string, m *mark, why reason) {
	e.mu.Lock()
	if (*e.marks.Load())[id] != m || m.out.Load() || !e.mayEjectLocked(id) {
		e.mu.Unlock()
		return
	}
	now, rules := time.Now(), e.rules.Load()
	if now.Sub(m.until) > m.length {
		m.again = 0
	} else if m.length > 0 {
		m.again = min(m.again+1, maxDoublings)
	}
	m.length = rules.EjectFor << m.again
	e.ejectLocked(id, m, now.Add(m.length))
	event := Event{Pool: e.pool.Name(), Backend: id, Change: Ejected, Reason: why.String(), For: m.length}
	e.mu.Unlock()
	e.notify(event)
}

// mayEjectLocked holds the share of the pool, and keeps the last backend that is open.
func (e *ejector) mayEjectLocked(id string) bool {
	set := e.pool.Set()
	b := set.Find(id)
	last := b == nil || set.Open() == 1 && set.Available(b, false)
	return !last && e.outLocked()+1 <= e.mostLocked(set)
}

func (e *ejector) outLocked() (n int) {
	for _, m := range *e.marks.Load() {
		if m.out.Load() {
			n++
		}
	}
	return n
}

// mostLocked is how many may be out at a time.
func (e *ejector) mostLocked(set *balance.Set) int {
	const rounding = 1e-9 // 29 % of 100 are 29
	return int(e.rules.Load().MaxEjected*float64(len(set.Backends)) + rounding)
}

func (e *ejector) ejectLocked(id string, m *mark, until time.Time) {
	m.until = until
	m.out.Store(true)
	_ = e.pool.Eject(id, until) // fails only if it has left meanwhile: then there is nothing to take out
}

func (e *ejector) returnLocked(id string, m *mark, now time.Time) {
	m.clean(now)
	_ = e.pool.Eject(id, time.Time{}) // as above
}

// release gives back whose time is over, forgets who left or moved, and tells when the next one's time is
// over.
func (e *ejector) release(now time.Time) (next time.Time, any bool) {
	var events []Event
	defer func() {
		for _, v := range events {
			e.notify(v)
		}
	}()
	e.mu.Lock()
	defer e.mu.Unlock()
	set := e.forgetLocked()
	for over := e.outLocked() - e.mostLocked(set); ; over-- {
		id, m := e.nextLocked()
		if m == nil || over <= 0 && now.Before(m.until) {
			if m != nil {
				next, any = m.until, true
			}
			return next, any
		}
		e.returnLocked(id, m, now)
		events = append(events, Event{Pool: e.pool.Name(), Backend: id, Change: Returned})
	}
}

// nextLocked is who has been out for long enough first; nil = nobody is out.
func (e *ejector) nextLocked() (id string, first *mark) {
	for key, m := range *e.marks.Load() {
		if m.out.Load() && (first == nil || m.until.Before(first.until)) {
			id, first = key, m
		}
	}
	return id, first
}

// forgetLocked drops the marks of backends that left or moved.
func (e *ejector) forgetLocked() *balance.Set {
	set := e.pool.Set()
	kept := maps.Clone(*e.marks.Load())
	maps.DeleteFunc(kept, func(id string, m *mark) bool {
		b := set.Find(id)
		return b == nil || !m.is(b)
	})
	if len(kept) != len(*e.marks.Load()) {
		e.marks.Store(&kept)
	}
	return set
}
