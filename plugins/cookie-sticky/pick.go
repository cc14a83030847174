package main

import "github.com/wedge-lb/wedge/sdk"

// sticky keeps a session on one backend.
type sticky struct {
	pins    sdk.Pins
	first   sdk.Balancer // for clients without a session
	session sdk.Attribute
	own     bool       // the session is the application's, not the edge's token
	placer  sdk.Maglev // of the application's sessions
}

// Configure reads the options.
func (s *sticky) Configure(c *sdk.Config) error {
	if err := check(c); err != nil {
		return err
	}
	o := defaults()
	if err := c.Options(&o); err != nil {
		return err
	}
	var err error
	if s.first, err = sdk.NewBalancer("first_pick", o.FirstPick); err != nil {
		return err
	}
	if s.session, s.own, err = o.session(); s.own {
		s.session = c.Need(s.session)
	}
	return err
}

// Backends takes in a table.
func (s *sticky) Backends(b sdk.Backends) error {
	s.first.Update(b)
	if s.own {
		s.placer.Update(b)
		return nil
	}
	s.pins.Update(b)
	return nil
}

// Pick is the backend of the session, or the first one of a new session.
func (s *sticky) Pick(r *sdk.Request) sdk.Decision {
	if s.own {
		return s.pickOwn(r)
	}
	if i := s.pins.Pick(r); i >= 0 {
		return sdk.Route(i).Pin()
	}
	return sdk.Route(s.first.Pick(r)).Pin()
}

// pickOwn needs no pin: the session id itself says where it belongs.
func (s *sticky) pickOwn(r *sdk.Request) sdk.Decision {
	if id, ok := r.Hash(s.session); ok {
		return sdk.Route(s.placer.Pick(r, id))
	}
	return sdk.Route(s.first.Pick(r))
}
