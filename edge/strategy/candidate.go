package strategy

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/wedge-lb/wedge/edge/balance"
	"github.com/wedge-lb/wedge/edge/plugin"
)

// selfTestPicks is how many synthetic requests a candidate decides before it may serve.
const selfTestPicks = 1000

// A Candidate is a generation that was made ready beside the one that serves. It must be given to Commit or
// discarded.
type Candidate struct {
	strategy   *Strategy
	generation generation
}

// Prepare makes a generation ready: load, check, compile, instantiate, configure, backends, self-test. An
// error names the step and changes nothing. What the running generation has in common with it is used
// again: compiled code, and the guests of a pool that it serves already.
func (s *Strategy) Prepare(ctx context.Context, spec Spec, targets []Target) (*Candidate, error) {
	spec = spec.complete()
	c := &Candidate{strategy: s, generation: generation{spec: spec, guests: map[*balance.Pool]*guests{}}}
	c.generation.spec.Wasm = nil
	s.share(&c.generation, targets)
	if err := c.build(ctx, spec, targets); err != nil {
		c.Discard()
		return nil, fmt.Errorf("strategy %s: %w", s.name, err)
	}
	return c, nil
}

// share takes what the running generation has in common with g.
func (s *Strategy) share(g *generation, targets []Target) {
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.current
	if old == nil || !old.spec.sameCode(g.spec) {
		return
	}
	g.code = old.code
	g.code.refs++
	if !old.spec.sameGuests(g.spec) {
		return
	}
	for _, t := range targets {
		if held := old.guests[t.Pool]; held != nil && held.secret == s.deps.Secret(t.Pool.Name()) {
			held.refs++
			g.guests[t.Pool] = held
		}
	}
}

// build makes what could not be shared, and tries new tables on what could.
func (c *Candidate) build(ctx context.Context, spec Spec, targets []Target) error {
	s, g := c.strategy, &c.generation
	if g.code == nil {
		module, err := s.deps.Host.Load(ctx, s.name, spec.Wasm, plugin.Limits{Memory: spec.Memory})
		if err != nil {
			return err
		}
		g.code = &code{module: module, refs: 1}
	}
	for _, t := range targets {
		if err := c.serve(ctx, spec, t); err != nil {
			return fmt.Errorf("pool %s: %w", t.Pool.Name(), err)
		}
	}
	return nil
}

func (c *Candidate) serve(ctx context.Context, spec Spec, t Target) error {
	if held := c.generation.guests[t.Pool]; held != nil {
		if sameTable(held.Set(), t.Set) {
			return nil
		}
		return held.Try(ctx, t.Set, selfTestPicks)
	}
	s := c.strategy
	secret := s.deps.Secret(t.Pool.Name())
	made, err := c.generation.code.module.Bind(ctx, plugin.Binding{
		Set: t.Set, Options: spec.Options, Secret: secret, Grants: spec.Grants, Instances: spec.Instances,
		Fuel: spec.Fuel, Usage: &s.usage, Counters: &s.counters, Fault: s.fault, Wake: s.poke,
	})
	if err != nil {
		return err
	}
	s.mu.Lock()
	c.generation.code.refs++
	s.mu.Unlock()
	c.generation.guests[t.Pool] = &guests{
		Guests: made, pool: t.Pool, code: c.generation.code, secret: secret, refs: 1,
	}
	return made.SelfTest(ctx, selfTestPicks)
}

// Attributes lists what the candidate's strategy sees of a request.
func (c *Candidate) Attributes() []string { return c.generation.attributes() }

// Discard frees a candidate that is not to serve.
func (c *Candidate) Discard() {
	s := c.strategy
	s.mu.Lock()
	s.releaseLocked(&c.generation)
	c.generation.guests, c.generation.code = nil, nil
	s.mu.Unlock()
	s.reapSoon()
}

// reapSoon frees what is idle now and leaves the rest to Run.
func (s *Strategy) reapSoon() {
	ctx, cancel := context.WithTimeout(context.Background(), reapTime)
	defer cancel()
	if s.reap(ctx) != nil {
		s.poke()
	}
}

// reapTime is how long Run waits at a time for the picks of an old generation.
const reapTime = 100 * time.Millisecond

// Commit puts a candidate into service. From then on each pick is the new generation's; those in progress
// end on the old one, which Run closes.
func (s *Strategy) Commit(c *Candidate) {
	s.mu.Lock()
	defer s.mu.Unlock()
	old, g := s.current, &c.generation
	if g.code == nil {
		return // committed or discarded already
	}
	g.number = 1
	changed := true
	if old != nil {
		changed = !old.spec.sameGuests(g.spec)
		g.number = old.number
		if changed {
			g.number++
		}
	}
	s.current = &generation{g.number, g.spec, g.code, g.guests}
	g.code, g.guests = nil, nil
	s.pointLocked()
	if old != nil {
		s.releaseLocked(old)
		s.unwatchLocked(old)
	}
	if changed {
		s.outage.reset()
		s.deps.Logger.Info("strategy serves", slog.String("strategy", s.name), slog.String("use", g.spec.Use),
			slog.String("digest", g.spec.short()), slog.Int("generation", g.number))
	}
	s.poke()
}

// pointLocked makes every handle point to the guests of the current generation.
func (s *Strategy) pointLocked() {
	g := s.current
	for pool, held := range g.guests {
		pool.Watch(s.wake)
		h := s.handleLocked(pool)
		if now := h.serving.Load(); now != nil && now.guests == held.Guests {
			continue
		}
		h.serving.Store(&serving{held.Guests, s.name, g.spec.short(), held.Observes()})
	}
	for pool, h := range s.handles {
		if g.guests[pool] == nil {
			h.serving.Store(nil)
		}
	}
}

// unwatchLocked stops watching the pools that only the old generation served.
func (s *Strategy) unwatchLocked(old *generation) {
	for pool := range old.guests {
		if s.current == nil || s.current.guests[pool] == nil {
			pool.Unwatch(s.wake)
			delete(s.handles, pool)
		}
	}
}

// Swap prepares a generation for the pools that are served now and commits it.
func (s *Strategy) Swap(ctx context.Context, spec Spec) error {
	c, err := s.Prepare(ctx, spec, s.targets())
	if err != nil {
		return err
	}
	s.Commit(c)
	return nil
}

func (s *Strategy) targets() []Target {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []Target
	if s.current != nil {
		for pool := range s.current.guests {
			list = append(list, Target{pool, pool.Set()})
		}
	}
	return list
}
