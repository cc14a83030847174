package edge_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedge-lb/wedge/edge/admin"
)

// operator is who calls the admin API of r.
func (r *running) operator() *admin.Client {
	r.t.Helper()
	c, err := admin.NewClient(r.AdminAddress(), "")
	require.NoError(r.t, err)
	r.t.Cleanup(c.Close)
	return c
}

func (r *running) setState(id, state string) {
	r.t.Helper()
	_, err := r.operator().SetState(context.Background(), "p", id, state)
	require.NoError(r.t, err)
}

// await waits until a backend is as is says.
func (r *running) await(id string, is func(admin.Backend) bool) {
	r.t.Helper()
	c := r.operator()
	var b admin.Backend
	require.Eventually(r.t, func() bool {
		var err error
		b, err = c.Backend(context.Background(), "p", id)
		require.NoError(r.t, err)
		return is(b)
	}, 10*time.Second, 5*time.Millisecond, "%+v", &b)
}

// counter is the sum of a metric's samples whose labels match.
func (r *running) counter(name, labels string) int {
	r.t.Helper()
	c, err := admin.NewClient(r.AdminAddress(), "")
	require.NoError(r.t, err)
	defer c.Close() // it may be asked in a loop
	text, err := c.Metrics(context.Background())
	require.NoError(r.t, err)
	sum := 0.0
	samples := regexp.MustCompile(`(?m)^` + name + `\{(.*)\} (\S+)$`)
	for _, m := range samples.FindAllStringSubmatch(string(text), -1) {
		if regexp.MustCompile(labels).MatchString(m[1]) {
			n, err := strconv.ParseFloat(m[2], 64)
			require.NoError(r.t, err)
			sum += n
		}
	}
	return int(sum)
}

// crowd are clients with cookies, over every protocol.
type crowd struct {
	t       *testing.T
	clients []*http.Client
	urls    []string
}

func newCrowd(t *testing.T, r *running, n int) *crowd {
	c := &crowd{t: t}
	shared := map[string]*http.Client{}
	for _, p := range protocols {
		shared[p] = r.client(p)
	}
	for i := range n {
		p := protocols[i%len(protocols)]
		c.clients, c.urls = append(c.clients, visitor(t, shared[p])), append(c.urls, r.url(p)+"/")
	}
	return c
}

// visit has everyone ask once and tells where they were.
func (c *crowd) visit() []string {
	c.t.Helper()
	var where []string
	for i, client := range c.clients {
		status, body := get(c.t, client, c.urls[i])
		require.Equal(c.t, 200, status)
		where = append(where, body)
	}
	return where
}

func TestDrainKeepsThePinnedAndSendsTheNewElsewhere(t *testing.T) {
	_, yaml := named(t, 3)
	r := start(t, pool(yaml, "builtin/cookie-sticky", "{}"))
	old := newCrowd(t, r, 40)
	home := old.visit()
	require.Len(t, unique(home), 3)
	check := func(t *testing.T) {
		for range 3 {
			assert.Equal(t, home, old.visit(), "the pinned stay")
			assert.NotContains(t, newCrowd(t, r, 20).visit(), "b1", "the new go elsewhere")
		}
	}
	t.Run("by the operator", func(t *testing.T) {
		r.setState("b1", admin.StateDrain)
		check(t)
		r.setState("b1", admin.StateConfigured)
		assert.Contains(t, newCrowd(t, r, 40).visit(), "b1", "it is back")
	})
	t.Run("by the configuration", func(t *testing.T) {
		r.rewrite("{ id: b1,", "{ state: drain, id: b1,")
		require.NoError(t, r.Reload(context.Background()))
		check(t)
		r.setState("b1", admin.StateReady)
		assert.Contains(t, newCrowd(t, r, 40).visit(), "b1", "the operator's word goes first")
		r.setState("b1", admin.StateConfigured)
		check(t)
	})
	t.Run("of all there are", func(t *testing.T) {
		for _, id := range []string{"b0", "b1", "b2"} {
			r.setState(id, admin.StateDrain)
		}
		assert.Len(t, unique(newCrowd(t, r, 40).visit()), 3, "if nothing else is left, they are used")
		assert.Equal(t, home, old.visit())
	})
}

