package edge

import (
	"maps"

	"github.com/wedge-lb/wedge/edge/observe"
)

// fuelClasses are those of a pick's work that metrics tell apart: up to some 4 million units, and more.
const fuelClasses = 23

// watchFuel lets the work that picks take be read as a metric.
func (s *Server) watchFuel() error { return s.metrics.WatchFuel(s.eachFuel) }

func (s *Server) eachFuel(emit observe.FuelEmit) {
	s.mu.Lock()
	strategies := maps.Clone(s.strategies)
	s.mu.Unlock()
	for name, st := range strategies {
		used := st.Fuel()
		classes := used.Picks[:fuelClasses]
		for _, n := range used.Picks[fuelClasses:] {
			classes[fuelClasses-1] += n
		}
		emit(name, classes, used.Units)
	}
}
