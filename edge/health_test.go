package edge_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedge-lb/wedge/edge/admin"
)

// ward starts an edge over backends whose probes fail while they are sick.
func ward(t *testing.T, lines string, n int) (*running, []*atomic.Bool) {
	t.Helper()
	var yaml strings.Builder
	var sick []*atomic.Bool
	for i := range n {
		name, ill := fmt.Sprintf("b%d", i), new(atomic.Bool)
		sick = append(sick, ill)
		s := backend(t, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/healthz" && ill.Load() {
				w.WriteHeader(500)
				return
			}
			io.WriteString(w, name)
		})
		fmt.Fprintf(&yaml, "      - { id: %s, url: %q }\n", name, s.URL)
	}
	text := pool(yaml.String(), "builtin/stateless", "{algorithm: round_robin}")
	return start(t, strings.Replace(text, "    strategy: s\n", "    strategy: s\n"+lines, 1)), sick
}

// visited waits until n clients get to those backends, and to no others. Guests hear of a new table soon, not
// at once.
func (r *running) visited(n int, want ...string) {
	r.t.Helper()
	var got map[string]bool
	require.Eventually(r.t, func() bool {
		got = unique(newCrowd(r.t, r, n).visit())
		for _, id := range want {
			if !got[id] {
				return false
			}
		}
		return len(got) == len(want)
	}, 20*time.Second, time.Millisecond, "%v", &got)
}

const probing = "active: { path: /healthz, interval: 10ms }"

func down(b admin.Backend) bool { return b.Down }
func up(b admin.Backend) bool   { return !b.Down && b.State == "ready" }

func TestWhoIsDownIsDownAfterARestart(t *testing.T) {
	r, sick := ward(t, "    health: { "+probing+", passive: { consecutive_5xx: 1, eject_for: 1h } }\n", 4)
	sick[1].Store(true)
	r.await("b1", down)
	r.rewrite("interval: 10ms", "interval: 1h") // the next edge's first probes are to come
	r.restart()
	for range 3 {
		assert.NotContains(t, newCrowd(t, r, 16).visit(), "b1", "from the first request on")
	}
	r.await("b1", down)
	r.await("b0", up)
	r.rewrite("interval: 1h", "interval: 10ms")
	require.NoError(t, r.Reload(context.Background()))
	r.await("b1", down)
	sick[1].Store(false)
	r.await("b1", up)
	r.visited(16, "b0", "b1", "b2", "b3")
}

func TestWhoIsEjectedIsEjectedAfterARestart(t *testing.T) {
	sick, well := newFaulty(t, "b0"), newFaulty(t, "b1")
	r := start(t, withPool("    health: { passive: { consecutive_5xx: 2, eject_for: 1h } }\n", sick, well))
	sick.fail(fault503)
	c := r.client("plain")
	require.Eventually(t, func() bool {
		marked(t, c, r.url("plain"), "m")
		return sick.hits.Load() == 2
	}, 10*time.Second, time.Millisecond)
	r.await("b0", func(b admin.Backend) bool { return b.Ejected })
	r.restart()
	r.await("b0", func(b admin.Backend) bool {
		left := time.Until(b.EjectedUntil)
		return b.Ejected && b.State == "down" && left > 50*time.Minute && left < time.Hour
	})
	c = r.client("plain")
	for range 10 {
		status, body := marked(t, c, r.url("plain"), "m")
		assert.Equal(t, 200, status)
		assert.Equal(t, "b1 m", body)
	}
	assert.EqualValues(t, 2, sick.hits.Load())
}

