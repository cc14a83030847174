// Command tenant is a strategy in 20 lines: it keeps each tenant on one backend. README.md says
// how to build and run it.
package main

import "github.com/wedge-lb/wedge/sdk"

func init() { sdk.Register(&tenant{}) }
func main() {}

// tenant keeps each tenant on one backend.
type tenant struct {
	key  sdk.Attribute
	ring sdk.Maglev
}

func (t *tenant) Configure(c *sdk.Config) error {
	t.key = c.Need(sdk.Header("x-tenant-id").Hashed())
	return c.Options(&struct{}{}) // it has none
}

func (t *tenant) Backends(b sdk.Backends) error {
	t.ring.Update(b)
	return nil
}

func (t *tenant) Pick(r *sdk.Request) sdk.Decision {
	if h, ok := r.Hash(t.key); ok {
		return sdk.Route(t.ring.Pick(r, h))
	}
	return sdk.Abstain()
}
