package main

import (
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestOptionsByDefault(t *testing.T) {
	o, err := parseOptions(nil)
	require.NoError(t, err)
	assert.Equal(t, options{
		wedge: "bin/wedge", scenarios: []string{"a", "b", "c", "d", "e", "f", "g", "m", "w"},
		rounds: 3, within: 9 * time.Minute, loadCPU: 1,
	}, o)
}

func TestOptionsThatAreGiven(t *testing.T) {
	o, err := parseOptions(strings.Fields("-scenario a,c -rounds 5 -duration 2s -o json -peers nginx"))
	require.NoError(t, err)
	assert.Equal(t, []string{"a", "c"}, o.scenarios)
	assert.Equal(t, []string{"nginx"}, o.peers)
	assert.Equal(t, 5, o.rounds)
	assert.Equal(t, 2*time.Second, o.duration)
	assert.True(t, o.json)
}

func TestOptionsThatMakeNoSenseAreRefused(t *testing.T) {
	stderr := os.Stderr
	t.Cleanup(func() { os.Stderr = stderr })
	os.Stderr = nil // flag prints there
	for _, args := range [][]string{
		{"-scenario", "z"}, {"-peers", "apache"}, {"-rounds", "0"}, {"-o", "xml"}, {"-duration", "1ms"},
		{"-proxy-cpu", "-1"}, {"-load-cpu", "5000"},
		{"-scenario", ","}, {"-scenario", ""}, {"-scenario", "a,,b"}, {"-scenario", "a,b,a"}, {"-peers", ","},
		{"-peers", "nginx,nginx"}, {"-within", "-5s"}, {"-within", "0s"}, {"-proxy-cpu", "1"}, {"-load-cpu", "0"},
		{"-proxy-cpu", "3", "-load-cpu", "3"}, {"-wedge", "", "-peers", "none"}, {"a"}, {"-no"},
	} {
		_, err := parseOptions(args)
		var usage usageError
		assert.ErrorAs(t, err, &usage, args)
	}
}

func TestRefusalsSayTheWayOut(t *testing.T) {
	for flags, want := range map[string]string{
		"-scenario ,":   `-scenario ",": it names none between commas; want some of a,b,`,
		"-scenario a,a": "a is named twice",
		"-proxy-cpu 1":  "choose two processors",
		"-within -5s":   "want 1s to 24h",
	} {
		_, err := parseOptions(strings.Fields(flags))
		assert.ErrorContains(t, err, want)
	}
}

func TestHelpIsNoFailure(t *testing.T) {
	stderr := os.Stderr
	t.Cleanup(func() { os.Stderr = stderr })
	os.Stderr = nil // flag prints there
	for _, args := range [][]string{{"-h"}, {"--help"}, {"idle", "-h"}, {"reverseproxy", "-help"}} {
		assert.Zero(t, exitCode(run(t.Context(), args)), args)
	}
	assert.Equal(t, exitUsage, exitCode(run(t.Context(), []string{"-scenario", "z"})))
	assert.Equal(t, exitFailed, exitCode(errors.New("it broke")))
	assert.Zero(t, exitCode(nil))
}

func TestTheWindowFollowsFromTheTimeThereIs(t *testing.T) {
	all := func(letters ...string) (list []bout) {
		for _, l := range letters {
			list = append(list, bout{scenario: findScenario(l), list: make([]contender, 3)})
		}
		return list
	}
	assert.Equal(t, maxWindow, windowFor(all("a"), 3, 9*time.Minute), "there is plenty")
	assert.Equal(t, minWindow, windowFor(all("a", "b"), 3, time.Second), "never less than counts")
	assert.Equal(t, maxWindow, windowFor(all("m"), 3, time.Second), "memory has no window")
	w := windowFor(all("a", "b", "c", "d", "e", "f", "g", "m", "w"), 3, 9*time.Minute)
	assert.Greater(t, w, minWindow)
	assert.Less(t, w, maxWindow)
	assert.Less(t, windowFor(all("a", "b", "c", "d", "e", "f", "g", "m", "w"), 5, 9*time.Minute), w)
}

func TestWithoutAnEdgeItSaysHowToBuildOne(t *testing.T) {
	err := bench(t.Context(), options{wedge: "/nonexistent/wedge", rounds: 1}, io.Discard, io.Discard)
	assert.ErrorContains(t, err, "make build builds it")
}