func TestMaintenanceMovesThePinnedAndTheyStayWhereTheyWent(t *testing.T) {
	_, yaml := named(t, 3)
	r := start(t, pool(yaml, "builtin/cookie-sticky", "{}"))
	people := newCrowd(t, r, 40)
	home := people.visit()
	r.setState("b1", admin.StateMaintenance)
	moved := people.visit()
	for i := range home {
		if home[i] != "b1" {
			assert.Equal(t, home[i], moved[i], "whose backend serves stays")
		}
	}
	assert.NotContains(t, moved, "b1")
	r.setState("b1", admin.StateConfigured)
	assert.Equal(t, moved, people.visit(), "their new pin holds")
	for _, id := range []string{"b0", "b1", "b2"} {
		r.setState(id, admin.StateMaintenance)
	}
	for _, p := range protocols {
		resp, err := r.client(p).Get(r.url(p) + "/")
		require.NoError(t, err)
		resp.Body.Close()
		assert.Equal(t, 503, resp.StatusCode, p)
		assert.Equal(t, "1", resp.Header.Get("Retry-After"), p)
	}
}

// A backend in maintenance gets nothing new, but what it is doing is not cut.
func TestMaintenanceLetsRequestsInProgressEnd(t *testing.T) {
	inside, leave := make(chan struct{}), make(chan struct{})
	slow := backend(t, func(w http.ResponseWriter, _ *http.Request) {
		inside <- struct{}{}
		<-leave
		io.WriteString(w, "done")
	})
	_, yaml := named(t, 1)
	r := start(t, pool(yaml+fmt.Sprintf("      - { id: slow, url: %q, state: maintenance }\n", slow.URL),
		"builtin/stateless", "{}"))
	r.setState("b0", admin.StateMaintenance)
	r.setState("slow", admin.StateReady)
	answers := make(chan string, len(protocols))
	for _, p := range protocols {
		c, url := r.client(p), r.url(p)
		go func() { answers <- answered(c.Get(url)) }()
		<-inside
	}
	r.setState("slow", admin.StateMaintenance)
	r.setState("b0", admin.StateReady)
	r.await("slow", func(b admin.Backend) bool { return b.InFlight == 4 && b.State == "maintenance" })
	assert.Equal(t, "b0", answered(r.client("h1").Get(r.url("h1"))))
	close(leave)
	for range protocols {
		assert.Equal(t, "done", <-answers)
	}
	r.await("slow", func(b admin.Backend) bool { return b.InFlight == 0 })
}

func TestProbesTakeABackendDownAndUp(t *testing.T) {
	var sick atomic.Bool
	var asked atomic.Int64
	s := backend(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/healthz" {
			asked.Add(1)
			io.WriteString(w, "b9")
			return
		}
		if sick.Load() {
			w.WriteHeader(503)
		}
	})
	_, yaml := named(t, 1)
	yaml += fmt.Sprintf("      - { id: b9, url: %q }\n", s.URL)
	text := pool(yaml, "builtin/stateless", "{algorithm: round_robin}")
	probe := "    strategy: s\n    health: { active: { path: /healthz, interval: 10ms, unhealthy_after: 3 } }\n"
	r := start(t, strings.Replace(text, "    strategy: s\n", probe, 1))
	up := func(b admin.Backend) bool { return b.State == "ready" && !b.Down }
	down := func(b admin.Backend) bool { return b.State == "down" && b.Down && !b.Ejected }
	r.await("b9", up)
	assert.Len(t, unique(newCrowd(t, r, 20).visit()), 2)

	sick.Store(true)
	r.await("b9", down)
	before := asked.Load()
	assert.Equal(t, map[string]bool{"b0": true}, unique(newCrowd(t, r, 40).visit()))
	assert.Equal(t, before, asked.Load())
	assert.NotZero(t, r.counter("wedge_backend_state", `backend="b9".*state="down"`))
	r.rewrite("{ id: b0,", "{ weight: 2, id: b0,")
	require.NoError(t, r.Reload(context.Background()))
	r.await("b9", down) // a reload makes nothing well

	sick.Store(false)
	r.await("b9", up)
	assert.Len(t, unique(newCrowd(t, r, 40).visit()), 2)
}

func TestConnectErrorsEjectABackendForATime(t *testing.T) {
	_, yaml := named(t, 2)
	address := freeAddress(t)
	yaml += fmt.Sprintf("      - { id: b9, url: %q }\n", "http://"+address)
	eject := "    strategy: s\n    health: { passive: { connect_errors: 3, eject_for: 2500ms } }\n"
	text := pool(yaml, "builtin/stateless", "{algorithm: round_robin}")
	r := start(t, strings.Replace(text, "    strategy: s\n", eject, 1))
	failed := func() int { return r.counter("wedge_upstream_errors_total", `backend="b9"`) }
	people := newCrowd(t, r, 24)
	people.visit() // every one is answered: the others are tried
	r.await("b9", func(b admin.Backend) bool { return b.State == "down" && b.Ejected && !b.Down })
	before := failed()
	assert.GreaterOrEqual(t, before, 3)
	people.visit()
	assert.Equal(t, before, failed(), "it is not tried while it is ejected")

	revive(t, address, "b9")
	r.await("b9", func(b admin.Backend) bool { return b.State == "ready" })
	require.Eventually(t, func() bool { return unique(people.visit())["b9"] }, 10*time.Second, time.Millisecond)
}

