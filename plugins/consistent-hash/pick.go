package main

import "github.com/wedge-lb/wedge/sdk"

// hashing keeps requests with the same key on one backend.
type hashing struct {
	keys    []sdk.Attribute
	placer  sdk.Placer
	limit   bool
	bounded sdk.Bounded
}

// Configure reads the options.
func (s *hashing) Configure(c *sdk.Config) error {
	o := defaults()
	if err := c.Options(&o); err != nil {
		return err
	}
	keys, err := o.keys()
	if err != nil {
		return err
	}
	if err := o.check(); err != nil {
		return err
	}
	if s.placer, err = sdk.NewPlacer("algorithm", o.Algorithm); err != nil {
		return err
	}
	for _, k := range keys {
		s.keys = append(s.keys, c.Need(k))
	}
	s.limit, s.bounded.Factor = o.BoundedLoad > 0, o.BoundedLoad
	return nil
}

// Backends takes in a table.
func (s *hashing) Backends(b sdk.Backends) error {
	s.placer.Update(b)
	if s.limit {
		s.bounded.Update(b)
	}
	return nil
}

// Pick is the backend of the first key that the request has. Without one the edge decides.
func (s *hashing) Pick(r *sdk.Request) sdk.Decision {
	for i := range s.keys {
		if key, ok := r.Hash(s.keys[i]); ok {
			return sdk.Route(s.pick(r, key))
		}
	}
	return sdk.Abstain()
}

func (s *hashing) pick(r *sdk.Request, key uint64) int {
	if s.limit {
		return s.bounded.Pick(r, s.placer, key)
	}
	return s.placer.Pick(r, key)
}
