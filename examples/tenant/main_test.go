package main

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedge-lb/wedge/sdk/abi"
	"github.com/wedge-lb/wedge/sdk/sdktest"
)

func of(tenant string) sdktest.Request {
	return sdktest.Request{Headers: map[string]string{"x-tenant-id": tenant}}
}

func TestATenantKeepsItsBackend(t *testing.T) {
	h := sdktest.NewHost(&tenant{})
	require.NoError(t, h.Configure(""))
	pool := []sdktest.Backend{{ID: "a"}, {ID: "b"}, {ID: "c"}}
	require.NoError(t, h.SetBackends(pool...))

	before, used := map[string]string{}, map[string]bool{}
	for i := range 300 {
		name := fmt.Sprint("tenant-", i)
		before[name] = h.Pick(of(name)).Backend
		used[before[name]] = true
	}
	assert.Len(t, used, 3)

	pool[1].State = abi.StateDown
	require.NoError(t, h.SetBackends(pool...))
	for name, was := range before {
		d := h.Pick(of(name))
		assert.Empty(t, d.Bad)
		assert.True(t, d.Backend == was || was == "b", "%s moved from %s to %s", name, was, d.Backend)
	}
}

func TestWithoutATenantTheEdgeDecides(t *testing.T) {
	h := sdktest.NewHost(&tenant{})
	require.NoError(t, h.Configure("{}"))
	require.NoError(t, h.SetBackends(sdktest.Backend{ID: "a"}))
	assert.Equal(t, abi.VerdictAbstain, h.Pick(sdktest.Request{}).Verdict)
	assert.ErrorContains(t, h.Configure(`{"tenant": 1}`), "option tenant: unknown; known are none")
}

func TestItConforms(t *testing.T) {
	sdktest.Conform(t, func(testing.TB) sdktest.Subject { return sdktest.NewHost(&tenant{}) }, sdktest.Traits{
		Client: func(n int) sdktest.Request { return of(fmt.Sprint("tenant-", n)) },
		Spread: 0.05, Sticky: true, Moves: 0.05, Pins: sdktest.PinsIgnored,
	})
}