// What is on disk is not believed if it is old, broken, or would leave nobody.
func TestAStateThatCannotBeIsNotBelieved(t *testing.T) {
	r, _ := ward(t, "    health: { active: { path: /healthz, interval: 1h } }\n", 2)
	known := map[string]any{}
	for _, id := range []string{"b0", "b1"} {
		b, err := r.operator().Backend(context.Background(), "p", id)
		require.NoError(t, err)
		known[id] = map[string]any{"scheme": "http", "address": b.Address, "down": true}
	}
	file := func(saved time.Time, backends ...string) string {
		pool := map[string]any{}
		for _, id := range backends {
			pool[id] = known[id]
		}
		data, err := json.Marshal(map[string]any{
			"version": 1, "saved": saved, "pools": map[string]any{"p": pool},
		})
		require.NoError(t, err)
		return string(data)
	}
	now := time.Now()
	for _, tt := range []struct{ name, text, log string }{
		{"old", file(now.Add(-11*time.Minute), "b0"), "too long ago"},
		{"of the future", file(now.Add(time.Hour), "b0"), "to come"},
		{"cut", file(now, "b0")[:60], "unexpected EOF"},
		{"of another version", strings.Replace(file(now, "b0"), `"version":1`, `"version":9`, 1),
			"version 9, want 1"},
		{"two values", file(now, "b0") + "{}", "more than one value"},
		{"nobody left", file(now, "b0", "b1"), "no backend would be open"},
		{"empty", "", "EOF"},
	} {
		r.stop()
		require.NoError(t, <-r.ended)
		r.ended <- nil
		require.NoError(t, os.WriteFile(filepath.Join(r.dir, "health.json"), []byte(tt.text), 0o600))
		before := len(r.log.String())
		r.restart()
		told := r.log.String()[before:]
		assert.Contains(t, told, tt.log, tt.name)
		assert.Contains(t, told, "level=WARN", tt.name)
		r.await("b0", up)
		r.await("b1", up)
	}
	r.stop()
	require.NoError(t, <-r.ended)
	r.ended <- nil
	require.NoError(t, os.WriteFile(filepath.Join(r.dir, "health.json"), []byte(file(now, "b0")), 0o600))
	r.restart()
	r.await("b0", down)
}

func TestTheStateOnDiskFollows(t *testing.T) {
	r, sick := ward(t, "    health: { "+probing+" }\n", 2)
	path := filepath.Join(r.dir, "health.json")
	says := func(text string) func() bool {
		return func() bool {
			data, err := os.ReadFile(path)
			return err == nil && strings.Contains(string(data), text)
		}
	}
	sick[0].Store(true)
	require.Eventually(t, says(`"down":true`), 10*time.Second, 5*time.Millisecond,
		"a kill -9 loses a second at most")
	info, err := os.Stat(path)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode())
	sick[0].Store(false)
	require.Eventually(t, says(`"pools":{}`), 10*time.Second, 5*time.Millisecond)
}

func TestBelowThePanicThresholdHealthIsIgnored(t *testing.T) {
	r, sick := ward(t, "    health: { "+probing+", panic: 50% }\n", 4)
	for i := range 2 {
		sick[i].Store(true)
		r.await(fmt.Sprintf("b%d", i), down)
	}
	r.visited(40, "b2", "b3") // half are well
	assert.Zero(t, r.counter("wedge_pool_panic", `pool="p"`))
	sick[2].Store(true)
	r.await("b2", down)
	r.setState("b3", admin.StateMaintenance)
	assert.Equal(t, 1, r.counter("wedge_pool_panic", `pool="p"`))
	r.visited(60, "b0", "b1", "b2") // all are used but the one in maintenance
	r.await("b0", func(b admin.Backend) bool { return b.Down && b.State == "ready" })
	for i := range 2 {
		sick[i].Store(false)
		r.await(fmt.Sprintf("b%d", i), up)
	}
	assert.Zero(t, r.counter("wedge_pool_panic", `pool="p"`))
	r.visited(40, "b0", "b1")
}

// A backend that comes back gets a tenth of its share, then more; a swap, a reload and a start do not slow it.
func TestARecoveredBackendStartsSlowly(t *testing.T) {
	r, sick := ward(t, "    health: { "+probing+" }\n    slow_start: 1h\n", 2)
	part := func() float64 {
		count := 0
		c := r.client("plain")
		for range 400 {
			if _, body := get(t, c, r.url("plain")); body == "b1" {
				count++
			}
		}
		return float64(count) / 400
	}
	share := func(want, tolerance float64, why string) { // soon: guests hear of a new table off the request path
		t.Helper()
		got := 0.0
		require.Eventually(t, func() bool {
			got = part()
			return math.Abs(got-want) <= tolerance
		}, 20*time.Second, time.Millisecond, "%s: %v", why, &got)
	}
	assert.InDelta(t, .5, part(), .1, "at the start")
	sick[1].Store(true)
	r.await("b1", func(b admin.Backend) bool {
		return b.Down && strings.HasSuffix(b.ProbeError,
			": status 500")
	})
	sick[1].Store(false)
	r.await("b1", func(b admin.Backend) bool { return up(b) && b.SlowStart == .1 && b.ProbeError == "" })
	share(1./11, .05, "a tenth of its weight")
	require.NoError(t, r.Reload(context.Background()))
	other := admin.Swap{Use: "builtin/stateless", Options: []byte(`{"algorithm":"p2c"}`)}
	_, err := r.operator().Swap(context.Background(), "s", other)
	require.NoError(t, err)
	share(1./11, .05, "a reload and a swap change nothing")
	r.rewrite("slow_start: 1h", "slow_start: 1s")
	require.NoError(t, r.Reload(context.Background()))
	share(.5, .1, "its whole weight")
	r.rewrite("slow_start: 1s", "slow_start: 1h")
	require.NoError(t, r.Reload(context.Background()))
	r.restart()
	assert.InDelta(t, .5, part(), .1, "at a start")
}

