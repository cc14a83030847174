package edge

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"

	"github.com/wedge-lb/wedge/edge/config"
	"github.com/wedge-lb/wedge/edge/plugin"
	"github.com/wedge-lb/wedge/edge/strategy"
)

const builtin = "builtin/"

// strategy is the named one: that which serves, or one that is being planned.
func (s *Server) strategy(name string) *strategy.Strategy {
	if got := s.strategies[name]; got != nil {
		return got
	}
	got := s.planned[name]
	if got == nil {
		got = strategy.New(name, s.strategyDeps())
		s.planned[name] = got
	}
	return got
}

// planStrategies makes a candidate of each strategy that a pool or a route of c uses. One
// that was swapped by hand stays swapped while the configuration's own words for it stay the same. The caller
// discards the candidates if there is an error.
func (s *Server) planStrategies(ctx context.Context, c *config.Config, pools map[string]*poolPlan) (
	map[string]*strategy.Candidate, error) {
	candidates := map[string]*strategy.Candidate{}
	targets := strategyTargets(c, pools)
	if s.trial {
		tryUnused(c, pools, targets)
	}
	var faults []error
	for _, name := range slices.Sorted(maps.Keys(targets)) {
		made, err := s.planStrategy(ctx, c, name, targets[name])
		if err != nil {
			faults = append(faults, err)
			continue
		}
		candidates[name] = made
	}
	return candidates, errors.Join(faults...)
}

func (s *Server) planStrategy(ctx context.Context, c *config.Config, name string, targets []strategy.Target) (
	*strategy.Candidate, error) {
	spec, err := s.specOf(c, name)
	if errors.As(err, new(config.Fault)) {
		return nil, err
	}
	if err != nil {
		return nil, c.Fault("strategies."+name+".use", err.Error())
	}
	made, err := s.strategy(name).Prepare(ctx, spec, targets)
	if err != nil {
		return nil, c.Fault("strategies."+name+refusedOption(err), err.Error())
	}
	return made, nil
}

var namedOption = regexp.MustCompile(`^option ([A-Za-z0-9_.\[\]-]{1,200}): `)

// refusedOption is where in a strategy the options are that a plugin refused; "" if it was not for them. A plugin
// may name one as those of the SDK do; what else it writes is no place.
func refusedOption(err error) string {
	var f *plugin.Fault
	if !errors.As(err, &f) || f.Kind != plugin.Refused || f.Step != "configure" {
		return ""
	}
	if named := namedOption.FindStringSubmatch(f.Text); named != nil {
		return ".options." + named[1]
	}
	return ".options"
}

// strategyTargets are the pools that each strategy serves.
func strategyTargets(c *config.Config, pools map[string]*poolPlan) map[string][]strategy.Target {
	targets := map[string][]strategy.Target{}
	seen := map[config.Target]bool{}
	add := func(t config.Target) {
		if t.Strategy != config.Fallback && !seen[t] {
			seen[t] = true
			p := pools[t.Pool]
			targets[t.Strategy] = append(targets[t.Strategy], strategy.Target{Pool: p.pool, Set: p.preview})
		}
	}
	for _, site := range c.Sites {
		for _, r := range site.Routes {
			shared, failover := c.Targets(r)
			for _, t := range slices.Concat(shared, failover) {
				add(t)
				for _, relief := range c.Reliefs(t.Strategy) {
					add(config.Target{Pool: t.Pool, Strategy: relief})
				}
			}
		}
	}
	return targets
}

// tryUnused adds the strategies that nothing uses, with some pool to try their options on.
func tryUnused(c *config.Config, pools map[string]*poolPlan, targets map[string][]strategy.Target) {
	names := slices.Sorted(maps.Keys(pools))
	for name := range c.Strategies {
		if targets[name] == nil && len(names) > 0 {
			p := pools[names[0]]
			targets[name] = []strategy.Target{{Pool: p.pool, Set: p.preview}}
		}
	}
}

// specOf is what a strategy of c is made of.
func (s *Server) specOf(c *config.Config, name string) (strategy.Spec, error) {
	conf := c.Strategies[name]
	if kept, ok := s.swapped[name]; ok && sameStrategy(s.conf, c, name) {
		return kept, nil
	}
	wasm, err := s.module(c, conf.Use)
	return strategy.Spec{
		Use: conf.Use, Wasm: wasm, Options: conf.Options, Grants: conf.Grants,
		Memory: int64(conf.Limits.Memory), Fuel: int64(conf.Limits.Fuel),
	}, err
}

// sameStrategy tells whether two configurations say the same of a strategy.
func sameStrategy(a, b *config.Config, name string) bool {
	x, y := a.Strategies[name], b.Strategies[name]
	return fmt.Sprintf("%+v", x) == fmt.Sprintf("%+v", y) && a.Plugins[x.Use] == b.Plugins[y.Use]
}

// strategyDeps are what strategies work with.
func (s *Server) strategyDeps() strategy.Deps {
	return strategy.Deps{
		Host: s.host, Secret: s.poolSecret, Logger: s.log,
		Fault: func(name, kind string) { s.metrics.Strategy(name).Fault(kind) },
	}
}

// poolSecret is the key of a pool's hashes: equal on every edge that shares the pool's secret.
func (s *Server) poolSecret(pool string) [16]byte {
	if p := s.secrets.Load(); p != nil {
		if secret, ok := (*p)[pool]; ok {
			return secret
		}
	}
	return s.keys.PoolSecret(pool)
}

// SwapRequest is a strategy's new plugin.
type SwapRequest struct {
	Use     string // builtin/NAME, a plugin of the configuration, or how to call Module
	Module  []byte // the plugin itself; nil = what Use names
	Options []byte // JSON; nil = the options that serve, if the plugin stays the same, else {}

	Signature []byte // of Module, 64 bytes; nil = it has none
}

// Swap puts another plugin or other options into service for a strategy while requests flow. When it fails,
// nothing has changed and the error says at which step. It lasts until the configuration says something else of
// the strategy.
func (s *Server) Swap(ctx context.Context, name string, r SwapRequest) error {
	if err := s.change.take(ctx); err != nil {
		return err
	}
	defer s.change.give()
	target := s.strategies[name]
	conf, ok := s.conf.Strategies[name]
	if target == nil || !ok {
		return fmt.Errorf("strategy %q: %w", name, ErrUnknown)
	}
	spec := strategy.Spec{Use: r.Use, Wasm: r.Module, Options: r.Options,
		Grants: conf.Grants, Memory: int64(conf.Limits.Memory), Fuel: int64(conf.Limits.Fuel)}
	var err error
	if spec.Wasm == nil {
		spec.Wasm, err = s.module(s.conf, r.Use)
	} else {
		err = s.vouched(name, r)
	}
	if err != nil {
		return err
	}
	if spec.Options == nil {
		spec.Options = s.optionsOf(name, r.Use)
	}
	if err := target.Swap(ctx, spec); err != nil {
		return err
	}
	s.mu.Lock()
	s.swapped[name] = spec
	s.mu.Unlock()
	s.log.Info("strategy swapped", "strategy", name, "use", r.Use)
	return nil
}

// optionsOf are the options that a strategy serves with, if it runs that plugin, and else none.
func (s *Server) optionsOf(name, use string) []byte {
	now, swapped := s.swapped[name]
	conf := s.conf.Strategies[name]
	switch {
	case swapped && now.Use == use:
		return now.Options
	case !swapped && conf.Use == use:
		return conf.Options
	}
	return []byte("{}")
}