func TestAPostIsTriedElsewhereWhenItsConnectionIsRefused(t *testing.T) {
	var seen sync.Map // request → how often a backend has got it whole
	body := bytes.Repeat([]byte("body "), 50_000)
	sum := sha256.Sum256(body)
	s := backend(t, func(w http.ResponseWriter, r *http.Request) {
		got, err := io.ReadAll(r.Body)
		if err != nil || sha256.Sum256(got) != sum {
			w.WriteHeader(400)
			return
		}
		n, _ := seen.LoadOrStore(r.Header.Get("X-Request"), new(atomic.Int64))
		n.(*atomic.Int64).Add(1)
	})
	gone := fmt.Sprintf("      - { id: gone, url: \"http://%s\" }\n", freeAddress(t))
	text := pool(one(s.URL)+gone, "builtin/stateless", "{algorithm: round_robin}")
	forgive := "    strategy: s\n    health: { passive: { connect_errors: 0 } }\n    retry: { budget: 100% }\n"
	r := start(t, strings.Replace(text, "    strategy: s\n", forgive, 1))
	sent := 0
	for _, p := range protocols {
		c := r.client(p)
		for _, sized := range []bool{true, false} {
			for range 5 {
				var from io.Reader = bytes.NewReader(body)
				if !sized {
					from = io.MultiReader(from)
				}
				req, err := http.NewRequest("POST", r.url(p)+"/", from)
				require.NoError(t, err)
				sent++
				req.Header.Set("X-Request", fmt.Sprint(sent))
				require.Empty(t, answered(c.Do(req)), "%s, length known %v", p, sized)
			}
		}
	}
	for i := range sent {
		n, ok := seen.Load(fmt.Sprint(i + 1))
		require.True(t, ok)
		assert.EqualValues(t, 1, n.(*atomic.Int64).Load(), "the backend got each once")
	}
	retries := r.counter("wedge_upstream_retries_total", "")
	assert.GreaterOrEqual(t, retries, sent/3, "many went to the gone one first")
}

// A request that has reached a backend is not sent to another: it may have been done.
func TestAPostThatReachedABackendIsNotTriedAgain(t *testing.T) {
	var got atomic.Int64
	hang := func(w http.ResponseWriter, r *http.Request) {
		got.Add(1)
		io.Copy(io.Discard, r.Body)
		panic(http.ErrAbortHandler) // closes the connection instead of an answer
	}
	one, two := backend(t, hang), backend(t, hang)
	yaml := fmt.Sprintf("      - { id: b0, url: %q }\n      - { id: b1, url: %q }\n", one.URL, two.URL)
	r := start(t, pool(yaml, "builtin/stateless", "{}"))
	for i, p := range protocols {
		resp, err := r.client(p).Post(r.url(p)+"/", "text/plain", strings.NewReader("body"))
		require.NoError(t, err, p)
		resp.Body.Close()
		assert.Equal(t, 502, resp.StatusCode, p)
		assert.EqualValues(t, i+1, got.Load(), p)
	}
}

// When nothing answers, retries stay within the budget: 20 % of the requests, or ten a second.
func TestTheRetryBudgetBoundsAnOutage(t *testing.T) {
	var yaml strings.Builder
	for i := range 4 {
		fmt.Fprintf(&yaml, "      - { id: b%d, url: \"http://%s\" }\n", i, freeAddress(t))
	}
	forgive := "    strategy: s\n    health: { passive: { connect_errors: 0 } }\n"
	text := strings.Replace(pool(yaml.String(), "builtin/stateless", "{}"), "    strategy: s\n", forgive, 1)
	r := start(t, "logging: { access: { format: \"off\" } }\n"+text)
	const every = 2 * time.Millisecond // between two requests
	began, requests := time.Now(), 0
	c := r.client("plain")
	for tick := time.NewTicker(every); time.Since(began) < 3200*time.Millisecond; <-tick.C {
		status, _ := get(t, c, r.url("plain"))
		require.Equal(t, 502, status)
		requests++
	}
	retries := r.counter("wedge_upstream_retries_total", "")
	seconds := int(time.Since(began).Seconds()) + 1
	t.Logf("%d retries of %d requests in %v", retries, requests, time.Since(began))
	assert.GreaterOrEqual(t, retries, 20, "there are some")
	assert.LessOrEqual(t, retries, requests/5+10*seconds)
}
