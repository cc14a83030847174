package edge

import (
	"slices"
	"strings"
	"time"

	"github.com/wedge-lb/wedge/edge/admin"
	"github.com/wedge-lb/wedge/edge/affinity"
	"github.com/wedge-lb/wedge/edge/balance"
)

func (c control) Pools() []admin.Pool {
	s := c.s
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []admin.Pool
	for name, p := range s.pools {
		list = append(list, admin.Pool{
			Name: name, Strategy: s.conf.Pools[name].Strategy, Backends: describeBackends(p, s.affinities[name]),
		})
	}
	slices.SortFunc(list, func(a, b admin.Pool) int { return strings.Compare(a.Name, b.Name) })
	return list
}

func describeBackends(p *balance.Pool, pins *affinity.Affinity) []admin.Backend {
	now := time.Now()
	var list []admin.Backend
	for _, b := range p.Status() {
		list = append(list, admin.Backend{
			ID: b.ID, Address: b.Address, Zone: b.Zone, Weight: b.Weight, State: b.State.String(),
			Override: b.Override, Down: b.Down, Ejected: b.Ejected, InFlight: b.InFlight,
			Pins: pins.Pins(b.ID, now), LatencyNS: int64(b.Latency),
		})
	}
	return list
}

// Override needs no turn: it stands whatever a reload in progress makes of the pool.
func (c control) Override(pool, backend string, change admin.Change) error {
	s := c.s
	if err := s.override(subject{pool, backend}, change); err != nil {
		return err
	}
	s.tendOverrides(true)
	select {
	case s.overrides.wake <- struct{}{}:
	default: // the loop is to look already
	}
	return nil
}

func (s *Server) override(at subject, change admin.Change) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.pools[at.pool]
	switch {
	case change.State == admin.StateConfigured:
		s.overrides.drop(at, p, "taken back")
		return nil
	case p == nil:
		return admin.NotFound("pool", at.pool, "wedge status lists those there are")
	case p.Set().Find(at.backend) == nil:
		return admin.NotFound("backend", at.backend, "wedge status lists those there are")
	}
	return s.overrides.set(p, at.backend, change, time.Now().UTC().Round(0))
}

func (c control) Overrides() []admin.Override {
	s := c.s
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []admin.Override
	for _, o := range s.overrides.sorted() {
		p := s.pools[o.Pool]
		each := admin.Override{
			Pool: o.Pool, Backend: o.Backend, State: o.State, Weight: o.Weight, Since: o.Since, Until: o.Until,
			Deadline: o.Deadline, Known: p != nil && p.Set().Find(o.Backend) != nil,
		}
		if s.overrides.unsaved != nil {
			each.Unsaved = s.overrides.unsaved.Error()
		}
		list = append(list, each)
	}
	return list
}
