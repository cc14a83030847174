package edge

import (
	"errors"
	"fmt"
	"time"

	"github.com/wedge-lb/wedge/edge/affinity"
	"github.com/wedge-lb/wedge/edge/balance"
	"github.com/wedge-lb/wedge/edge/config"
)

// poolPlan is what a configuration makes of one pool, before it is taken.
type poolPlan struct {
	name     string
	conf     config.Pool
	pool     *balance.Pool
	specs    []balance.Spec
	preview  *balance.Set
	keys     *affinity.Keyring
	affinity *affinity.Affinity
}

// planPools plans every pool of c. Pools that run already keep their state.
func (s *Server) planPools(c *config.Config, discovered map[string]*discovery) (map[string]*poolPlan, error) {
	plans := map[string]*poolPlan{}
	for name, conf := range c.Pools {
		p := &poolPlan{name: name, conf: conf, pool: s.pools[name]}
		if p.pool == nil {
			p.pool = balance.NewPool(name)
		}
		for i, b := range conf.Backends {
			spec, err := backendSpec(b)
			if err != nil {
				return nil, c.Fault(fmt.Sprintf("pools.%s.backends[%d].url", name, i), err.Error())
			}
			spec.Metrics = s.metrics.Backend(name, spec.ID)
			p.specs = append(p.specs, spec)
		}
		p.preview = p.pool.Preview(s.specs(p, discovered[name]))
		if err := p.planAffinity(s, s.affinities[name]); err != nil {
			return nil, affinityFault(c, name, err)
		}
		plans[name] = p
	}
	return plans, nil
}

// condition is that of a name in the configuration, which has checked it.
func condition(name string) balance.Condition {
	c, _ := balance.ParseCondition(name)
	return c
}

func backendSpec(b config.Backend) (balance.Spec, error) {
	scheme, address, err := b.Address()
	if err != nil {
		return balance.Spec{}, err
	}
	return balance.Spec{
		ID: b.Name(), Scheme: scheme, Address: address, Weight: uint32(b.Weight), Zone: b.Zone, Labels: b.Labels,
		Condition: condition(b.State),
	}, nil
}

// planAffinity makes the pool's affinity by its own secrets, or by the edge's key.
func (p *poolPlan) planAffinity(s *Server, before *affinity.Affinity) error {
	conf := p.conf.Affinity
	p.keys = s.keys
	var secrets [][]byte
	if !conf.Secret.IsZero() {
		secrets = append(secrets, conf.Secret.Value())
	}
	for _, s := range conf.Secrets {
		secrets = append(secrets, s.Value())
	}
	var err error
	if len(secrets) > 0 {
		if p.keys, err = affinity.NewKeyring(secrets...); err != nil {
			return err
		}
	}
	policy, err := affinity.ParsePolicy(conf.OnUnavailable)
	if err != nil {
		return err
	}
	carrier, err := affinity.ParseCarrier(conf.Carrier)
	if err != nil {
		return err
	}
	p.affinity, err = affinity.New(p.name, p.keys, affinity.Options{
		Idle: conf.Idle, MaxAge: conf.MaxAge, OnUnavailable: policy, Carrier: carrier, Cookie: cookie(conf.Cookie),
		Header: conf.Header, Query: conf.Query, Sessions: s.sessionRules(conf.Session), Before: before,
	})
	return err
}

// affinityFault is the fault of a pool's affinity, at the option that was refused if that is known.
func affinityFault(c *config.Config, pool string, err error) error {
	path := "pools." + pool + ".affinity"
	var option *affinity.OptionError
	if errors.As(err, &option) {
		return c.Fault(path+"."+option.Option, option.Err.Error())
	}
	return c.Fault(path, err.Error())
}

func cookie(c config.Cookie) affinity.Cookie {
	return affinity.Cookie{
		Name: c.Name, Path: c.Path, Domain: c.Domain, SameSite: c.SameSite, Secure: c.Secure,
		Scripts: !c.HTTPOnly, MaxAge: c.MaxAge.Truncate(time.Second),
	}
}
