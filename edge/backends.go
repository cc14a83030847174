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
	passive := p.conf.Health.Passive
	h := health.Config{Pool: p.pool, Passive: health.Passive{
		ConnectErrors: passive.ConnectErrors, EjectFor: passive.EjectFor,
		MaxEjected: float64(passive.MaxEjected) / 100,
	}, Tuning: balance.Tuning{SlowStart: p.conf.SlowStart, Panic: float64(p.conf.Health.Panic) / 100}}
	if a := p.conf.Health.Active; a != nil {
		h.Probe = &health.Probe{
			Path: a.Path, Status: a.Status, Interval: a.Interval, Timeout: a.Timeout,
			HealthyAfter: a.HealthyAfter, UnhealthyAfter: a.UnhealthyAfter,
			Transport: health.NewTransport(p.conf.Upstream.Protocol, secure),
		}
	}
	return h
}

// guard is what a client's handshake stands for.
func (s *Server) guard(state *tls.ConnectionState, local net.Addr) proxy.Guard {
	return &handshake{s.certs.Conn(state, local)}
}

// handshake is a certs.Conn with an identity.
type handshake struct{ certs.Conn }