// What places keys goes by the configured weights: a slow start moves nobody who was not of the backend.
func TestASlowStartMovesNoKeys(t *testing.T) {
	for _, algorithm := range []string{"maglev", "ring", "rendezvous"} {
		t.Run(algorithm, func(t *testing.T) {
			r, sick := ward(t, "    health: { "+probing+" }\n    slow_start: 1h\n", 3)
			r.rewrite("builtin/stateless", "builtin/consistent-hash")
			r.rewrite("{algorithm: round_robin}", "{key: header:x-key, algorithm: "+algorithm+"}")
			require.NoError(t, r.Reload(context.Background()))
			c := r.client("plain")
			owners := func() (list []string) {
				for i := range 100 {
					req, err := http.NewRequest("GET", r.url("plain")+"/", nil)
					require.NoError(t, err)
					req.Header.Set("X-Key", fmt.Sprint("key ", i))
					list = append(list, answered(c.Do(req)))
				}
				return list
			}
			before := owners()
			require.Len(t, unique(before), 3)
			sick[1].Store(true)
			r.await("b1", down)
			for i, now := range owners() {
				if before[i] != "b1" {
					assert.Equal(t, before[i], now)
				}
			}
			sick[1].Store(false)
			r.await("b1", func(b admin.Backend) bool { return up(b) && b.SlowStart < .2 })
			require.Eventually(t, func() bool { return assert.ObjectsAreEqual(before, owners()) },
				20*time.Second, time.Millisecond, "all are back, and no other has moved")
		})
	}
}

func TestProbesAreWhatTheConfigurationSays(t *testing.T) {
	for name, tt := range map[string]struct{ active, reason string }{
		"a body that is there":  {`path: /x, body: "b1"`, ""},
		"a body that is not":    {`path: /x, body: nope`, `/x: the body has no "nope"`},
		"a status":              {"path: /x, status: [204]", "/x: status 200"},
		"a host":                {"path: /host, host: shop.example.com, body: shop.example.com", ""},
		"TCP":                   {"type: tcp", ""},
		"gRPC, where none is":   {"type: grpc, service: shop", "/grpc.health.v1.Health/Check: "},
		"a silent one, in time": {"path: /silent, timeout: 20ms", "/silent: no answer in time"},
	} {
		t.Run(name, func(t *testing.T) {
			asked := make(chan struct{}, 1)
			s := backend(t, func(w http.ResponseWriter, r *http.Request) {
				select {
				case asked <- struct{}{}:
				default:
				}
				switch r.URL.Path {
				case "/silent":
					<-r.Context().Done()
				case "/host":
					io.WriteString(w, r.Host)
				default:
					io.WriteString(w, "b1")
				}
			})
			lines := "    strategy: s\n    health: { active: { interval: 10ms, " + tt.active + " } }\n"
			yaml := fmt.Sprintf("      - { id: b1, url: %q }\n", s.URL)
			r := start(t, strings.Replace(pool(yaml, "builtin/stateless", "{}"), "    strategy: s\n", lines, 1))
			if tt.reason == "" {
				if !strings.Contains(tt.active, "tcp") {
					<-asked
				}
				r.await("b1", func(b admin.Backend) bool { return up(b) && b.ProbeError == "" })
				return
			}
			r.await("b1", func(b admin.Backend) bool { return b.Down && strings.Contains(b.ProbeError, tt.reason) })
		})
	}
}
