package health

import "sync"

// A record is what the probes of one backend found.
type record struct {
	mu        sync.Mutex
	down      bool
	good, bad int // probes in a row
}

// note counts a probe. told is whether the pool must hear; up is what it must hear then.
func (r *record) note(ok bool, rules *Probe) (up, told bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if ok {
		r.good, r.bad = min(r.good+1, rules.HealthyAfter), 0
		return true, r.good == rules.HealthyAfter || !r.down
	}
	r.good, r.bad = 0, min(r.bad+1, rules.UnhealthyAfter)
	return false, r.bad == rules.UnhealthyAfter || r.down
}

// turn notes whether the backend is up, and tells whether that is news.
func (r *record) turn(up bool) (news bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	news = r.down == up
	r.down = !up
	return news
}
