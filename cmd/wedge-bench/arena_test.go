package main

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// testArena has one backend in this process and short windows; status is what it answers.
func testArena(t *testing.T, status int) (*arena, *bytes.Buffer) {
	var asked atomic.Uint64
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if n := asked.Add(1); n > 1 { // the first request is to find the contender ready
			w.WriteHeader(status)
		}
		_, _ = w.Write(bytes.Repeat([]byte("x"), smallBytes))
	}))
	t.Cleanup(backend.Close)
	program, err := os.Executable()
	require.NoError(t, err)
	dir := t.TempDir()
	pair, err := newKeyPair(dir)
	require.NoError(t, err)
	notices := new(bytes.Buffer)
	return &arena{
		opt:     options{rounds: 1, duration: 300 * time.Millisecond, loadCPU: min(1, runtime.NumCPU()-1)},
		program: program, dir: dir, pair: pair, calm: 60 * time.Millisecond, notices: notices,
		backends: []string{strings.TrimPrefix(backend.URL, "http://")},
		requests: func(context.Context) (uint64, error) { return asked.Load(), nil },
	}, notices
}

func reverseProxyAlone(t *testing.T, letter string) (*scenario, []contender) {
	s := findScenario(letter)
	list, _, err := contenders(s, options{peers: []string{"reverseproxy"}})
	require.NoError(t, err)
	require.Len(t, list, 1)
	return s, list
}

func TestOwnLoadsMeasureAProxy(t *testing.T) {
	for _, letter := range []string{"f", "g"} {
		t.Run(letter, func(t *testing.T) {
			a, notices := testArena(t, http.StatusOK)
			s, list := reverseProxyAlone(t, letter)
			o := goodRound(t, a, s, list, notices)
			m := o.Entries[0].Median
			assert.Greater(t, m.CPU, 5.0)
			assert.Greater(t, m.Rate, 10.0)
			assert.Positive(t, m.P50)
			assert.GreaterOrEqual(t, m.P99, m.P50)
		})
	}
}

// goodRound plays until a round is good, in windows that are longer each time: nothing may come through in a
// short one if the machine has other work.
func goodRound(t *testing.T, a *arena, s *scenario, list []contender, notices *bytes.Buffer) *outcome {
	for tries := 1; ; tries++ {
		o, err := a.play(t.Context(), s, list)
		require.NoError(t, err)
		if err = o.fault(); err == nil {
			return o
		}
		require.Less(t, tries, 5, "%v: %s", err, notices)
		a.opt.duration *= 2
	}
}

func TestARoundWithErrorsIsRefused(t *testing.T) {
	for _, letter := range []string{"f", "g"} {
		t.Run(letter, func(t *testing.T) {
			a, notices := testArena(t, http.StatusBadGateway)
			s, list := reverseProxyAlone(t, letter)
			o, err := a.play(t.Context(), s, list)
			require.NoError(t, err)
			assert.ErrorContains(t, o.fault(), "no good round of reverseproxy")
			assert.Contains(t, notices.String(), "round 1 refused")
		})
	}
}

func TestMemoryOfConnectionsThatDoNotWorkIsRefused(t *testing.T) {
	a, _ := testArena(t, http.StatusBadGateway)
	s, list := reverseProxyAlone(t, "m")
	r, err := a.start(t.Context(), s, list[0])
	require.NoError(t, err)
	defer r.stop()
	_, err = a.memory(t.Context(), r, 10)
	assert.ErrorContains(t, err, "300 of 300 connections: status 502")
}

// A breaker is a load that makes connections all the time but claims that it does not.
type breaker struct{ goLoad }

func (breaker) connections() int { return 4 }

func TestALoadThatLosesConnectionsIsRefused(t *testing.T) {
	a, notices := testArena(t, http.StatusOK)
	s, list := reverseProxyAlone(t, "g")
	broken := *s
	broken.load = breaker{goLoad{"handshakes"}}
	o, err := a.play(t.Context(), &broken, list)
	require.NoError(t, err)
	assert.Error(t, o.fault())
	assert.Contains(t, notices.String(), "connections")
}

func TestMemoryOfIdleConnections(t *testing.T) {
	a, _ := testArena(t, http.StatusOK)
	s, list := reverseProxyAlone(t, "m")
	r, err := a.start(t.Context(), s, list[0])
	require.NoError(t, err)
	defer r.stop()
	f, err := a.memory(t.Context(), r, 600)
	require.NoError(t, err)
	assert.Greater(t, f.Memory, 5.0)
	assert.Less(t, f.Memory, 500.0)
}

func TestAContenderThatDoesNotServeIsLeftOut(t *testing.T) {
	a, _ := testArena(t, http.StatusOK)
	ends := contender{name: "ends", program: a.program, launch: func(program string, _ site) (launch, error) {
		return launch{args: []string{program, "reverseproxy"}}, nil // without a backend it says how to call it
	}}
	o, err := a.play(t.Context(), findScenario("a"), []contender{ends})
	require.NoError(t, err)
	require.Len(t, o.Notes, 1)
	assert.Contains(t, o.Notes[0], "want backends")

	ends.admin = func(site) string { return "" }
	_, err = a.play(t.Context(), findScenario("a"), []contender{ends})
	assert.ErrorContains(t, err, "want backends", "without the edge there is nothing to compare")
}

func TestAnInterruptedBenchmarkLeavesNothing(t *testing.T) {
	a, _ := testArena(t, http.StatusOK)
	s, list := reverseProxyAlone(t, "g")
	ctx, cancel := context.WithTimeout(t.Context(), lead/2)
	defer cancel()
	_, err := a.play(ctx, s, list)
	assert.ErrorIs(t, err, context.DeadlineExceeded)
}
