package edge

import (
	"errors"
	"fmt"
	"strings"

	"github.com/wedge-lb/wedge/edge/balance"
	"github.com/wedge-lb/wedge/edge/certs"
	"github.com/wedge-lb/wedge/edge/config"
	"github.com/wedge-lb/wedge/edge/listen"
	"github.com/wedge-lb/wedge/edge/observe"
	"github.com/wedge-lb/wedge/edge/proxy"
	"github.com/wedge-lb/wedge/edge/route"
)

// unrouted names, in metrics, the requests that no route took.
const unrouted = "-"

// planSites makes the match table of c.
func (s *Server) planSites(c *config.Config, pools map[string]*poolPlan) (*route.Table[proxy.Route], error) {
	var sites []route.Site[proxy.Route]
	for i, conf := range c.Sites {
		site := route.Site[proxy.Route]{Name: siteName(conf), Hosts: conf.Hosts}
		for j, r := range conf.Routes {
			site.Routes = append(site.Routes, route.Route[proxy.Route]{
				Name: routeName(r, j), Path: r.Match.Path, Methods: r.Match.Method,
				Target: s.route(c, conf, r, j, pools),
			})
		}
		if len(site.Routes) == 0 {
			return nil, c.Fault(fmt.Sprintf("sites[%d]", i), "no route and no backend")
		}
		sites = append(sites, site)
	}
	table, err := route.New(sites)
	if err != nil {
		return nil, c.Fault("sites", err.Error())
	}
	return table, nil
}

// route is where a route's requests go.
func (s *Server) route(c *config.Config, site config.Site, r config.Route, n int,
	pools map[string]*poolPlan) proxy.Route {
	var list [2][]*proxy.Route
	shared, failover := c.Targets(r)
	for i, targets := range [2][]config.Target{shared, failover} {
		for _, t := range targets {
			one := s.target(c, site, r, n, pools[t.Pool], t.Strategy)
			list[i] = append(list[i], &one)
		}
	}
	weights := []uint64{1}
	if len(r.Pools) > 0 {
		weights = nil
	}
	for _, share := range r.Pools {
		weights = append(weights, uint64(share.Weight))
	}
	target := *list[0][0]
	if len(shared)+len(failover) > 1 {
		target.Group = proxy.NewGroup(list[0], weights, list[1])
	}
	return target
}

// target is one pool that a route leads to.
func (s *Server) target(c *config.Config, site config.Site, r config.Route, n int, p *poolPlan,
	strategy string) proxy.Route {
	t := proxy.Route{
		Site: siteName(site), Name: routeName(r, n), Secure: c.Server.Listen.HTTPS != "" && !site.TLS.Off(),
		Pool: p.pool, Affinity: p.affinity,
		Retry: retry(p.conf.Retry), Timeout: r.Timeout, Waits: s.metrics.Pool(p.name),
		Metrics: s.metrics.Route(siteName(site), routeName(r, n)), Decided: s.metrics.Strategy(strategy),
	}
	if strategy != config.Fallback {
		handle := s.strategy(strategy).Picker(p.pool)
		t.Picker, t.Observer = handle, handle
		if reliefs := c.Reliefs(strategy); len(reliefs) > 0 {
			relay := handle.RelievedBy(s.relief(reliefs, p.pool))
			t.Picker, t.Observer, t.Reliefs = relay, relay, map[string]*observe.Strategy{}
			for _, name := range reliefs {
				t.Reliefs[name] = s.metrics.Strategy(name)
			}
		}
	}
	return t
}

// relief is who decides for a pool while another strategy cannot: the first of names, and behind it the others.
func (s *Server) relief(names []string, pool *balance.Pool) balance.Picker {
	handle := s.strategy(names[0]).Picker(pool)
	if len(names) == 1 {
		return handle
	}
	return handle.RelievedBy(s.relief(names[1:], pool))
}

func siteName(s config.Site) string { return s.Hosts[0] }

func routeName(r config.Route, n int) string {
	name := strings.Join(append([]string{strings.Join(r.Match.Method, ",")}, r.Match.Path), " ")
	if name = strings.TrimSpace(name); name == "" {
		return fmt.Sprintf("#%d", n+1)
	}
	return name
}

// tlsSettings are what c says about certificates.
func tlsSettings(c *config.Config) certs.Settings {
	settings := certs.Settings{ACME: certs.ACME{
		Directory: c.TLS.CA, CAFile: string(c.TLS.CARoot), Email: c.TLS.Email, Challenges: c.TLS.Challenges,
	}}
	if c.Server.Listen.HTTPS == "" {
		return settings
	}
	for _, site := range c.Sites {
		if !site.TLS.Off() {
			settings.Sites = append(settings.Sites, tlsSite(c, site))
		}
	}
	return settings
}

func tlsSite(c *config.Config, site config.Site) certs.Site {
	s := certs.Site{Name: siteName(site), Hosts: site.Hosts, Source: certs.SourceACME}
	issuer := site.TLS.Issuer
	if issuer == "" {
		issuer = c.TLS.Issuer
	}
	switch {
	case site.TLS.Certificate != "":
		s.Source = certs.SourceFiles
		s.Files = []certs.KeyPair{{Certificate: string(site.TLS.Certificate), Key: string(site.TLS.Key)}}
	case issuer == "internal":
		s.Source = certs.SourceInternal
	case len(c.TLS.OnDemand.Allow) > 0:
		s.OnDemand = &certs.OnDemand{Allow: c.TLS.OnDemand.Allow}
	}
	if a := site.TLS.ClientAuth; a != nil {
		s.ClientAuth = certs.ClientAuth{Mode: certs.ClientMode(a.Mode), CA: string(a.CA)}
	}
	return s
}

// tlsFaults puts what was found wrong about certificates to its places in c.
func tlsFaults(c *config.Config, err error) []error {
	if list, ok := err.(interface{ Unwrap() []error }); ok {
		var faults []error
		for _, e := range list.Unwrap() {
			faults = append(faults, tlsFaults(c, e)...)
		}
		return faults
	}
	var of *certs.SiteError
	if errors.As(err, &of) {
		for i, site := range c.Sites {
			if siteName(site) == of.Site {
				return []error{c.Fault(tlsPath(i, site), of.Err.Error())}
			}
		}
	}
	return []error{c.Fault("tls", err.Error())}
}

// tlsPath is the place that a fault of a site's certificates is most likely about.
func tlsPath(i int, site config.Site) string {
	at := fmt.Sprintf("sites[%d].tls", i)
	switch {
	case site.TLS.ClientAuth != nil:
		return at + ".client_auth.ca"
	case site.TLS.Certificate != "":
		return at + ".certificate"
	}
	return at
}

// limits are the bounds that c sets for clients.
func limits(c *config.Config) listen.Limits {
	l := c.Server.Limits
	return listen.Limits{
		HeaderBytes: int(l.HeaderBytes), LineBytes: int(l.LineBytes), HeaderFields: l.HeaderFields,
		TrailerBytes: int(l.TrailerBytes), HandshakeTimeout: l.HandshakeTimeout, HeaderTimeout: l.HeaderTimeout,
		IdleTimeout: l.IdleTimeout, BodyTimeout: l.BodyTimeout, TunnelTimeout: l.TunnelTimeout,
		MinRate: int(l.MinRate), Connections: l.Connections, ConnectionsPerAddress: l.ConnectionsPerAddress,
		Handshakes: l.Handshakes, Streams: l.Streams,
	}
}
