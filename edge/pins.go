package edge

import (
	"errors"
	"time"

	"github.com/wedge-lb/wedge/edge/affinity"
	"github.com/wedge-lb/wedge/edge/observe"
)

// pins is the number of clients that are pinned to a backend of a pool. s.mu is held.
func (s *Server) pins(pool, backend string) int { return s.affinities[pool].Pins(backend, time.Now()) }

// watchPins lets pins and sessions be read as metrics.
func (s *Server) watchPins() error {
	return errors.Join(
		s.metrics.Watch(observe.Family{
			Name: "wedge_backend_pins", Help: "Clients that came back to the backend they are pinned to, estimated.",
			Labels: []string{"pool", "backend"},
		}, s.eachPin),
		s.metrics.Watch(observe.Family{
			Name:   "wedge_pins_lost_total",
			Help:   "Requests of pinned clients whose backend is not configured (unknown) or cannot serve (down).",
			Labels: []string{"pool", "action", "cause"}, Counter: true,
		}, s.eachLoss),
		s.metrics.Watch(observe.Family{
			Name: "wedge_sessions", Help: "Sessions of the application that are remembered.", Labels: []string{"pool"},
		}, s.eachTable(func(st affinity.SessionStats) float64 { return float64(st.Entries) })),
		s.metrics.Watch(observe.Family{
			Name: "wedge_sessions_evicted_total", Help: "Sessions that had to go because the table was full.",
			Labels: []string{"pool"}, Counter: true,
		}, s.eachTable(func(st affinity.SessionStats) float64 { return float64(st.Evicted) })),
	)
}

func (s *Server) eachPin(emit observe.Emit) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, p := range s.pools {
		for _, b := range p.Set().Backends {
			emit(float64(s.pins(name, b.ID)), name, b.ID)
		}
	}
}

func (s *Server) eachLoss(emit observe.Emit) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, a := range s.affinities {
		a.EachLoss(func(action, cause string, n uint64) { emit(float64(n), name, action, cause) })
	}
}

func (s *Server) eachTable(value func(affinity.SessionStats) float64) func(observe.Emit) {
	return func(emit observe.Emit) {
		s.mu.Lock()
		defer s.mu.Unlock()
		for name, a := range s.affinities {
			if a.HasSessions() {
				emit(value(a.SessionStats()), name)
			}
		}
	}
}
