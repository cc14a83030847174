package edge

import (
	"cmp"
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/wedge-lb/wedge/edge/admin"
	"github.com/wedge-lb/wedge/edge/balance"
)

// An override is an operator's word about one backend, which may be one that the configuration does not have
// now. All but row is kept on disk. Times are the wall clock's: they count while no edge runs, too.
type override struct {
	Pool     string    `json:"pool"`
	Backend  string    `json:"backend"`
	State    string    `json:"state,omitempty"`   // as admin.Change; "" = the configured one
	Weight   uint32    `json:"weight,omitempty"`  // 0 = the configured one
	Since    time.Time `json:"since"`             // last changed
	Until    time.Time `json:"until,omitzero"`    // ends by itself
	Deadline time.Time `json:"deadline,omitzero"` // its streams end
	Absent   time.Time `json:"absent,omitzero"`   // since when there is no such backend

	row    *balance.Backend // the last there was
	passed bool             // the deadline's passing was told
}

const (
	absentFor    = 24 * time.Hour // an override without a time to live is kept for a backend that left
	maxOverrides = 4096
	severEvery   = time.Second // streams that began as the deadline passed
	tendEvery    = time.Minute // looks whether backends came or left
	saveEvery    = 5 * time.Second
)

// subject is a backend by its names.
type subject struct{ pool, backend string }

// overrides are all there are. But for saving they are guarded by the Server's mu.
type overrides struct {
	path string
	log  *slog.Logger
	list map[subject]*override
	wake chan struct{} // has room for one: the list has changed

	unsaved error      // of the last save
	saving  sync.Mutex // one at a time
}

func newOverrides(dir string, log *slog.Logger) *overrides {
	o := &overrides{path: overridePath(dir), log: log, wake: make(chan struct{}, 1)}
	o.list = o.load(time.Now())
	return o
}

// word is what o says to balance at a time: past the deadline nothing is sent any more, whoever is pinned.
func (o *override) word(now time.Time) balance.Override {
	w := balance.Override{Weight: o.Weight}
	if o.State != "" {
		c := conditions[o.State]
		if o.late(now) {
			c = balance.Maintenance
		}
		w.Condition = &c
	}
	return w
}

// late tells whether the deadline has passed.
func (o *override) late(now time.Time) bool { return !o.Deadline.IsZero() && !now.Before(o.Deadline) }

// apply tells a pool what operators have said of its backends, before the pool is updated or used. What the
// backends are now is kept for those that leave.
func (o *overrides) apply(p *balance.Pool, now time.Time) {
	for at, each := range o.list {
		if at.pool != p.Name() {
			continue
		}
		each.see(p)
		p.SetOverride(at.backend, each.word(now))
	}
}

// see notes the row that p has of the backend; it is false if there is none.
func (o *override) see(p *balance.Pool) bool {
	if p == nil {
		return false
	}
	row := p.Set().Find(o.Backend)
	if row != nil {
		o.row = row
	}
	return row != nil
}

// set makes the change to a backend's override. The pool has the backend.
func (o *overrides) set(p *balance.Pool, backend string, c admin.Change, now time.Time) error {
	at := subject{p.Name(), backend}
	next := override{Pool: at.pool, Backend: backend}
	if old := o.list[at]; old != nil {
		next = *old
	} else if len(o.list) >= maxOverrides {
		return admin.Refused("there are 4096 overrides", "take some back; wedge overrides lists them")
	}
	next.change(c, now)
	if !next.Deadline.IsZero() && next.State != admin.StateDrain && next.State != admin.StateMaintenance {
		return admin.Refused("the change is not taken", "add the state; nothing has changed",
			admin.Fault{Place: "deadline", Message: "the backend is not told to drain, nor in maintenance"})
	}
	if next.State == "" && next.Weight == 0 {
		o.drop(at, p, "nothing is left of it")
		return nil
	}
	next.see(p)
	o.list[at] = &next
	p.SetOverride(backend, next.word(now))
	o.log.Info("backend override", "pool", at.pool, "backend", backend, "state", next.State,
		"weight", next.Weight, "until", timeText(next.Until), "deadline", timeText(next.Deadline))
	return nil
}

func timeText(t time.Time) string {
	if t.IsZero() {
		return "none"
	}
	return t.Format(time.RFC3339)
}

