package edge

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/wedge-lb/wedge/edge/certs"
	"github.com/wedge-lb/wedge/edge/config"
	"github.com/wedge-lb/wedge/edge/geo"
	"github.com/wedge-lb/wedge/edge/health"
	"github.com/wedge-lb/wedge/edge/proxy"
	"github.com/wedge-lb/wedge/edge/strategy"
	"github.com/wedge-lb/wedge/edge/upstream"
)

// A generation is everything that one configuration makes, ready to be taken. Until then nothing that runs has
// changed, and discard leaves no trace.
type generation struct {
	server     *Server
	conf       *config.Config // expanded
	file       *config.Config // as it was written
	pools      map[string]*poolPlan
	discovered map[string]*discovery
	candidates map[string]*strategy.Candidate
	certs      *certs.Change
	upstream   map[string]upstream.Settings
	health     []health.Config
	proxy      *proxy.Generation
	countries  *geo.Database // nil = none
	opened     []*door
	mark       uint64
	secrets    *map[string][16]byte // before the plan
}

// plan makes a generation of c. s.change is held, or s is not shared yet.
func (s *Server) plan(ctx context.Context, c *config.Config) (*generation, error) {
	g := &generation{server: s, file: c, conf: c.Expand(), mark: s.metrics.Mark(), secrets: s.secrets.Load()}
	if err := g.build(ctx); err != nil {
		g.discard()
		return nil, err
	}
	return g, nil
}

// build collects the faults of every part, so that all are told at once.
func (g *generation) build(ctx context.Context) error {
	s, c := g.server, g.conf
	var err error
	if g.discovered, err = s.planDiscovery(ctx, c); err != nil {
		return err
	}
	if g.pools, err = s.planPools(c, g.discovered); err != nil {
		return err
	}
	secrets := map[string][16]byte{}
	for name, p := range g.pools {
		secrets[name] = p.keys.PoolSecret(name)
	}
	s.secrets.Store(&secrets)
	var faults []error
	g.candidates, err = s.planStrategies(ctx, c, g.pools)
	faults = append(faults, err)
	g.upstream, g.health, err = planBackends(c, g.pools)
	faults = append(faults, err)
	if g.certs, err = s.certs.Prepare(ctx, tlsSettings(c)); err != nil {
		faults = append(faults, tlsFaults(c, err)...)
	}
	table, err := s.planSites(c, g.pools)
	faults = append(faults, err)
	g.proxy = &proxy.Generation{
		Sites: table, Trusted: c.Server.TrustedProxies, Challenge: s.challenge,
		Unrouted: s.metrics.Route(unrouted, unrouted), Log: s.accessLog,
	}
	return errors.Join(append(faults, g.locate())...)
}

func (s *Server) challenge(host, path []byte) (string, bool) {
	return s.certs.HTTPChallenge(string(host), string(path))
}

// open binds the sockets that are not bound yet.
func (g *generation) open() error {
	s := g.server
	deps := doorDeps{
		handler: s.proxy, refuse: s.proxy.Refuse, tls: s.certs.TLSConfig, guard: s.guard, logger: s.log, keys: s.quic,
	}
	for _, p := range places(g.conf) {
		if s.doors[p] != nil {
			continue
		}
		if s.bound(p.address) {
			return g.conf.Fault("server.protocols", fmt.Sprintf(
				"the protocols of %s cannot change while it is served; restart", p.address))
		}
		d, err := openDoor(p, deps, limits(g.conf), proxies(g.conf))
		if err != nil {
			return g.conf.Fault("server.listen", err.Error())
		}
		g.opened = append(g.opened, d)
	}
	return nil
}

// bound tells whether a door with this address is open.
func (s *Server) bound(address string) bool {
	for p := range s.doors {
		if p.address == address {
			return true
		}
	}
	return false
}

// discard undoes a plan.
func (g *generation) discard() {
	s := g.server
	for _, c := range g.candidates {
		c.Discard()
	}
	for _, d := range g.opened {
		d.discard()
	}
	clear(s.planned)
	s.secrets.Store(g.secrets)
}

// take puts g into service. It is false, and nothing has changed, if the Server has begun to drain.
func (s *Server) take(g *generation) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state.Load() == draining {
		return false
	}
	for name, p := range g.pools {
		s.pools[name] = p.pool
		s.overrides.Apply(p.pool, time.Now())
		p.pool.Update(s.specs(p, g.discovered[name]))
		p.pool.SetLimits(capacity(p.conf.Limits))
		s.affinities[name] = p.affinity
		p.affinity.Begin()
		s.sessions.take(p)
	}
	for name, settings := range g.upstream {
		s.upstream.Configure(name, settings)
	}
	for name, t := range s.planned {
		s.strategies[name] = t
	}
	clear(s.planned)
	for name, c := range g.candidates {
		s.strategies[name].Commit(c)
	}
	g.certs.Commit()
	for _, d := range g.opened {
		s.doors[d.place] = d
	}
	g.proxy.SecurePort = s.securePort(g.conf)
	s.proxy.Swap(g.proxy)
	s.health.Apply(g.health)
	for name := range s.swapped {
		if s.conf == nil || !sameStrategy(s.conf, g.conf, name) {
			delete(s.swapped, name)
		}
	}
	s.conf, s.file, s.discovered = g.conf, g.file, g.discovered
	s.countries = g.countries
	s.generation++
	return true
}

func (s *Server) securePort(c *config.Config) uint16 {
	for p, d := range s.doors {
		if p.secure && p.address == c.Server.Listen.HTTPS {
			return uint16(d.port())
		}
	}
	return 0
}
