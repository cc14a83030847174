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
	h := sdktest.NewHost(&hashing{})
	require.NoError(t, h.Configure(options))
	require.NoError(t, h.SetBackends(list...))
	return h
}

func pool(n int) []sdktest.Backend {
	list := make([]sdktest.Backend, n)
	for i := range list {
		list[i] = sdktest.Backend{ID: fmt.Sprintf("b-%02d", i)}
	}
	return list
}

func tenant(i int) sdktest.Request {
	return sdktest.Request{Headers: map[string]string{"x-tenant": fmt.Sprint("t-", i)}}
}

func owner(t testing.TB, h *sdktest.Host, r sdktest.Request) string {
	t.Helper()
	d := h.Pick(r)
	require.Equal(t, abi.VerdictRoute, d.Verdict)
	require.Empty(t, d.Bad)
	require.False(t, d.Pin)
	return d.Backend
}

func numbered(name string, i int) map[string]string { return map[string]string{name: fmt.Sprint(i)} }

func TestEqualKeysMeetOnOneBackend(t *testing.T) {
	for key, vary := range map[string]func(i int) sdktest.Request{
		"header:X-Tenant": tenant,
		"cookie:c":        func(i int) sdktest.Request { return sdktest.Request{Cookies: numbered("c", i)} },
		"query:q":         func(i int) sdktest.Request { return sdktest.Request{Params: numbered("q", i)} },
		"path":            func(i int) sdktest.Request { return sdktest.Request{Path: fmt.Sprint("/", i)} },
		"client_ip": func(i int) sdktest.Request {
			return sdktest.Request{ClientIP: netip.AddrFrom4([4]byte{10, 0, 0, byte(i)})}
		},
	} {
		h := host(t, fmt.Sprintf(`{"key": %q}`, key), pool(6)...)
		seen := map[string]bool{}
		for i := range 200 {
			own := owner(t, h, vary(i))
			require.Equal(t, own, owner(t, h, vary(i)), key)
			seen[own] = true
		}
		assert.Len(t, seen, 6, key)
	}
}

func TestTheFirstKeyThatIsThereCounts(t *testing.T) {
	h := host(t, `{"key": ["header:x-tenant", "cookie:c", "client_ip"]}`, pool(16)...)
	assert.Equal(t, []string{"header:x-tenant#", "cookie:c#", "client_ip#"}, h.Needs())
	r := tenant(1)
	own := owner(t, h, r)
	r.Cookies = map[string]string{"c": "other"}
	assert.Equal(t, own, owner(t, h, r))

	r.Headers = nil
	byCookie := owner(t, h, r)
	r.ClientIP = netip.MustParseAddr("10.9.8.7")
	assert.Equal(t, byCookie, owner(t, h, r))

	assert.Equal(t, abi.VerdictAbstain, h.Pick(sdktest.Request{}).Verdict, "no key at all")
}

func TestOneOfTenThatGoesMovesItsKeysOnly(t *testing.T) {
	const n = 10_000
	for _, name := range sdk.PlacerNames() {
		list := pool(10)
		h := host(t, fmt.Sprintf(`{"key": "header:x-tenant", "algorithm": %q}`, name), list...)
		before := make([]string, n)
		for i := range before {
			before[i] = owner(t, h, tenant(i))
		}
		list[4].State = abi.StateDown
		require.NoError(t, h.SetBackends(list...))
		down := 0
		for i, was := range before {
			if owner(t, h, tenant(i)) != was {
				require.Equal(t, "b-04", was, name)
				down++
			}
		}
		assert.LessOrEqual(t, down, n/10+n*3/100, name)

		require.NoError(t, h.SetBackends(append(list[:4:4], list[5:]...)...))
		gone := 0
		for i, was := range before {
			if owner(t, h, tenant(i)) != was {
				gone++
			}
		}
		assert.LessOrEqual(t, gone, n/10+n*3/100, name)
	}
}

func TestAHotKeyOverflows(t *testing.T) {
	for _, name := range sdk.PlacerNames() {
		options := fmt.Sprintf(`{"key": "header:x-tenant", "algorithm": %q, "bounded_load": 1.25}`, name)
		h := host(t, options, pool(4)...)
		for range 400 {
			h.InFlight[owner(t, h, tenant(7))]++
		}
		for id, n := range h.InFlight {
			assert.LessOrEqual(t, n, 130, "%s %s", name, id)
		}
		assert.Len(t, h.InFlight, 4)
	}
}

func TestARetryGoesElsewhere(t *testing.T) {
	for _, options := range []string{`{"key": "path"}`, `{"key": "path", "bounded_load": 2}`} {
		h := host(t, options, pool(3)...)
		r := sdktest.Request{Path: "/x"}
		first := owner(t, h, r)
		r.Excluded, r.Attempt = []string{first}, 1
		second := owner(t, h, r)
		assert.NotEqual(t, first, second)
		assert.Equal(t, second, owner(t, h, r))
	}
}

func TestOptionsThatAreWrong(t *testing.T) {
	const forms = "want header:NAME, cookie:NAME, query:NAME, path or client_ip"
	const bound = "want more than 1, such as 1.25, at most 100, or 0 for no bound"
	for options, want := range map[string]string{
		``:                                        `option key: "": ` + forms + ", or a list of them",
		`{"key": []}`:                             `option key: "": want header:NAME`,
		`{"key": "tenant"}`:                       `option key: "tenant": ` + forms,
		`{"key": ["path", "ip"]}`:                 `option key: "ip": want header:NAME`,
		`{"key": "country"}`:                      `option key: "country": want header:NAME`,
		`{"key": "header:"}`:                      `option key: "header:": want header:NAME`,
		`{"key":"path", "algorithm":"md5"}`:       `option algorithm: "md5": want one of maglev, ring`,
		`{"key": "path", "bounded_load": 1}`:      `option bounded_load: "1": ` + bound,
		`{"key": "path", "bounded_load": -1.5}`:   `option bounded_load: "-1.5": ` + bound,
		`{"key": "path", "bounded_load": 101}`:    `option bounded_load: "101": ` + bound,
		`{"key": "path", "bounded_load": "1.25"}`: `option bounded_load: "1.25": want a number`,
		`{"keys": "path"}`:                        "option keys: unknown; known are algorithm, bounded_load, key",
	} {
		err := sdktest.NewHost(&hashing{}).Configure(options)
		assert.ErrorContains(t, err, "configure: "+want, options)
	}
}

func TestAPickDoesNotAllocate(t *testing.T) {
	for _, bound := range []string{"0", "1.25"} {
		options := `{"key": "header:x-tenant", "bounded_load": ` + bound + "}"
		pick := host(t, options, pool(3)...).Prepare(tenant(1))
		assert.Zero(t, testing.AllocsPerRun(100, func() { pick() }))
	}
}
