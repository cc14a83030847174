package health

import (
	"fmt"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wedge-lb/wedge/edge/balance"
)

const maxDoublings = 5

// An ejector takes backends of one pool out for what requests met. Requests that go well touch two atomics at
// most.
type ejector struct {
	pool   *balance.Pool
	notify func(Event)
	marks  atomic.Pointer[map[string]*mark] // copied on write under mu

	mu    sync.Mutex
	rules Passive
}

// A mark is what speaks against one backend.
type mark struct {
	failures atomic.Int32 // connect errors in a row
	// Guarded by the ejector's mu:
	ejected bool
	until   time.Time
	length  time.Duration // of the last ejection
	again   int           // ejections that followed each other closely
}

func newEjector(p *balance.Pool, notify func(Event)) *ejector {
	e := &ejector{pool: p, notify: notify}
	e.marks.Store(&map[string]*mark{})
	return e
}

// apply sets the rules. Without any, nothing is heard and nothing stays ejected.
func (e *ejector) apply(rules Passive) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.rules = rules
	if rules.ConnectErrors > 0 {
		e.pool.OnResult(e.result)
		return
	}
	e.pool.OnResult(nil)
	for id, m := range *e.marks.Load() {
		if m.ejected {
			e.returnLocked(id, m)
		}
	}
	e.marks.Store(&map[string]*mark{})
}

// result hears of each attempt, on the request's goroutine.
func (e *ejector) result(b *balance.Backend, r *balance.Result) {
	switch r.Kind {
	case balance.ConnectFailed:
		e.failed(b)
	case balance.ClientGone, balance.Busy, balance.BadRequestBody, balance.Severed:
		// nothing is said of the backend
	default: // it was connected to
		if m := (*e.marks.Load())[b.ID]; m != nil && m.failures.Load() != 0 {
			m.failures.Store(0)
		}
	}
}

func (e *ejector) failed(b *balance.Backend) {
	event, ejected := e.count(b)
	if ejected {
		e.notify(event)
	}
}

// count notes a connect error and ejects the backend if it was one too many.
func (e *ejector) count(b *balance.Backend) (Event, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.rules.ConnectErrors == 0 || e.pool.Set().Find(b.ID) == nil {
		return Event{}, false
	}
	m := e.markLocked(b.ID)
	n := int(m.failures.Add(1))
	if n < e.rules.ConnectErrors || m.ejected || !e.mayEjectLocked(b.ID) {
		return Event{}, false
	}
	e.ejectLocked(b.ID, m, time.Now())
	reason := fmt.Sprintf("%d connect errors in a row", n)
	return Event{Pool: e.pool.Name(), Backend: b.ID, Change: Ejected, Reason: reason, For: m.length}, true
}

func (e *ejector) markLocked(id string) *mark {
	old := *e.marks.Load()
	if m := old[id]; m != nil {
		return m
	}
	m := &mark{}
	grown := maps.Clone(old)
	grown[id] = m
	e.marks.Store(&grown)
	return m
}

// mayEjectLocked holds the share of the pool, and keeps the last backend that is open.
func (e *ejector) mayEjectLocked(id string) bool {
	set := e.pool.Set()
	out := 1
	for _, m := range *e.marks.Load() {
		if m.ejected {
			out++
		}
	}
	last := set.Open() == 1 && set.Available(set.Find(id), false)
	return !last && float64(out) <= e.rules.MaxEjected*float64(len(set.Backends))
}

func (e *ejector) ejectLocked(id string, m *mark, now time.Time) {
	if now.Sub(m.until) > m.length {
		m.again = 0
	} else if m.length > 0 {
		m.again = min(m.again+1, maxDoublings)
	}
	m.ejected, m.length = true, e.rules.EjectFor<<m.again
	m.until = now.Add(m.length)
	_ = e.pool.Eject(id, m.until) // fails only if it has left meanwhile: then there is nothing to take out
}

func (e *ejector) returnLocked(id string, m *mark) {
	m.ejected = false
	m.failures.Store(0)
	_ = e.pool.Eject(id, time.Time{}) // as above
}

// release gives back whose time is over, forgets who left, and tells when the next one's time is over.
func (e *ejector) release(now time.Time) (next time.Time, any bool) {
	var events []Event
	defer func() {
		for _, v := range events {
			e.notify(v)
		}
	}()
	e.mu.Lock()
	defer e.mu.Unlock()
	e.forgetLocked()
	for id, m := range *e.marks.Load() {
		switch {
		case !m.ejected:
		case !now.Before(m.until):
			e.returnLocked(id, m)
			events = append(events, Event{Pool: e.pool.Name(), Backend: id, Change: Returned})
		case !any || m.until.Before(next):
			next, any = m.until, true
		}
	}
	return next, any
}

// forgetLocked drops the marks of backends that left.
func (e *ejector) forgetLocked() {
	set := e.pool.Set()
	kept := maps.Clone(*e.marks.Load())
	maps.DeleteFunc(kept, func(id string, _ *mark) bool { return set.Find(id) == nil })
	if len(kept) != len(*e.marks.Load()) {
		e.marks.Store(&kept)
	}
}
