package edge_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedge-lb/wedge/edge"
	"github.com/wedge-lb/wedge/edge/admin"
)

func (r *running) override(id string, c admin.Change) admin.Backend {
	r.t.Helper()
	b, err := r.operator().Override(context.Background(), "p", id, c)
	require.NoError(r.t, err)
	return b
}

func (r *running) overrides() []admin.Override {
	r.t.Helper()
	list, err := r.operator().Overrides(context.Background())
	require.NoError(r.t, err)
	return list
}

// restart stops the edge and starts another on its state directory.
func (r *running) restart() {
	r.t.Helper()
	r.stop()
	require.NoError(r.t, <-r.ended)
	conf, err := r.config()
	require.NoError(r.t, err)
	logger := slog.New(slog.NewTextHandler(r.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	r.Server, err = edge.New(conf, edge.Options{Logger: logger, Load: r.config, PluginCache: cache, Access: r.log})
	if err != nil {
		r.ended <- nil // for the end of the test
	}
	require.NoError(r.t, err)
	ctx, cancel := context.WithCancel(context.Background())
	r.stop = cancel
	go func() { r.ended <- r.Run(ctx) }()
	<-r.Ready()
}

func dur(d time.Duration) *time.Duration { return &d }

// streaming is a backend whose requests can be held: /ws echoes, /events sends its name at once and no end, /wait
// answers never. Anything else tells its name.
func streaming(t *testing.T, name string, waiting chan<- string) http.HandlerFunc {
	ended := make(chan struct{})
	t.Cleanup(func() { close(ended) })
	return func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/ws":
			echoSocket(w, r)
		case "/events":
			w.Header().Set("Content-Type", "text/event-stream")
			fmt.Fprintf(w, "data: %s\n", name)
			http.NewResponseController(w).Flush()
		case "/wait":
			io.Copy(io.Discard, r.Body)
			waiting <- name
		default:
			io.WriteString(w, name)
			return
		}
		select {
		case <-r.Context().Done():
		case <-ended:
		}
	}
}

func echoSocket(w http.ResponseWriter, r *http.Request) {
	c, err := websocket.Accept(w, r, &websocket.AcceptOptions{InsecureSkipVerify: true})
	if err != nil {
		return
	}
	defer c.CloseNow()
	for {
		kind, data, err := c.Read(r.Context())
		if err != nil || c.Write(r.Context(), kind, data) != nil {
			return
		}
	}
}

// streams starts two such backends, over h1 or h2c, and gives them as YAML; b0 alone is ready.
func streams(t *testing.T, protocol string, waiting chan<- string) string {
	var yaml strings.Builder
	for i, state := range []string{"ready", "maintenance"} {
		name := fmt.Sprintf("b%d", i)
		s := httptest.NewUnstartedServer(streaming(t, name, waiting))
		s.Config.Protocols = new(http.Protocols)
		s.Config.Protocols.SetHTTP1(protocol == "h1")
		s.Config.Protocols.SetUnencryptedHTTP2(protocol == "h2c")
		s.Start()
		t.Cleanup(s.CloseClientConnections)
		t.Cleanup(s.Close)
		fmt.Fprintf(&yaml, "      - { id: %s, url: %q, state: %s }\n", name, s.URL, state)
	}
	text := pool(yaml.String(), "builtin/cookie-sticky", "{}")
	up := fmt.Sprintf("    strategy: s\n    upstream: { protocol: %s }\n", protocol)
	return strings.Replace(text, "    strategy: s\n", up, 1)
}

// events opens the stream of events and reads the first.
func events(t *testing.T, c *http.Client, url string) (string, *bufio.Reader) {
	t.Helper()
	resp, err := c.Get(url + "/events")
	require.NoError(t, err)
	t.Cleanup(func() { resp.Body.Close() })
	rd := bufio.NewReader(resp.Body)
	line, err := rd.ReadString('\n')
	require.NoError(t, err)
	return strings.TrimSpace(line), rd
}

