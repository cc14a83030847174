package main

import (
	"encoding/binary"

	"github.com/wedge-lb/wedge/sdk"
)

// affinity keeps a network of clients on one backend.
type affinity struct {
	ip     sdk.Attribute
	v4, v6 mask
	placer sdk.Placer
}

// Configure reads the options.
func (a *affinity) Configure(c *sdk.Config) error {
	o := defaults()
	if err := c.Options(&o); err != nil {
		return err
	}
	if err := o.check(); err != nil {
		return err
	}
	var err error
	if a.placer, err = sdk.NewPlacer("algorithm", o.Algorithm); err != nil {
		return err
	}
	a.v4, a.v6 = newMask(96+o.PrefixV4), newMask(o.PrefixV6)
	a.ip = c.Need(sdk.ClientIP())
	return nil
}

// Backends takes in a table.
func (a *affinity) Backends(b sdk.Backends) error {
	a.placer.Update(b)
	return nil
}

// Pick is the backend of the client's network.
func (a *affinity) Pick(r *sdk.Request) sdk.Decision {
	ip, ok := r.Bytes(a.ip)
	if !ok || len(ip) != 16 {
		return sdk.Abstain()
	}
	return sdk.Route(a.placer.Pick(r, a.network(ip)))
}

// network is the hash of the network that an address belongs to.
func (a *affinity) network(ip []byte) uint64 {
	high, low := binary.BigEndian.Uint64(ip), binary.BigEndian.Uint64(ip[8:])
	m := a.v6
	if high == 0 && low>>32 == 0xffff { // ::ffff:0:0/96, an IPv4 address
		m = a.v4
	}
	return sdk.Mix(sdk.Mix(high&m.high) + low&m.low)
}

// mask has the bits of an address that count.
type mask struct{ high, low uint64 }

func newMask(bits int) mask {
	return mask{^(^uint64(0) >> min(bits, 64)), ^(^uint64(0) >> max(bits-64, 0))}
}
