package balance

import "time"

// observed is what a pool remembers of a backend id from table to table; guarded by the pool's mu.
type observed struct {
	scheme, address string
	until           time.Time // of the ejection
	probe           string    // why the last one failed
	state           State
	since           time.Time // when state became what it is
	fit             bool      // neither down nor ejected nor in maintenance
	rose            time.Time // when it became fit; zero = it was from the start
}

// newStatusLocked is that of a new id. Who joins a running pool starts slowly, and so is not fit yet.
func (p *Pool) newStatusLocked() *status {
	st := &status{load: new(Load)}
	st.fit = !p.peopled
	return st
}

// locate notes where the backend is. At another address it is another server, of which nothing is known.
func (st *status) locate(s *Spec) {
	if st.address != "" && (st.address != s.Address || st.scheme != s.Scheme) {
		st.down, st.ejected, st.observed = false, false, observed{since: st.since, state: st.state}
	}
	st.scheme, st.address = s.Scheme, s.Address
}

// noteLocked takes down what set shows.
func (p *Pool) noteLocked(set *Set, now time.Time) {
	for i := range set.Backends {
		b := &set.Backends[i]
		if st := p.status[b.ID]; st.since.IsZero() || st.state != b.State {
			st.state, st.since = b.State, now
		}
	}
	if set.Scale == 1 {
		p.stepAt = time.Time{}
		return
	}
	next := now.Add(max(p.tuning.SlowStart/whole, shortestStep))
	if !p.stepAt.After(now) || p.stepAt.After(next) {
		p.stepAt = next
	}
}
