package main

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedge-lb/wedge/sdk"
	"github.com/wedge-lb/wedge/sdk/abi"
	"github.com/wedge-lb/wedge/sdk/sdktest"
)

func host(t testing.TB, options string, list ...sdktest.Backend) *sdktest.Host {
	t.Helper()
	h := sdktest.NewHost(&sticky{})
	require.NoError(t, h.Configure(options))
	require.NoError(t, h.SetBackends(list...))
	return h
}

func pool(states ...sdk.State) []sdktest.Backend {
	list := make([]sdktest.Backend, len(states))
	for i, s := range states {
		list[i] = sdktest.Backend{ID: fmt.Sprintf("b-%d", i), State: s}
	}
	return list
}

func route(t testing.TB, h *sdktest.Host, r sdktest.Request) sdktest.Decision {
	t.Helper()
	d := h.Pick(r)
	require.Equal(t, abi.VerdictRoute, d.Verdict)
	require.Empty(t, d.Bad)
	return d
}

func TestANewClientIsPinnedToItsFirstPick(t *testing.T) {
	for _, name := range sdk.BalancerNames() {
		h := host(t, fmt.Sprintf(`{"first_pick": %q}`, name), pool(0, 0, 0)...)
		seen := map[string]bool{}
		for range 100 {
			d := route(t, h, sdktest.Request{})
			assert.True(t, d.Pin)
			seen[d.Backend] = true
		}
		assert.Len(t, seen, 3, name)
	}
}

func TestAPinnedClientKeepsItsBackend(t *testing.T) {
	h := host(t, "", pool(abi.StateReady, abi.StateDraining, abi.StateReady)...)
	h.InFlight["b-0"] = 1_000
	for _, id := range []string{"b-0", "b-1", "b-2"} {
		for range 20 {
			d := route(t, h, sdktest.Request{Pinned: id})
			assert.Equal(t, id, d.Backend, "whatever its load, and while it drains")
			assert.True(t, d.Pin, "so that the token is refreshed")
		}
	}
}

func TestAPinnedClientMovesIfItMust(t *testing.T) {
	h := host(t, "", pool(abi.StateDown, abi.StateMaintenance, abi.StateReady, abi.StateDraining)...)
	for _, r := range []sdktest.Request{{Pinned: "b-0"}, {Pinned: "b-1"}} {
		d := route(t, h, r)
		assert.Equal(t, "b-2", d.Backend)
		assert.True(t, d.Pin)
	}
	retry := sdktest.Request{Pinned: "b-0", Excluded: []string{"b-0"}, Attempt: 1}
	d := route(t, host(t, "", pool(0, 0)...), retry)
	assert.Equal(t, "b-1", d.Backend, "a retry leaves the pinned backend")
	assert.True(t, d.Pin)
}

func TestWithoutABackendTheEdgeDecides(t *testing.T) {
	d := host(t, "", pool(abi.StateDown)...).Pick(sdktest.Request{Pinned: "b-0"})
	assert.Equal(t, abi.VerdictAbstain, d.Verdict)
	assert.False(t, d.Pin)
}

func TestTheApplicationsSessionDecides(t *testing.T) {
	session := func(source string, id string) sdktest.Request {
		m := map[string]string{"sid": id}
		return map[string]sdktest.Request{
			"cookie:sid": {Cookies: m}, "header:sid": {Headers: m}, "query:sid": {Params: m},
		}[source]
	}
	for _, source := range []string{"cookie:sid", "header:sid", "query:sid"} {
		h := host(t, fmt.Sprintf(`{"source": %q}`, source), pool(0, 0, 0, 0)...)
		seen := map[string]bool{}
		for i := range 200 {
			r := session(source, fmt.Sprint("s-", i))
			d := route(t, h, r)
			assert.False(t, d.Pin, "the session id is enough")
			r.Pinned = "b-1"
			assert.Equal(t, d.Backend, route(t, h, r).Backend)
			seen[d.Backend] = true
		}
		assert.Len(t, seen, 4)
		assert.False(t, route(t, h, sdktest.Request{}).Pin, "no session yet")
	}
	assert.Equal(t, []string{"cookie:sid#"}, host(t, `{"source": "cookie:sid"}`).Needs(), "the id stays hidden")
	assert.Empty(t, host(t, "").Needs())
}

func TestOptionsThatAreWrong(t *testing.T) {
	const forms = "want token, cookie:NAME, header:NAME or query:NAME"
	const balancers = "round_robin, random, p2c, least_load, least_latency, least_utilization"
	const learn = "option learn: set pools.NAME.affinity.session.learn of the pool, which keeps the sessions"
	for options, want := range map[string]string{
		`{"source": "cookie"}`:     `option source: "cookie": ` + forms,
		`{"source": "query"}`:      `option source: "query": ` + forms,
		`{"source": "cookie:"}`:    `option source: "cookie:": ` + forms,
		`{"source": "path"}`:       `option source: "path": ` + forms,
		`{"source": "token:x"}`:    `option source: "token:x": ` + forms,
		`{"source": ""}`:           `option source: "": ` + forms,
		`{"first_pick": "maglev"}`: `option first_pick: "maglev": want one of ` + balancers,
		`{"idle": "30m"}`:          "option idle: set it in the affinity of the pool, which issues the token",
		`{"max_age": 1}`:           "option max_age: set it in the affinity of the pool, which issues the token",
		`{"learn": "SID"}`:         learn,
		`{"cookie": "x"}`:          "option cookie: unknown; known are first_pick, source",
	} {
		assert.EqualError(t, sdktest.NewHost(&sticky{}).Configure(options), "configure: "+want, options)
	}
}

func TestAPickDoesNotAllocate(t *testing.T) {
	for _, r := range []sdktest.Request{{}, {Pinned: "b-1"}, {Cookies: map[string]string{"sid": "1"}}} {
		for _, options := range []string{"", `{"source": "cookie:sid"}`} {
			pick := host(t, options, pool(0, 0)...).Prepare(r)
			assert.Zero(t, testing.AllocsPerRun(100, func() { pick() }))
		}
	}
}
