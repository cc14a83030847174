package main_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestTakingABackendOut goes through what an operator does, on one edge with a backend that holds requests.
func TestTakingABackendOut(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.state("state")
	listen := freeAddress(t)
	holding, leave := make(chan struct{}), make(chan struct{})
	slow := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/hold" {
			holding <- struct{}{}
			select {
			case <-leave:
			case <-r.Context().Done():
			}
		}
		io.WriteString(w, "b0")
	}))
	t.Cleanup(slow.Close)
	h.write("wedge.yaml", file(listen, slow.URL, backend(t, "b1")))
	h.start("run")
	ready(t, h)
	hold := func() <-chan error {
		h.ok("backend", "maint", "shop", "b1")
		ended := make(chan error, 1)
		c := client(t, "h1", nil)
		go func() {
			_, _, err := get(c, "http://"+listen+"/hold")
			ended <- err
		}()
		<-holding
		h.ok("backend", "configured", "shop", "b1")
		return ended
	}
	t.Run("what remains is told", func(t *testing.T) { drainTellsWhatRemains(t, h, hold, leave) })
	t.Run("a deadline ends it", func(t *testing.T) {
		ended := hold()
		out := h.ok("drain", "shop", "b0", "--deadline", "100ms", "--wait=30s")
		assert.Equal(t, "b0 is maintenance (operator), 0 requests and streams in flight, 0 clients pinned\n", out)
		require.NoError(t, <-ended, "what may be repeated is, at the other")
	})
	t.Run("overrides are listed", func(t *testing.T) { overridesAreListed(t, h) })
	t.Run("the wait ends when the override does", func(t *testing.T) {
		hold()
		r := h.run("backend", "maint", "shop", "b0", "--ttl", "1s", "--wait=30s")
		assert.Equal(t, 1, r.code)
		assert.Contains(t, r.err, "the override was taken back")
	})
}

func drainTellsWhatRemains(t *testing.T, h *home, hold func() <-chan error, leave chan<- struct{}) {
	ended := hold()
	began := time.Now()
	r := h.run("backend", "drain", "shop", "b0", "--wait=300ms")
	assert.Equal(t, 1, r.code)
	assert.Contains(t, r.err, "after 300ms b0 is draining (operator), 1 requests and streams in flight, 0 clients pinned")
	assert.GreaterOrEqual(t, time.Since(began), 300*time.Millisecond)
	assert.Empty(t, r.out)
	assert.Regexp(t, regexp.MustCompile(`(?m)^shop +b0 .* draining \(operator\) +1 +0 `), h.ok("status"))
	go func() { leave <- struct{}{} }()
	out := h.ok("backend", "drain", "shop", "b0", "--wait", "-o", "json")
	var b struct {
		State    string
		InFlight int `json:"in_flight"`
		Pins     *int
	}
	require.NoError(t, json.Unmarshal([]byte(out), &b))
	assert.Equal(t, "draining", b.State)
	assert.Zero(t, b.InFlight)
	assert.NotNil(t, b.Pins)
	require.NoError(t, <-ended, "a drain cuts nothing")
	h.ok("backend", "configured", "shop", "b0")
}

func overridesAreListed(t *testing.T, h *home) {
	h.ok("backend", "configured", "shop", "b0")
	assert.Equal(t, "none\n", h.ok("overrides"))
	assert.Equal(t, "[]\n", h.ok("overrides", "-o", "json"))
	h.ok("backend", "ready", "shop", "b0", "--ttl", "1h")
	assert.Equal(t, "b1 has weight 5\n", h.ok("backend", "weight", "shop", "b1", "5"))
	lines := strings.Split(h.ok("overrides"), "\n")
	require.Len(t, lines, 4)
	assert.Regexp(t, `^POOL +BACKEND +STATE +WEIGHT +SINCE +UNTIL +DEADLINE +NOTE$`, lines[0])
	assert.Regexp(t, `^shop +b0 +ready +- +20\S+ +20\S+ +- +-$`, lines[1])
	assert.Regexp(t, `^shop +b1 +- +5 +20\S+ +- +- +-$`, lines[2])
	var list []struct {
		Backend, State string
		Until          time.Time
		Known          bool
	}
	require.NoError(t, json.Unmarshal([]byte(h.ok("overrides", "-o", "json")), &list))
	require.Len(t, list, 2)
	assert.WithinDuration(t, time.Now().Add(time.Hour), list[0].Until, time.Minute)
	assert.True(t, list[0].Known)
	for args, want := range map[string]string{
		"backend drain shop b0 --ttl 10ms":              `ttl: "10ms": want 1s to 8760h`,
		"backend drain shop b0 --deadline 48h":          `deadline: "48h0m0s": want 0s to 24h`,
		"backend drain shop b0 --ttl 1m --deadline 10m": "deadline: 10m0s is not before the end of the override",
		"backend weight shop b0 1001":                   "weight: 1001: want 1 to 1000",
	} {
		r := h.run(strings.Fields(args)...)
		assert.Equal(t, 1, r.code, args)
		assert.Contains(t, r.err, want, args)
		assert.Contains(t, r.err, "nothing has changed", args)
	}
	h.ok("backend", "configured", "shop", "b0")
	h.ok("backend", "weight", "shop", "b1", "0")
	assert.Equal(t, "none\n", h.ok("overrides"))
}
