package plugintest_test

import (
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedge-lb/wedge/edge/plugin/plugintest"
	"github.com/wedge-lb/wedge/sdk/abi"
	"github.com/wedge-lb/wedge/sdk/sdktest"
)

// wat is a module of testdata.
func wat(t *testing.T, name string) []byte {
	t.Helper()
	wasm, err := os.ReadFile("../../../testdata/wasm/" + name + ".wasm")
	require.NoError(t, err)
	return wasm
}

// A module that is broken is found, with the smallest table.
func TestABrokenModuleIsFound(t *testing.T) {
	m := plugintest.Load(t, wat(t, "route0"))
	open := func() sdktest.Subject { return m.Subject(t) }
	err := sdktest.Check(open, sdktest.Traits{Spread: 0.1, Pins: sdktest.PinsHonoured})
	for _, want := range []string{
		"what is not available is never chosen: table 1, request 1: \"b0000\": not available: ",
		"what is excluded is never chosen: table 1, request 1: \"b000",
		"shares follow the weights: table 1: b0000 has 11 of 11 requests, its share is 2",
	} {
		assert.ErrorContains(t, err, want)
	}
}

// Each fault is told, and the next request finds an instance.
func TestAFaultIsABadDecision(t *testing.T) {
	s := plugintest.Load(t, wat(t, "faults")).Subject(t)
	assert.ErrorContains(t, s.SetBackends(), "not configured")
	require.NoError(t, s.Configure(""))
	require.NoError(t, s.SetBackends(sdktest.Backend{ID: "a"}))
	assert.ErrorContains(t, s.SetBackends(sdktest.Backend{ID: "a", Weight: sdktest.Weightless}), "has a weight")
	for mode, want := range map[string]string{
		"a": "pick: trap: ", "e": "pick: exit: ", "m": "pick: bad_pointer: ",
	} {
		d := s.Pick(sdktest.Request{Headers: map[string]string{"x-mode": mode}})
		assert.Contains(t, d.Bad, want)
		assert.Equal(t, sdktest.Decision{Backend: "a"}, s.Pick(sdktest.Request{}))
	}
	closeIt(t, s)
}

// What a subject sees of a request is what the edge would show, and what it answers comes back whole.
func TestARequestIsPassedOn(t *testing.T) {
	s := plugintest.Load(t, wat(t, "headers")).Subject(t)
	require.NoError(t, s.Configure(""))
	table := []sdktest.Backend{{ID: "a"}, {ID: "b"}, {ID: "c"}}
	require.NoError(t, s.SetBackends(table...))
	d := s.Pick(sdktest.Request{Headers: map[string]string{"x-name": "x-a", "x-value": "v", "x-times": "\x08"}})
	assert.Equal(t, sdktest.Decision{
		Verdict: abi.VerdictRoute, Backend: "b", Pin: true, Headers: [][2]string{{"x-a", "v"}},
		Spares: []string{"c", "b", "a"},
	}, d)
	closeIt(t, s)

	s = plugintest.Load(t, wat(t, "store")).Subject(t)
	require.NoError(t, s.Configure(""))
	require.NoError(t, s.SetBackends(sdktest.Backend{ID: "a"}))
	ask := func(value string) string {
		d := s.Pick(sdktest.Request{Method: "GET", Path: "/k", Headers: map[string]string{"x-value": value}})
		assert.Equal(t, abi.VerdictRespond, d.Verdict)
		return d.Body
	}
	assert.Empty(t, ask("one"))
	assert.Equal(t, "one", ask("two"))
	closeIt(t, s)
}

func closeIt(t *testing.T, s sdktest.Subject) {
	t.Helper()
	require.NoError(t, s.(interface{ Close() error }).Close())
}
