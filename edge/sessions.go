package edge

import (
	"time"

	"github.com/wedge-lb/wedge/edge/observe"
)

// pins is the number of clients that are pinned to a backend of a pool. s.mu is held.
func (s *Server) pins(pool, backend string) int { return s.affinities[pool].Pins(backend, time.Now()) }

// watchPins lets the pins be read as metrics.
func (s *Server) watchPins() error {
	return s.metrics.Watch(observe.Family{
		Name: "wedge_backend_pins", Help: "Clients that came back to the backend they are pinned to, estimated.",
		Labels: []string{"pool", "backend"},
	}, func(emit observe.Emit) {
		s.mu.Lock()
		defer s.mu.Unlock()
		for name, p := range s.pools {
			for _, b := range p.Set().Backends {
				emit(float64(s.pins(name, b.ID)), name, b.ID)
			}
		}
	})
}
