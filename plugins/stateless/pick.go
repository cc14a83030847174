package main

import "github.com/wedge-lb/wedge/sdk"

// stateless chooses by load, latency or turn.
type stateless struct {
	rules    []rule
	balancer sdk.Balancer
}

// Configure reads the options.
func (s *stateless) Configure(c *sdk.Config) error {
	o := options{Algorithm: "round_robin"}
	if err := c.Options(&o); err != nil {
		return err
	}
	var err error
	if s.balancer, err = sdk.NewBalancer("algorithm", o.Algorithm); err != nil {
		return err
	}
	for i, p := range o.Prefer {
		if err := p.check(i); err != nil {
			return err
		}
		balancer, err := sdk.NewBalancer("algorithm", o.Algorithm)
		if err != nil {
			return err
		}
		s.rules = append(s.rules, newRule(c, p, balancer))
	}
	return nil
}

// Backends takes in a table.
func (s *stateless) Backends(b sdk.Backends) error {
	for i := range s.rules {
		s.rules[i].update(b)
	}
	s.balancer.Update(b)
	return nil
}

// Pick lets the first rule choose that matches and has a backend, else all backends stand.
func (s *stateless) Pick(r *sdk.Request) sdk.Decision {
	for i := range s.rules {
		if b := s.rules[i].pick(r); b >= 0 {
			return sdk.Route(b)
		}
	}
	return sdk.Route(s.balancer.Pick(r))
}
