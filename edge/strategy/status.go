package strategy

import (
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wedge-lb/wedge/edge/plugin"
)

// faults counts what the guests of all generations did wrong.
type faults struct {
	counts [plugin.Kinds]atomic.Uint64

	mu     sync.Mutex
	recent []Fault // the newest last
	logged time.Time
}

// maxRecent is how many faults a strategy's status tells in full.
const maxRecent = 8

// A Fault is one that happened, and when.
type Fault struct {
	*plugin.Fault
	At time.Time
}

// note keeps the newest faults, and tells whether it is time to log one: once a second at most.
func (f *faults) note(fault *plugin.Fault, now time.Time) (log bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.recent) == maxRecent {
		f.recent = slices.Delete(f.recent, 0, 1)
	}
	f.recent = append(f.recent, Fault{fault, now})
	if now.Sub(f.logged) < time.Second {
		return false
	}
	f.logged = now
	return true
}

// fault hears of every fault of the guests that serve.
func (s *Strategy) fault(f *plugin.Fault) {
	now := s.deps.Now()
	s.faults.counts[f.Kind].Add(1)
	if s.faults.note(f, now) {
		s.deps.Logger.Warn("plugin fault", slog.String("strategy", s.name), slog.String("fault", f.Error()))
	}
	s.deps.Fault(s.name, f.Kind.String())
	// After a bad pick the fallback decides and the guest is sound: that is counted, and no reason to shut
	// it out.
	if f.Kind != plugin.BadPick && s.outage.note(now) {
		s.deps.Logger.Warn("strategy quarantined", slog.String("strategy", s.name),
			slog.Time("until", s.outage.end()), slog.String("fault", f.Error()))
		s.poke()
	}
}

// Status is what an operator sees of a strategy.
type Status struct {
	Name       string
	Use        string // what the configuration calls the plugin
	Digest     string // SHA-256 of the plugin, in hex
	Generation int    // counts the generations that served; 0 = none yet
	Pools      []string
	Instances  int      // that can serve, of all pools
	Memory     int64    // bytes of those that are idle at the moment
	Attributes []string // what it sees of a request

	Fuel        plugin.UsageCount // what its picks used, of all generations
	Faults      map[string]uint64 // by kind, of all generations; kinds without any are left out
	LastFault   string
	LastFaultAt time.Time
	Recent      []Fault // the newest last

	QuarantinedUntil time.Time // zero: it is not
}

// Status tells how the strategy is.
func (s *Strategy) Status() Status {
	st := Status{Name: s.name, Faults: map[string]uint64{}, QuarantinedUntil: s.outage.end()}
	for k := range plugin.Kinds {
		if n := s.faults.counts[k].Load(); n > 0 {
			st.Faults[plugin.Kind(k).String()] = n
		}
	}
	s.faults.mu.Lock()
	if st.Recent = slices.Clone(s.faults.recent); len(st.Recent) > 0 {
		newest := st.Recent[len(st.Recent)-1]
		st.LastFault, st.LastFaultAt = newest.Error(), newest.At
	}
	s.faults.mu.Unlock()

	for _, g := range s.describe(&st) {
		st.Pools = append(st.Pools, g.pool.Name())
		st.Instances += g.Live()
		st.Memory += g.Memory()
	}
	st.Fuel = s.Fuel()
	slices.Sort(st.Pools)
	return st
}

// Fuel tells what the picks of all generations used.
func (s *Strategy) Fuel() plugin.UsageCount {
	s.mu.Lock()
	var serving []*guests
	if s.current != nil {
		serving = slices.Collect(maps.Values(s.current.guests))
	}
	s.mu.Unlock()
	for _, g := range serving {
		g.AddUsage()
	}
	return s.usage.Read()
}

// describe fills in what is known of the generation that serves, and gives its guests.
func (s *Strategy) describe(st *Status) []*guests {
	s.mu.Lock()
	defer s.mu.Unlock()
	g := s.current
	if g == nil {
		return nil
	}
	st.Use, st.Digest, st.Generation = g.spec.Use, g.spec.Digest, g.number
	st.Attributes = g.attributes()
	return slices.Collect(maps.Values(g.guests))
}

// attributes lists what the strategy sees of a request; it is the same for every pool unless the plugin
// declares it by chance, so all are listed.
func (g *generation) attributes() []string {
	var list []string
	for _, held := range g.guests {
		for _, a := range held.Attributes() {
			list = append(list, a.Label())
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}
