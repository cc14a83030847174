package observe

import (
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// decisionScale is for picks: 100 ns to 10 ms.
func decisionScale() *scale {
	const us = time.Microsecond
	return newScale(100, 200, 500, us, 2*us, 5*us, 10*us, 20*us, 50*us, 100*us, 200*us, 500*us,
		1000*us, 2000*us, 5000*us, 10000*us)
}

// outcomes are the classes of decisions; the last is for any other.
var outcomes = [...]string{"new", "hit", "repick", "fallback", "rejected", "other"}

const maxFaultKinds = 32

// A Strategy counts what one strategy decided. Any number of goroutines may use it; a nil *Strategy counts
// nothing.
type Strategy struct {
	grid  grid
	scale *scale

	mu     sync.Mutex
	faults map[string]uint64
}

func newStrategy(s *scale) *Strategy {
	return &Strategy{grid: newGrid(len(outcomes) + s.width), scale: s, faults: map[string]uint64{}}
}

// Decided counts a decision by the name of its outcome and the time that the strategy took; 0 = not measured.
func (s *Strategy) Decided(shard uint32, outcome string, d time.Duration) {
	if s == nil {
		return
	}
	row := s.grid.row(shard)
	row[indexOf(outcomes[:], outcome)].Add(1)
	if d > 0 {
		s.scale.observe(row[len(outcomes):], d)
	}
}

// Fault counts a fault of the strategy's plugin. The kinds are a few constants of the caller.
func (s *Strategy) Fault(kind string) {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, known := s.faults[kind]; !known && len(s.faults) >= maxFaultKinds {
		kind = "other"
	}
	s.faults[kind]++
}

type strategyDescs struct{ decisions, duration, faults *prometheus.Desc }

func newStrategyDescs() strategyDescs {
	return strategyDescs{
		decisions: desc("wedge_strategy_decisions_total", "Decisions by outcome.", "strategy", "outcome"),
		duration:  desc("wedge_strategy_decision_duration_seconds", "Time that a decision took.", "strategy"),
		faults:    desc("wedge_strategy_faults_total", "Faults of a strategy's plugin.", "strategy", "kind"),
	}
}

func (d *strategyDescs) collect(k names, s *Strategy, out chan<- prometheus.Metric) {
	for i, outcome := range outcomes {
		if n := s.grid.sum(i); n > 0 || outcome != "other" {
			out <- count(d.decisions, n, k[0], outcome)
		}
	}
	if h := s.scale.metric(&s.grid, len(outcomes), d.duration, k[0]); h != nil {
		out <- h
	}
	s.mu.Lock()
	faults := maps.Clone(s.faults)
	s.mu.Unlock()
	for _, kind := range slices.Sorted(maps.Keys(faults)) {
		out <- count(d.faults, faults[kind], k[0], kind)
	}
}
