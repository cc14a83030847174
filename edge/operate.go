package edge

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/wedge-lb/wedge/edge/admin"
	"github.com/wedge-lb/wedge/edge/affinity"
	"github.com/wedge-lb/wedge/edge/balance"
	"github.com/wedge-lb/wedge/edge/override"
)

func (c control) Pools() []admin.Pool {
	s := c.s
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []admin.Pool
	for name, p := range s.pools {
		list = append(list, admin.Pool{
			Name: name, Strategy: s.conf.Pools[name].Strategy, Panic: p.Set().Panic,
			Backends: describeBackends(p, s.affinities[name]),
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
			Since: b.Since, EjectedUntil: b.EjectedUntil, ProbeError: b.ProbeError, SlowStart: b.SlowStart,
		})
	}
	return list
}

// Override needs no turn: it stands whatever a reload in progress makes of the pool.
func (c control) Override(pool, backend string, change admin.Change) error {
	s := c.s
	err := s.override(pool, backend, change)
	switch {
	case errors.Is(err, override.ErrFull):
		return admin.Refused(err.Error(), "take some back; wedge overrides lists them")
	case errors.Is(err, override.ErrNone):
		return admin.Refused(err.Error(), "give a state or a weight as well")
	case errors.Is(err, override.ErrDeadline):
		return admin.Refused("the change is not taken", "give the state as well; nothing has changed",
			admin.Fault{Place: "deadline", Message: err.Error()})
	case err != nil:
		return err
	}
	s.tendOverrides(true)
	select {
	case s.overridden <- struct{}{}:
	default: // the loop is to look already
	}
	return nil
}

func (s *Server) override(pool, backend string, c admin.Change) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.pools[pool]
	switch {
	case c.State == admin.StateConfigured:
		s.overrides.Drop(pool, backend, p)
		return nil
	case p == nil:
		return admin.NotFound("pool", pool, "wedge status lists those there are")
	case p.Set().Find(backend) == nil:
		return admin.NotFound("backend", backend, "wedge status lists those there are")
	}
	change := override.Change{State: c.State, Weight: c.Weight, TTL: c.TTL, Deadline: c.Deadline}
	return s.overrides.Set(p, backend, change, time.Now())
}

func (c control) Overrides() []admin.Override {
	s := c.s
	s.mu.Lock()
	defer s.mu.Unlock()
	words, unsaved := s.overrides.List()
	var list []admin.Override
	for _, w := range words {
		p := s.pools[w.Pool]
		o := admin.Override{
			Pool: w.Pool, Backend: w.Backend, State: w.State, Weight: w.Weight, Since: w.Since, Until: w.Until,
			Deadline: w.Deadline, Known: p != nil && p.Set().Find(w.Backend) != nil,
		}
		if unsaved != nil {
			o.Unsaved = unsaved.Error()
		}
		list = append(list, o)
	}
	return list
}

// keepOverrides ends overrides and lets deadlines pass until ctx ends.
func (s *Server) keepOverrides(ctx context.Context) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-s.overridden:
		case <-timer.C:
		}
		timer.Reset(s.tendOverrides(false))
	}
}

// tendOverrides does what is due now and gives the time until more is. With changed they are saved anyway.
func (s *Server) tendOverrides(changed bool) time.Duration {
	s.mu.Lock()
	due := s.overrides.Tend(s.pools, time.Now())
	s.mu.Unlock()
	for _, b := range due.Sever {
		s.upstream.Sever(b)
	}
	if changed || due.Save {
		s.overrides.Save()
	}
	return due.Wait
}
