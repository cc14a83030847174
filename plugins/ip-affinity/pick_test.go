package main

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedge-lb/wedge/sdk"
	"github.com/wedge-lb/wedge/sdk/abi"
	"github.com/wedge-lb/wedge/sdk/sdktest"
)

func host(t testing.TB, options string, list ...sdktest.Backend) *sdktest.Host {
	t.Helper()
	h := sdktest.NewHost(&affinity{})
	require.NoError(t, h.Configure(options))
	require.NoError(t, h.SetBackends(list...))
	return h
}

func pool(n int) []sdktest.Backend {
	list := make([]sdktest.Backend, n)
	for i := range list {
		list[i] = sdktest.Backend{ID: fmt.Sprintf("b-%d", i)}
	}
	return list
}

func from(ip string) sdktest.Request { return sdktest.Request{ClientIP: netip.MustParseAddr(ip)} }

func owner(t testing.TB, h *sdktest.Host, ip string) string {
	t.Helper()
	d := h.Pick(from(ip))
	require.Equal(t, abi.VerdictRoute, d.Verdict)
	require.Empty(t, d.Bad)
	return d.Backend
}

// owners is how many backends serve these addresses.
func owners(t testing.TB, h *sdktest.Host, format string, n int) int {
	seen := map[string]bool{}
	for i := range n {
		seen[owner(t, h, fmt.Sprintf(format, i))] = true
	}
	return len(seen)
}

func TestAnAddressKeepsItsBackend(t *testing.T) {
	for _, name := range sdk.PlacerNames() {
		h := host(t, fmt.Sprintf(`{"algorithm": %q}`, name), pool(8)...)
		for i := range 200 {
			ip := fmt.Sprintf("10.0.%d.7", i)
			assert.Equal(t, owner(t, h, ip), owner(t, h, ip), name)
		}
		assert.Equal(t, 8, owners(t, h, "10.0.%d.7", 200), name)
	}
}

func TestPrefixes(t *testing.T) {
	byDefault := host(t, "", pool(8)...)
	assert.Equal(t, 8, owners(t, byDefault, "192.0.2.%d", 200), "each IPv4 address by itself")
	assert.Equal(t, 1, owners(t, byDefault, "2001:db8::%d", 200), "one IPv6 network of 64 bits")
	assert.Equal(t, 8, owners(t, byDefault, "2001:db8:0:%d::1", 200))

	wide := host(t, `{"prefix_v4": 24, "prefix_v6": 48}`, pool(8)...)
	assert.Equal(t, 1, owners(t, wide, "192.0.2.%d", 200))
	assert.Equal(t, 8, owners(t, wide, "192.0.%d.1", 200))
	assert.Equal(t, 1, owners(t, wide, "2001:db8:0:%d::1", 200))

	narrow := host(t, `{"prefix_v4": 32, "prefix_v6": 128}`, pool(8)...)
	assert.Equal(t, 8, owners(t, narrow, "2001:db8::%d", 200))
}

func TestAnIPv4AddressIsTheSameInBothForms(t *testing.T) {
	h := host(t, `{"prefix_v4": 24}`, pool(8)...)
	assert.Equal(t, owner(t, h, "192.0.2.1"), owner(t, h, "::ffff:192.0.2.99"))
}

func TestOnlyTheClientsOfADownBackendMove(t *testing.T) {
	list := pool(5)
	h := host(t, "", list...)
	before := map[string]string{}
	for i := range 2_000 {
		ip := fmt.Sprintf("10.%d.%d.1", i/250, i%250)
		before[ip] = owner(t, h, ip)
	}
	list[3].State = abi.StateDown
	require.NoError(t, h.SetBackends(list...))
	for ip, was := range before {
		if now := owner(t, h, ip); was != "b-3" {
			require.Equal(t, was, now)
		}
	}
}

func TestWithoutAnAddressTheEdgeDecides(t *testing.T) {
	h := host(t, "", pool(3)...)
	assert.Equal(t, abi.VerdictAbstain, h.Pick(sdktest.Request{}).Verdict)
}

func TestPinsAreIgnored(t *testing.T) {
	h := host(t, "", pool(3)...)
	r := from("10.0.0.1")
	own := h.Pick(r).Backend
	for _, b := range pool(3) {
		r.Pinned = b.ID
		d := h.Pick(r)
		assert.Equal(t, own, d.Backend)
		assert.False(t, d.Pin)
	}
}

func TestOptionsThatAreWrong(t *testing.T) {
	for options, want := range map[string]string{
		`{"prefix_v4": 0}`:      `option prefix_v4: "0": want 1 to 32`,
		`{"prefix_v4": 33}`:     `option prefix_v4: "33": want 1 to 32`,
		`{"prefix_v6": 129}`:    `option prefix_v6: "129": want 1 to 128`,
		`{"prefix_v6": "64"}`:   `option prefix_v6: "64": want a number`,
		`{"algorithm": "mod"}`:  `option algorithm: "mod": want one of maglev, ring, rendezvous`,
		`{"bounded_load": 1.2}`: "option bounded_load: unknown; known are algorithm, prefix_v4, prefix_v6",
	} {
		assert.EqualError(t, sdktest.NewHost(&affinity{}).Configure(options), "configure: "+want, options)
	}
}

func TestAPickDoesNotAllocate(t *testing.T) {
	pick := host(t, "", pool(3)...).Prepare(from("10.0.0.1"))
	assert.Zero(t, testing.AllocsPerRun(100, func() { pick() }))
}