// change takes in what c names. A state brings its own times.
func (o *override) change(c admin.Change, now time.Time) {
	o.Since, o.passed = now, false
	if c.State != "" {
		o.State, o.Until, o.Deadline = c.State, time.Time{}, time.Time{}
	}
	if c.Weight != nil {
		o.Weight = *c.Weight
	}
	if c.TTL != 0 {
		o.Until = now.Add(c.TTL)
	}
	if c.Deadline != nil {
		o.Deadline = now.Add(*c.Deadline)
	}
}

// drop ends an override; p is nil if the configuration does not have the pool.
func (o *overrides) drop(at subject, p *balance.Pool, why string) {
	if o.list[at] == nil {
		return
	}
	delete(o.list, at)
	if p != nil {
		p.SetOverride(at.backend, balance.Override{})
	}
	o.log.Info("backend override ended", "pool", at.pool, "backend", at.backend, "reason", why)
}

// A tending is what is to be done after a look at the overrides.
type tending struct {
	changed bool               // the list on disk is another
	sever   []*balance.Backend // whose streams end
	wait    time.Duration      // until the next look
}

// tend ends what is over and lets deadlines pass.
func (o *overrides) tend(pools map[string]*balance.Pool, now time.Time) tending {
	t := tending{wait: tendEvery}
	if o.unsaved != nil {
		t.changed, t.wait = true, saveEvery
	}
	for at, each := range o.list {
		p := pools[at.pool]
		t.changed = each.came(each.see(p), now) || t.changed
		if why := each.over(now); why != "" {
			o.drop(at, p, why)
			t.changed = true
			continue
		}
		o.deadline(each, p, now, &t)
		for _, next := range []time.Time{each.Until, each.Deadline} {
			if next.After(now) {
				t.wait = min(t.wait, next.Sub(now))
			}
		}
	}
	return t
}

// came notes whether there is such a backend; it is true if that has changed.
func (o *override) came(present bool, now time.Time) bool {
	switch {
	case present && !o.Absent.IsZero():
		o.Absent = time.Time{}
	case !present && o.Absent.IsZero():
		o.Absent = now
	default:
		return false
	}
	return true
}

// over tells why an override has ended, "" if it has not.
func (o *override) over(now time.Time) string {
	switch {
	case !o.Until.IsZero() && !now.Before(o.Until):
		return "its time to live is over"
	case o.Until.IsZero() && !o.Absent.IsZero() && now.Sub(o.Absent) >= absentFor:
		return "its backend left long ago"
	}
	return ""
}

// deadline has the backend's streams ended once it has passed, and again while there are any.
func (o *overrides) deadline(each *override, p *balance.Pool, now time.Time, t *tending) {
	if !each.late(now) {
		return
	}
	if p != nil {
		p.SetOverride(each.Backend, each.word(now))
	}
	if each.row == nil {
		return
	}
	left := each.row.Load().InFlight()
	if !each.passed {
		o.log.Info("backend deadline passed", "pool", each.Pool, "backend", each.Backend, "in_flight", left)
	}
	if !each.passed || left > 0 {
		t.sever, t.wait = append(t.sever, each.row), min(t.wait, severEvery)
	}
	each.passed = true
}

// sorted lists the overrides by pool and backend.
func (o *overrides) sorted() []*override {
	return slices.SortedFunc(maps.Values(o.list), func(a, b *override) int {
		return cmp.Or(cmp.Compare(a.Pool, b.Pool), cmp.Compare(a.Backend, b.Backend))
	})
}

// keepOverrides ends overrides and lets deadlines pass until ctx ends.
func (s *Server) keepOverrides(ctx context.Context) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-s.overrides.wake:
		case <-timer.C:
		}
		timer.Reset(s.tendOverrides(false))
	}
}

// tendOverrides does what is due now and gives the time until more is. With changed the list is saved anyway.
func (s *Server) tendOverrides(changed bool) time.Duration {
	s.mu.Lock()
	t := s.overrides.tend(s.pools, time.Now())
	s.mu.Unlock()
	for _, b := range t.sever {
		s.upstream.Sever(b)
	}
	if changed || t.changed {
		s.saveOverrides()
	}
	return t.wait
}
