package sdk

import (
	"errors"

	"github.com/wedge-lb/wedge/sdk/abi"
)

// Config is what a strategy is set up with. It is valid during Configure.
type Config struct {
	Host
	raw    []byte
	needed []Attribute
	err    error // the first refused Need
}

// Need declares an attribute and returns it ready to be read from requests; the same one twice
// takes one place. If the host refuses, the configuration is refused with its name.
func (c *Config) Need(a Attribute) Attribute {
	for _, n := range c.needed {
		if n.kind == a.kind && n.form == a.form && n.name == a.name {
			return n
		}
	}
	slot := c.need(uint32(a.kind), a.name, uint32(a.form))
	if slot < 0 || slot >= abi.MaxSlots {
		if c.err == nil {
			c.err = errors.New("attribute " + a.String() + ": refused by the host (is it granted?)")
		}
		return Attribute{}
	}
	a.slot = uint32(slot) + 1
	c.needed = append(c.needed, a)
	return a
}