func TestStreamsStayThroughADrainAndEndAtItsDeadline(t *testing.T) {
	for _, upstream := range []string{"h1", "h2c"} {
		t.Run(upstream, func(t *testing.T) {
			r := start(t, streams(t, upstream, nil))
			pinned, open := map[string]*http.Client{}, map[string]*bufio.Reader{}
			for _, p := range protocols {
				pinned[p] = r.client(p)
				first, rd := events(t, pinned[p], r.url(p))
				require.Equal(t, "data: b0", first)
				open[p] = rd
			}
			sockets := map[string]*websocket.Conn{}
			if upstream == "h1" {
				sockets = dialSockets(t, r, pinned)
			}
			inFlight := int64(len(open) + len(sockets))
			r.setState("b1", admin.StateReady)
			b := r.override("b0", admin.Change{State: admin.StateDrain})
			assert.Equal(t, inFlight, b.InFlight)
			assert.Equal(t, "draining", b.State)
			for _, p := range protocols {
				_, where := get(t, pinned[p], r.url(p)+"/")
				assert.Equal(t, "b0", where, "the pinned stay: %s", p)
				_, where = get(t, r.client(p), r.url(p)+"/")
				assert.Equal(t, "b1", where, "the new go elsewhere: %s", p)
			}
			for _, c := range sockets {
				echo(t, c)
			}
			r.await("b0", func(b admin.Backend) bool { return b.InFlight == inFlight && b.Pins >= 2 }) // of 4: estimated
			began := time.Now()
			r.override("b0", admin.Change{Deadline: dur(300 * time.Millisecond)})
			for _, p := range protocols {
				_, err := open[p].ReadByte()
				require.Error(t, err, p)
				assert.NotErrorIs(t, err, io.EOF, "the client sees that the stream was cut: %s", p)
			}
			assert.GreaterOrEqual(t, time.Since(began), 300*time.Millisecond)
			for _, c := range sockets {
				_, _, err := c.Read(context.Background())
				require.Error(t, err)
			}
			r.await("b0", func(b admin.Backend) bool { return b.InFlight == 0 && b.State == "maintenance" })
			for _, p := range protocols {
				_, where := get(t, pinned[p], r.url(p)+"/")
				assert.Equal(t, "b1", where, "the pinned go where on_unavailable says: %s", p)
			}
			assert.Contains(t, r.log.String(), "backend deadline passed")
			r.await("b0", func(b admin.Backend) bool { return !b.Ejected && !b.Down })
		})
	}
}

func dialSockets(t *testing.T, r *running, pinned map[string]*http.Client) map[string]*websocket.Conn {
	sockets := map[string]*websocket.Conn{}
	for _, p := range []string{"plain", "h1"} {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		t.Cleanup(cancel)
		url := strings.Replace(r.url(p), "http", "ws", 1) + "/ws"
		c, _, err := websocket.Dial(ctx, url, &websocket.DialOptions{HTTPClient: pinned[p]})
		require.NoError(t, err)
		t.Cleanup(func() { c.CloseNow() })
		echo(t, c)
		sockets[p] = c
	}
	return sockets
}

func echo(t *testing.T, c *websocket.Conn) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	require.NoError(t, c.Write(ctx, websocket.MessageText, []byte("hello")))
	_, got, err := c.Read(ctx)
	require.NoError(t, err)
	require.Equal(t, "hello", string(got))
}

// A request that had no answer at the deadline is sent elsewhere if it may be, and else answered 503.
func TestAtTheDeadlineRequestsWithoutAnAnswerGoElsewhereIfThatIsSafe(t *testing.T) {
	for _, upstream := range []string{"h1", "h2c"} {
		t.Run(upstream, func(t *testing.T) {
			waiting := make(chan string, 2*len(protocols))
			r := start(t, streams(t, upstream, waiting))
			var wg sync.WaitGroup
			for _, p := range protocols {
				c, url := r.client(p), r.url(p)+"/wait"
				wg.Go(func() {
					ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
					defer cancel()
					req, err := http.NewRequestWithContext(ctx, "GET", url, nil)
					assert.NoError(t, err)
					_, err = c.Do(req)
					assert.ErrorIs(t, err, context.DeadlineExceeded, "it waits at the other now: %s", p)
				})
				wg.Go(func() {
					resp, err := c.Post(url, "text/plain", strings.NewReader("body"))
					if !assert.NoError(t, err, p) {
						return
					}
					resp.Body.Close()
					assert.Equal(t, 503, resp.StatusCode, p)
					assert.Equal(t, "1", resp.Header.Get("Retry-After"), p)
				})
			}
			for range 2 * len(protocols) {
				require.Equal(t, "b0", <-waiting)
			}
			r.setState("b1", admin.StateReady)
			r.override("b0", admin.Change{State: admin.StateMaintenance, Deadline: dur(0)})
			for range protocols {
				require.Equal(t, "b1", <-waiting, "only what can be repeated")
			}
			wg.Wait()
			assert.Empty(t, waiting)
			r.await("b0", func(b admin.Backend) bool { return b.InFlight == 0 && !b.Ejected })
			assert.Equal(t, 2*len(protocols), r.counter("wedge_upstream_errors_total", `backend="b0".*reason="severed"`))
		})
	}
}

