package override

import (
	"time"

	"github.com/wedge-lb/wedge/edge/balance"
)

// A Due is what is to be done after a look at the overrides.
type Due struct {
	Save  bool               // Save has something to write
	Sever []*balance.Backend // whose streams end now
	Wait  time.Duration      // until the next look
}

// Tend ends what is over and lets deadlines pass. pools are those of the configuration, by name.
func (b *Book) Tend(pools map[string]*balance.Pool, now time.Time) Due {
	b.mu.Lock()
	defer b.mu.Unlock()
	d := Due{Wait: tendEvery}
	if b.unsaved != nil {
		d.Save, d.Wait = true, saveEvery
	}
	for at, e := range b.words {
		p := pools[at.pool]
		d.Save = e.came(e.see(p), now.Round(0)) || d.Save
		if why := e.over(now); why != "" {
			b.dropLocked(at, p, why)
			d.Save = true
			continue
		}
		b.deadlineLocked(e, p, now, &d)
		for _, next := range []time.Time{e.Until, e.Deadline} {
			if next.After(now) {
				d.Wait = min(d.Wait, next.Sub(now))
			}
		}
	}
	return d
}

// deadlineLocked has the backend's streams ended once its deadline has passed, and again while there are any:
// requests that had chosen it before may begin after that.
func (b *Book) deadlineLocked(e *entry, p *balance.Pool, now time.Time, d *Due) {
	if !e.late(now) {
		return
	}
	if p != nil {
		p.SetOverride(e.Backend, e.balance(now))
	}
	if e.row == nil {
		return
	}
	left := e.row.Load().InFlight()
	if !e.passed {
		b.opt.Logger.Info("backend deadline passed", "pool", e.Pool, "backend", e.Backend, "in_flight", left)
	}
	if !e.passed || left > 0 {
		d.Sever, d.Wait = append(d.Sever, e.row), min(d.Wait, severEvery)
	}
	e.passed = true
}
