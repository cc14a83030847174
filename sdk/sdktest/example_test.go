package sdktest_test

import (
	"fmt"

	"github.com/wedge-lb/wedge/sdk"
	"github.com/wedge-lb/wedge/sdk/sdktest"
)

// sticky sends all requests to the least loaded of the backends, and pins them there.
type sticky struct{ least sdk.LeastLoad }

func (s *sticky) Configure(*sdk.Config) error { return nil }

func (s *sticky) Backends(b sdk.Backends) error {
	s.least.Update(b)
	return nil
}

func (s *sticky) Pick(r *sdk.Request) sdk.Decision { return sdk.Route(s.least.Pick(r)).Pin() }

func Example() {
	h := sdktest.NewHost(&sticky{})
	fmt.Println(h.Configure(""))
	fmt.Println(h.SetBackends(sdktest.Backend{ID: "a"}, sdktest.Backend{ID: "b"}))
	h.InFlight["a"], h.InFlight["b"] = 3, 1
	d := h.Pick(sdktest.Request{})
	fmt.Println(d.Backend, d.Pin)
	// Output:
	// <nil>
	// <nil>
	// b true
}
