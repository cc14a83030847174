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
	h := sdktest.NewHost(&stateless{})
	require.NoError(t, h.Configure(options))
	require.NoError(t, h.SetBackends(list...))
	return h
}

func backends() []sdktest.Backend {
	return []sdktest.Backend{
		{ID: "a-1", Zone: "a"}, {ID: "a-2", Zone: "a", Weight: 3},
		{ID: "b-1", Zone: "b", Labels: map[string]string{"track": "canary"}},
		{ID: "b-2", Zone: "b", Labels: map[string]string{"track": "canary", "gpu": "yes"}},
	}
}

// spread is who answered n requests like r.
func spread(t testing.TB, h *sdktest.Host, n int, r sdktest.Request) map[string]int {
	t.Helper()
	counts := map[string]int{}
	for range n {
		d := h.Pick(r)
		require.Equal(t, abi.VerdictRoute, d.Verdict)
		require.Empty(t, d.Bad)
		require.False(t, d.Pin)
		counts[d.Backend]++
	}
	return counts
}

func TestTheDefaultTakesTurnsByWeight(t *testing.T) {
	got := spread(t, host(t, "", backends()...), 600, sdktest.Request{})
	assert.Equal(t, map[string]int{"a-1": 100, "a-2": 300, "b-1": 100, "b-2": 100}, got)
}

func TestEachAlgorithmServesTheWholePool(t *testing.T) {
	for _, name := range sdk.BalancerNames() {
		h := host(t, fmt.Sprintf(`{"algorithm": %q}`, name), backends()...)
		assert.Len(t, spread(t, h, 600, sdktest.Request{}), 4, name)
	}
}

func TestRules(t *testing.T) {
	const options = `{"prefer": [
		{"when": {"header": {"x-beta": "*"}}, "labels": {"track": "canary"}},
		{"when": {"country": ["de", "AT"], "method": "GET"}, "zone": "a"},
		{"when": {"path": ["/gpu/**", "/render"]}, "labels": {"gpu": ["yes", "maybe"], "track": "canary"}},
		{"when": {"header": {"x-a": ["1", "2"], "x-b": "3"}}, "zone": ["b", "c"]}
	]}`
	zoneA, zoneB := []string{"a-1", "a-2"}, []string{"b-1", "b-2"}
	all, gpu := append(append([]string(nil), zoneA...), zoneB...), []string{"b-2"}
	for name, tt := range map[string]struct {
		request sdktest.Request
		want    []string
	}{
		"nothing matches":       {sdktest.Request{}, all},
		"a header of any value": {sdktest.Request{Headers: map[string]string{"x-beta": "0"}}, zoneB},
		"the first rule wins": {sdktest.Request{
			Country: "DE", Method: "GET", Headers: map[string]string{"x-beta": ""},
		}, zoneB},
		"country in any case":       {sdktest.Request{Country: "DE", Method: "GET"}, zoneA},
		"the second country":        {sdktest.Request{Country: "AT", Method: "GET"}, zoneA},
		"all conditions must hold":  {sdktest.Request{Country: "DE", Method: "POST"}, all},
		"below a path":              {sdktest.Request{Path: "/gpu/x/y"}, gpu},
		"the path itself":           {sdktest.Request{Path: "/gpu"}, gpu},
		"a path with more letters":  {sdktest.Request{Path: "/gpux"}, all},
		"an exact path":             {sdktest.Request{Path: "/render"}, gpu},
		"below an exact path":       {sdktest.Request{Path: "/render/x"}, all},
		"both headers":              {sdktest.Request{Headers: map[string]string{"x-a": "2", "x-b": "3"}}, zoneB},
		"one header of two":         {sdktest.Request{Headers: map[string]string{"x-a": "2"}}, all},
		"another value of a header": {sdktest.Request{Headers: map[string]string{"x-a": "9", "x-b": "3"}}, all},
	} {
		t.Run(name, func(t *testing.T) {
			h := host(t, options, backends()...)
			got := spread(t, h, 60, tt.request)
			assert.Len(t, got, len(tt.want))
			for _, id := range tt.want {
				assert.NotZero(t, got[id], id)
			}
			pick := h.Prepare(tt.request)
			assert.Zero(t, testing.AllocsPerRun(20, func() { pick() }))
		})
	}
}

func TestARuleWithoutABackendFallsThrough(t *testing.T) {
	const options = `{"algorithm": "p2c", "prefer": [{"zone": "c"}, {"zone": "a"}, {"zone": "b"}]}`
	list := backends()
	h := host(t, options, list...)
	assert.Len(t, spread(t, h, 60, sdktest.Request{}), 2)

	list[0].State, list[1].State = abi.StateDown, abi.StateDraining
	require.NoError(t, h.SetBackends(list...))
	got := spread(t, h, 60, sdktest.Request{})
	assert.Zero(t, got["a-2"], "draining is not available while others are ready")
	assert.Len(t, got, 2)

	tried := sdktest.Request{Attempt: 1, Excluded: []string{"b-1", "b-2"}}
	assert.Equal(t, abi.VerdictAbstain, h.Pick(tried).Verdict)
}

func TestOptionsThatAreWrong(t *testing.T) {
	const balancers = "round_robin, random, p2c, least_load, least_latency, least_utilization"
	for options, want := range map[string]string{
		`{"algorithm": "fastest"}`:   `option algorithm: "fastest": want one of ` + balancers,
		`{"algoritm": "p2c"}`:        "option algoritm: unknown; known are algorithm, prefer",
		`{"prefer": [{"when": {}}]}`: `option prefer[0]: "": want zone or labels: where should these requests go?`,
		`{"prefer": {"zones": "a"}}`: "option prefer.zones: unknown; known are labels, when, zone",
	} {
		err := sdktest.NewHost(&stateless{}).Configure(options)
		assert.EqualError(t, err, "configure: "+want, options)
	}
}

func TestConditionsThatAreWrong(t *testing.T) {
	for when, want := range map[string]string{
		`{"country": "Germany"}`:   `country: "Germany": want an ISO 3166 code of two letters, such as DE`,
		`{"country": "D1"}`:        `country: "D1": want an ISO 3166 code of two letters, such as DE`,
		`{"method": ["GET", ""]}`:  `method: "": want a method in capitals, such as GET`,
		`{"method": "get"}`:        `method: "get": want a method in capitals, such as GET`,
		`{"path": "app"}`:          `path: "app": want a path from /, or all below one as in /app/**`,
		`{"path": "/a/*/b"}`:       `path: "/a/*/b": want a path from /, or all below one as in /app/**`,
		`{"header": {"": "x"}}`:    `header: "": want the name of a header`,
		`{"header": {"a b": "x"}}`: `header: "a b": want the name of a header`,
	} {
		err := sdktest.NewHost(&stateless{}).Configure(`{"prefer": {"zone": "a", "when": ` + when + `}}`)
		assert.EqualError(t, err, "configure: option prefer[0].when."+want, when)
	}
}

func TestARuleAsksForWhatItNeedsOnly(t *testing.T) {
	assert.Empty(t, host(t, "").Needs())
	h := host(t, `{"prefer": [
		{"zone": "a", "when": {"path": "/x"}},
		{"zone": "b", "when": {"path": "/y", "header": {"X-A": "1"}}}
	]}`)
	assert.Equal(t, []string{"path", "header:x-a"}, h.Needs())
}
