package config

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Expand returns the explicit form of c: To is a pool and a route, backends have ids,
// routes name their strategy, the default strategy is defined, the admin listener has
// an address. Position and Fault know where its parts come from. c is not changed.
func (c *Config) Expand() *Config {
	e := *c
	e.Pools = maps.Clone(c.Pools)
	if e.Pools == nil {
		e.Pools = map[string]Pool{}
	}
	moved := map[string]string{}
	e.Sites = slices.Clone(c.Sites)
	for i := range e.Sites {
		e.expandTo(&e.Sites[i], fmt.Sprintf("sites[%d]", i), moved)
	}
	for name, p := range e.Pools {
		e.Pools[name] = p.withIDs()
	}
	for i := range e.Sites {
		e.Sites[i].Routes = e.withStrategies(e.Sites[i].Routes)
	}
	e.Strategies = withDefaultStrategy(c.Strategies)
	network, address := c.AdminAddress()
	if network == "unix" {
		e.Admin.Listen = "unix://" + address
	}
	if c.source != nil {
		e.source = c.source.withMoved(moved)
	}
	return &e
}

// poolName names the pool that To stands for after the site's first host.
func (s Site) poolName() string {
	if len(s.Hosts) == 0 {
		return "site"
	}
	return "site-" + strings.NewReplacer("*", "any", ":", "-").Replace(s.Hosts[0])
}

func (c *Config) expandTo(s *Site, path string, moved map[string]string) {
	if len(s.To) == 0 {
		return
	}
	p := DefaultPool()
	for _, url := range s.To {
		p.Backends = append(p.Backends, DefaultBackend(url))
	}
	name := s.poolName()
	c.Pools[name] = p
	moved["pools."+name+".backends"] = path + ".to"
	moved["pools."+name] = path + ".to"
	moved[path+".routes[0]"] = path + ".to"
	s.To, s.Routes = nil, []Route{{Pool: name}}
}

func (p Pool) withIDs() Pool {
	p.Backends = slices.Clone(p.Backends)
	for i := range p.Backends {
		p.Backends[i].ID = p.Backends[i].Name()
	}
	return p
}

func (c *Config) withStrategies(routes []Route) []Route {
	routes = slices.Clone(routes)
	for i, r := range routes {
		if r.Strategy == "" && r.Pool != "" && len(r.Failover) == 0 {
			routes[i].Strategy = c.Pools[r.Pool].Strategy
		}
	}
	return routes
}

// A Target is one pool that a route can lead to, and the strategy that chooses there.
type Target struct{ Pool, Strategy string }

// Targets are the pools of r: its one or its several, and those that stand in. r is a
// route of c, which is expanded.
func (c *Config) Targets(r Route) (shared, failover []Target) {
	of := func(pool string) Target {
		return Target{pool, cmp.Or(r.Strategy, c.Pools[pool].Strategy)}
	}
	if r.Pool != "" {
		shared = append(shared, of(r.Pool))
	}
	for _, s := range r.Pools {
		shared = append(shared, of(s.Pool))
	}
	for _, name := range r.Failover {
		failover = append(failover, of(name))
	}
	return shared, failover
}

func withDefaultStrategy(given map[string]Strategy) map[string]Strategy {
	all := maps.Clone(given)
	if all == nil {
		all = map[string]Strategy{}
	}
	if _, ok := all[defaultStrategy]; !ok {
		s := defaults[Strategy]()
		s.Use, s.Options = "builtin/stateless", json.RawMessage(`{"algorithm":"p2c"}`)
		all[defaultStrategy] = s
	}
	return all
}