func TestPastTheDeadlineOfTheLastBackendNothingIsServed(t *testing.T) {
	r := start(t, streams(t, "h1", nil))
	r.setState("b0", admin.StateDrain)
	for _, p := range protocols {
		_, where := get(t, r.client(p), r.url(p)+"/")
		assert.Equal(t, "b0", where, "only draining ones remain: they are used")
	}
	r.override("b0", admin.Change{Deadline: dur(0)})
	for _, p := range protocols {
		resp, err := r.client(p).Get(r.url(p) + "/")
		require.NoError(t, err)
		resp.Body.Close()
		assert.Equal(t, 503, resp.StatusCode, p)
		assert.NotEmpty(t, resp.Header.Get("Retry-After"), p)
	}
}

func TestOverridesSurviveAReloadAndARestart(t *testing.T) {
	_, yaml := named(t, 3)
	r := start(t, pool(yaml, "builtin/cookie-sticky", "{}"))
	weight := uint32(7)
	r.override("b0", admin.Change{State: admin.StateMaintenance, TTL: time.Hour})
	r.override("b1", admin.Change{State: admin.StateDrain, Deadline: dur(time.Hour)})
	r.override("b2", admin.Change{Weight: &weight})
	said := r.overrides()
	require.Len(t, said, 3)
	check := func(when string) {
		t.Helper()
		assert.Equal(t, said, r.overrides(), when)
		for _, id := range newCrowd(t, r, 12).visit() {
			assert.Equal(t, "b2", id, when)
		}
		r.await("b2", func(b admin.Backend) bool { return b.Weight == 7 && b.Override })
		r.await("b1", func(b admin.Backend) bool { return b.State == "draining" })
	}
	check("at first")
	require.NoError(t, r.Reload(context.Background()))
	check("after a reload")
	r.restart()
	check("after a restart")
	r.rewrite("{ id: b1,", "{ weight: 5, id: b1,")
	require.NoError(t, r.Reload(context.Background()))
	check("after a reload that changes the backend")
	info, err := os.Stat(filepath.Join(r.dir, "overrides.json"))
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode())
	for _, id := range []string{"b0", "b1", "b2"} {
		r.setState(id, admin.StateConfigured)
	}
	r.restart()
	assert.Empty(t, r.overrides())
	assert.Len(t, unique(newCrowd(t, r, 60).visit()), 3, "what was taken back stays so")
}

func TestADeadlineThatPassesWhileNoEdgeRuns(t *testing.T) {
	_, yaml := named(t, 2)
	r := start(t, pool(yaml, "builtin/cookie-sticky", "{}"))
	people := newCrowd(t, r, 24)
	require.Len(t, unique(people.visit()), 2)
	r.override("b0", admin.Change{State: admin.StateDrain, Deadline: dur(time.Millisecond)})
	r.restart()
	people.urls = newCrowd(t, r, 24).urls // its ports are others
	for i, c := range newCrowd(t, r, 24).clients {
		c.Jar = people.clients[i].Jar
		people.clients[i] = c
	}
	assert.Equal(t, map[string]bool{"b1": true}, unique(people.visit()))
}

func TestAnOverrideOfABackendThatLeavesIsKept(t *testing.T) {
	_, yaml := named(t, 2)
	r := start(t, pool(yaml, "builtin/stateless", "{}"))
	r.setState("b1", admin.StateMaintenance)
	line := yaml[strings.Index(yaml, "      - { id: b1"):]
	r.rewrite(line, "")
	require.NoError(t, r.Reload(context.Background()))
	list := r.overrides()
	require.Len(t, list, 1)
	assert.False(t, list[0].Known, "it is listed as not in the configuration")
	r.restart()
	require.Len(t, r.overrides(), 1)
	r.rewrite("sites:\n", line+"sites:\n")
	require.NoError(t, r.Reload(context.Background()))
	assert.True(t, r.overrides()[0].Known)
	assert.Equal(t, map[string]bool{"b0": true}, unique(newCrowd(t, r, 24).visit()), "it comes back as it was told")

	r.rewrite(line, "")
	require.NoError(t, r.Reload(context.Background()))
	_, err := r.operator().Override(context.Background(), "p", "b0", admin.Change{TTL: time.Hour})
	require.ErrorContains(t, err, "there is no override to change\ngive a state or a weight as well")
	r.override("b0", admin.Change{State: admin.StateReady})
	_, err = r.operator().Override(context.Background(), "p", "b0", admin.Change{Deadline: dur(0)})
	require.ErrorContains(t, err, "\n  deadline: a deadline is of drain and maintenance only\n")
	r.setState("b0", admin.StateConfigured)
	_, err = r.operator().SetState(context.Background(), "p", "b1", admin.StateDrain)
	require.ErrorContains(t, err, `no backend "b1"`)
	assert.Equal(t, admin.StateAbsent, r.override("b1", admin.Change{State: admin.StateConfigured}).State)
	assert.Empty(t, r.overrides())
}

