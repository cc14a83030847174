package sdktest

import "github.com/wedge-lb/wedge/sdk"

// Table is a table as a strategy gets it, for tests of structures by themselves. It stays valid;
// the host behind it is idle.
func Table(list ...Backend) sdk.Backends {
	var c capture
	h := NewHost(&c)
	if err := h.SetBackends(list...); err != nil {
		panic(err) // the encoder is ours: it does not make tables that are refused
	}
	return c.table
}

// capture keeps the table it is given.
type capture struct{ table sdk.Backends }

func (c *capture) Configure(*sdk.Config) error { return nil }

func (c *capture) Backends(b sdk.Backends) error {
	c.table = b
	return nil
}

func (c *capture) Pick(*sdk.Request) sdk.Decision { return sdk.Abstain() }
