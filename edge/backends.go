package edge

import (
	"crypto/tls"
	"errors"
	"net"

	"github.com/wedge-lb/wedge/edge/balance"
	"github.com/wedge-lb/wedge/edge/certs"
	"github.com/wedge-lb/wedge/edge/config"
	"github.com/wedge-lb/wedge/edge/health"
	"github.com/wedge-lb/wedge/edge/proxy"
	"github.com/wedge-lb/wedge/edge/upstream"
)

// planBackends makes the settings by which backends are talked to and checked.
func planBackends(c *config.Config, pools map[string]*poolPlan) (
	map[string]upstream.Settings, []health.Config, error) {
	settings := map[string]upstream.Settings{}
	var checks []health.Config
	var faults []error
	for name, p := range pools {
		up := p.conf.Upstream
		secure, err := upstreamTLS(c, "pools."+name+".upstream.tls", serverName(p.conf))
		if err != nil {
			faults = append(faults, err)
			continue
		}
		settings[name] = upstream.Settings{
			Protocol: up.Protocol, ConnectTimeout: up.ConnectTimeout, ResponseTimeout: up.ResponseTimeout,
			BodyTimeout:    up.BodyTimeout,
			MaxConnections: up.MaxConnections, Queue: queueOf(up), QueueTimeout: up.QueueTimeout,
			MaxIdle: up.MaxIdle, IdleTimeout: up.IdleTimeout, Lifetime: up.Lifetime, TLS: secure,
			Announce: up.ProxyProtocol == "v2",
		}
		checks = append(checks, healthConfig(p, settings[name].ClientTLS()))
	}
	return settings, checks, errors.Join(faults...)
}

// queueOf is how many requests may wait: none if the file says 0, which for upstream is its default.
func queueOf(up config.Upstream) int {
	if up.Queue == 0 {
		return -1
	}
	return up.Queue
}

func healthConfig(p *poolPlan, secure *tls.Config) health.Config {
	return health.Config{
		Pool: p.pool, Probe: probe(p.conf, secure), Passive: passive(p.conf.Health.Passive),
		Tuning: balance.Tuning{SlowStart: p.conf.SlowStart, Panic: share(p.conf.Health.Panic)},
	}
}

func share(p config.Percent) float64 { return float64(p) / 100 }

// passive is the rules by which requests eject; none if nobody may be ejected.
func passive(c config.Passive) health.Passive {
	if c.MaxEjected == 0 {
		return health.Passive{}
	}
	return health.Passive{
		ConnectErrors: c.ConnectErrors, Consecutive5xx: c.Consecutive5xx, ErrorRate: share(c.ErrorRate),
		Window: c.Window, MinRequests: c.MinRequests, EjectFor: c.EjectFor, MaxEjected: share(c.MaxEjected),
	}
}

var probeTypes = map[string]health.Type{"http": health.HTTP, "tcp": health.TCP, "grpc": health.GRPC}

// probe is how the backends of a pool are asked; nil = they are not.
func probe(c config.Pool, secure *tls.Config) *health.Probe {
	a := c.Health.Active
	if a == nil {
		return nil
	}
	h := &health.Probe{
		Type: probeTypes[a.Type], Path: a.Path, Host: a.Host, Status: a.Status, Body: a.Body, Service: a.Service,
		Interval: a.Interval, Timeout: a.Timeout, HealthyAfter: a.HealthyAfter, UnhealthyAfter: a.UnhealthyAfter,
	}
	protocol := c.Upstream.Protocol
	if h.Type == health.GRPC {
		protocol = "grpc"
	}
	if c.Upstream.ProxyProtocol == "v2" {
		h.Dial = health.ProxyDial
	}
	h.Transport = health.NewTransport(protocol, secure, h.Dial)
	return h
}

// guard is what a client's handshake stands for.
func (s *Server) guard(state *tls.ConnectionState, local net.Addr) proxy.Guard {
	return &handshake{s.certs.Conn(state, local)}
}

// handshake is a certs.Conn with an identity.
type handshake struct{ certs.Conn }