func TestABrokenFileOfOverridesDoesNotStopTheStart(t *testing.T) {
	_, yaml := named(t, 2)
	r := start(t, pool(yaml, "builtin/stateless", "{}"))
	r.setState("b1", admin.StateMaintenance)
	path := filepath.Join(r.dir, "overrides.json")
	require.NoError(t, os.WriteFile(path, []byte(`{"version":1,"overr`), 0o600))
	r.restart()
	assert.Empty(t, r.overrides())
	assert.FileExists(t, path+".bad")
	assert.Contains(t, r.log.String(), "overrides not read; the file is set aside")
}

func TestAnOverrideEndsWithItsTimeToLive(t *testing.T) {
	_, yaml := named(t, 2)
	r := start(t, pool(yaml, "builtin/stateless", "{}"))
	r.override("b1", admin.Change{State: admin.StateMaintenance, TTL: time.Second})
	assert.Equal(t, map[string]bool{"b0": true}, unique(newCrowd(t, r, 24).visit()))
	list := r.overrides()
	require.Len(t, list, 1)
	assert.Equal(t, time.Second, list[0].Until.Sub(list[0].Since))
	r.await("b1", func(b admin.Backend) bool { return b.State == "ready" && !b.Override })
	assert.Empty(t, r.overrides())
	assert.Len(t, unique(newCrowd(t, r, 24).visit()), 2)
	var file struct{ Overrides []any }
	require.Eventually(t, func() bool {
		data, err := os.ReadFile(filepath.Join(r.dir, "overrides.json"))
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(data, &file))
		return len(file.Overrides) == 0
	}, 5*time.Second, time.Millisecond)
	assert.Contains(t, r.log.String(), "its time to live is over")
}

// Each is undone only by its owner: probes, requests and operators do not undo each other.
func TestOverridesAndHealthDoNotUndoEachOther(t *testing.T) {
	address := freeAddress(t)
	_, yaml := named(t, 2)
	yaml += fmt.Sprintf("      - { id: b9, url: \"http://%s\" }\n", address)
	health := "    strategy: s\n    health: { passive: { connect_errors: 1, eject_for: 1s }, " +
		"active: { interval: 50ms, unhealthy_after: 1, healthy_after: 1 } }\n"
	r := start(t, strings.Replace(pool(yaml, "builtin/stateless", "{algorithm: round_robin}"),
		"    strategy: s\n", health, 1))
	r.await("b9", func(b admin.Backend) bool { return b.Down })
	r.setState("b9", admin.StateReady)
	r.await("b9", func(b admin.Backend) bool { return b.Down && b.State == "down" && b.Override })
	assert.NotContains(t, newCrowd(t, r, 24).visit(), "b9", "an operator's ready does not undo the probes' word")
	r.setState("b9", admin.StateDrain)
	revive(t, address, "b9")
	r.await("b9", func(b admin.Backend) bool { return !b.Down && !b.Ejected && b.State == "draining" })
	assert.NotContains(t, newCrowd(t, r, 24).visit(), "b9", "nor do the probes undo the operator's")
	r.setState("b9", admin.StateConfigured)
	r.await("b9", func(b admin.Backend) bool { return b.State == "ready" })
}

// Operators and reloads do not wait for each other, and what was said last stands.
func TestOverridesDuringReloads(t *testing.T) {
	_, yaml := named(t, 3)
	r := start(t, pool(yaml, "builtin/stateless", "{}"))
	var wg sync.WaitGroup
	done := make(chan struct{})
	wg.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-done:
				return
			default:
			}
			assert.NoError(t, r.Reload(context.Background()))
		}
	})
	c := r.operator()
	var operators sync.WaitGroup
	for _, id := range []string{"b0", "b1", "b2"} {
		operators.Go(func() {
			for i := range 40 {
				state := []string{admin.StateDrain, admin.StateReady, admin.StateMaintenance}[i%3]
				b, err := c.Override(context.Background(), "p", id, admin.Change{State: state})
				assert.NoError(t, err)
				assert.Equal(t, []string{"draining", "ready", "maintenance"}[i%3], b.State)
			}
		})
	}
	operators.Wait()
	close(done)
	wg.Wait()
	for _, id := range []string{"b0", "b1", "b2"} {
		r.await(id, func(b admin.Backend) bool { return b.State == "draining" })
	}
	r.stop() // the edge drains: who asks now is answered, or finds nobody
	_, err := c.Override(context.Background(), "p", "b0", admin.Change{State: admin.StateReady})
	if err != nil {
		assert.ErrorContains(t, err, "admin.sock")
	}
}
