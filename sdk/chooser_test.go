package sdk_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wedge-lb/wedge/sdk"
	"github.com/wedge-lb/wedge/sdk/abi"
	"github.com/wedge-lb/wedge/sdk/sdktest"
)

// chooser is the strategy around one structure: a Balancer, or a Placer with the key of a header.
type chooser struct {
	balancer sdk.Balancer
	placer   sdk.Placer
	key      sdk.Attribute
}

func (c *chooser) Configure(cfg *sdk.Config) error {
	c.key = cfg.Need(sdk.Header("key").Hashed())
	return nil
}

func (c *chooser) Backends(b sdk.Backends) error {
	if c.balancer != nil {
		c.balancer.Update(b)
		return nil
	}
	c.placer.Update(b)
	return nil
}

func (c *chooser) Pick(r *sdk.Request) sdk.Decision {
	if c.balancer != nil {
		return sdk.Route(c.balancer.Pick(r))
	}
	key, _ := r.Hash(c.key)
	return sdk.Route(c.placer.Pick(r, key))
}

// balancing is a host of the named Balancer with these backends.
func balancing(t testing.TB, name string, list ...sdktest.Backend) *sdktest.Host {
	t.Helper()
	b, err := sdk.NewBalancer("algorithm", name)
	require.NoError(t, err)
	return hosting(t, &chooser{balancer: b}, list...)
}

// placing is a host of the named Placer with these backends.
func placing(t testing.TB, name string, list ...sdktest.Backend) *sdktest.Host {
	t.Helper()
	p, err := sdk.NewPlacer("algorithm", name)
	require.NoError(t, err)
	return hosting(t, &chooser{placer: p}, list...)
}

func hosting(t testing.TB, s sdk.Strategy, list ...sdktest.Backend) *sdktest.Host {
	t.Helper()
	h := sdktest.NewHost(s)
	require.NoError(t, h.Configure(""))
	require.NoError(t, h.SetBackends(list...))
	return h
}

// pool makes backends b-000, b-001, … with these weights.
func pool(weights ...uint32) []sdktest.Backend {
	list := make([]sdktest.Backend, len(weights))
	for i, w := range weights {
		list[i] = sdktest.Backend{ID: fmt.Sprintf("b-%03d", i), Weight: w}
	}
	return list
}

// even makes n backends of weight 1.
func even(n int) []sdktest.Backend {
	weights := make([]uint32, n)
	for i := range weights {
		weights[i] = 1
	}
	return pool(weights...)
}

// with is a copy of a pool in which one backend has another state.
func with(list []sdktest.Backend, i int, s sdk.State) []sdktest.Backend {
	list = append([]sdktest.Backend(nil), list...)
	list[i].State = s
	return list
}

func without(list []sdktest.Backend, i int) []sdktest.Backend {
	return append(append([]sdktest.Backend(nil), list[:i]...), list[i+1:]...)
}

// repeat picks n times for a request without attributes, and counts by backend.
func repeat(t testing.TB, h *sdktest.Host, n int) map[string]int {
	t.Helper()
	counts, pick := map[string]int{}, h.Prepare(sdktest.Request{})
	for range n {
		d := pick()
		if d.Verdict != abi.VerdictRoute || d.Bad != "" {
			t.Fatalf("decision %+v", d)
		}
		counts[d.Backend]++
	}
	return counts
}

// count picks n times and counts by backend. A bad pick or another verdict than route fails.
func count(t testing.TB, h *sdktest.Host, n int, request func(i int) sdktest.Request) map[string]int {
	t.Helper()
	counts := map[string]int{}
	for i := range n {
		counts[routed(t, h, request(i))]++
	}
	return counts
}

func routed(t testing.TB, h *sdktest.Host, r sdktest.Request) string {
	t.Helper()
	d := h.Pick(r)
	if d.Verdict != abi.VerdictRoute || d.Bad != "" {
		t.Fatalf("%+v: decision %+v", r, d)
	}
	return d.Backend
}

// keyed is request number i, with a key of its own.
func keyed(i int) sdktest.Request {
	return sdktest.Request{Headers: map[string]string{"key": fmt.Sprint("key-", i)}}
}

// owners is the backend of each of n keys.
func owners(t testing.TB, h *sdktest.Host, n int) []string {
	t.Helper()
	list := make([]string, n)
	for i := range list {
		list[i] = routed(t, h, keyed(i))
	}
	return list
}

// requireShares checks that counts follow weights within a tolerance, as a part of each share.
func requireShares(t testing.TB, counts map[string]int, list []sdktest.Backend, tolerance float64) {
	t.Helper()
	var total, weights float64
	for _, b := range list {
		total += float64(counts[b.ID])
		if b.State == abi.StateReady {
			weights += float64(b.Weight)
		}
	}
	for _, b := range list {
		want := total * float64(b.Weight) / weights
		if b.State != abi.StateReady {
			want = 0
		}
		require.InDelta(t, want, counts[b.ID], tolerance*want, "%s of %v", b.ID, counts)
	}
}
