package edge_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedge-lb/wedge/edge"
	"github.com/wedge-lb/wedge/edge/admin"
)

func (r *running) swap(use, options string) error {
	return r.Swap(context.Background(), "s", edge.SwapRequest{Use: use, Options: []byte(options)})
}

// visitor is one client with a cookie jar on a shared transport.
func visitor(t *testing.T, from *http.Client) *http.Client {
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	return &http.Client{Jar: jar, Transport: from.Transport, Timeout: from.Timeout}
}

// A thousand clients keep their backends while the strategy is swapped twice and the configuration is reloaded.
func TestSessionsSurviveSwapsAndAReload(t *testing.T) {
	const clients, rounds = 1000, 20
	_, yaml := named(t, 3)
	r := start(t, pool(yaml, "builtin/cookie-sticky", "{}"))
	var moved, failed atomic.Int64
	home := make([]string, clients)
	people := make([]*http.Client, clients)
	shared := map[string]*http.Client{}
	for _, p := range protocols {
		shared[p] = r.client(p)
	}
	for i := range people {
		people[i] = visitor(t, shared[protocols[i%len(protocols)]])
	}
	round := func(n int) {
		var wg sync.WaitGroup
		for worker := range 16 {
			wg.Go(func() {
				for i := worker; i < clients; i += 16 {
					resp, err := people[i].Get(r.url(protocols[i%len(protocols)]) + "/")
					if err != nil || resp.StatusCode != 200 {
						failed.Add(1)
						continue
					}
					body := make([]byte, 2)
					resp.Body.Read(body)
					resp.Body.Close()
					if n == 0 {
						home[i] = string(body)
					} else if home[i] != string(body) {
						moved.Add(1)
					}
				}
			})
		}
		wg.Wait()
	}
	for n := range rounds {
		switch n {
		case 5:
			require.NoError(t, r.swap("builtin/stateless", "{}"))
			require.NoError(t, r.swap("builtin/cookie-sticky", `{"first_pick":"round_robin"}`))
		case 10:
			r.rewrite("id: b0", "weight: 3, id: b0")
			require.NoError(t, r.Reload(context.Background()))
		case 15:
			require.NoError(t, r.swap("builtin/consistent-hash", `{"key":["path"]}`))
			require.NoError(t, r.swap("builtin/cookie-sticky", "{}"))
		}
		round(n)
	}
	assert.Zero(t, failed.Load(), "failed requests")
	assert.Zero(t, moved.Load(), "requests that left their backend")
	assert.Len(t, unique(home), 3)
}

func unique(list []string) map[string]bool {
	set := map[string]bool{}
	for _, s := range list {
		set[s] = true
	}
	return set
}

func TestTheTokenIsHiddenFromBackendsAndStrangers(t *testing.T) {
	var seen sync.Map
	s := backend(t, func(w http.ResponseWriter, r *http.Request) {
		seen.Store(r.Header.Get("Cookie"), true)
		w.Header().Set("Cache-Control", "public, max-age=60")
	})
	r := start(t, pool(one(s.URL), "builtin/cookie-sticky", "{}"))
	for _, p := range []string{"plain", "h1", "h2", "h3"} {
		c := r.client(p)
		resp, err := c.Get(r.url(p) + "/")
		require.NoError(t, err)
		resp.Body.Close()
		cookies := resp.Cookies()
		require.Len(t, cookies, 1, p)
		assert.Contains(t, cookies[0].Name, "wedge-p")
		assert.Equal(t, p != "plain", strings.HasPrefix(cookies[0].Name, "__Host-"))
		assert.True(t, cookies[0].HttpOnly)
		assert.NotContains(t, cookies[0].Value, "127.0.0.1")
		assert.Equal(t, "private, max-age=60", resp.Header.Get("Cache-Control"))
		req, err := http.NewRequest("GET", r.url(p)+"/", nil)
		require.NoError(t, err)
		req.AddCookie(&http.Cookie{Name: "app", Value: "1"})
		resp, err = c.Do(req)
		require.NoError(t, err)
		resp.Body.Close()
		assert.Empty(t, resp.Cookies(), "a valid token is not issued again")
	}
	for cookie := range seen.Range {
		assert.Contains(t, []any{"", "app=1"}, cookie)
	}
}

func TestARefusedSwapChangesNothing(t *testing.T) {
	_, yaml := named(t, 2)
	r := start(t, pool(yaml, "builtin/stateless", "{}"))
	for name, tt := range map[string]struct{ use, options, want string }{
		"an unknown built-in":   {"builtin/nothing", "{}", "no such built-in"},
		"an unknown file":       {"nowhere.wasm", "{}", "nowhere.wasm"},
		"an unknown option":     {"builtin/stateless", `{"algoritm":"p2c"}`, "algoritm"},
		"a value out of range":  {"builtin/stateless", `{"algorithm":"magic"}`, "magic"},
		"options of other type": {"builtin/consistent-hash", `[]`, "configure"},
	} {
		t.Run(name, func(t *testing.T) {
			err := r.swap(tt.use, tt.options)
			require.Error(t, err)
			assert.Contains(t, err.Error(), tt.want)
			status, _ := get(t, r.client("h1"), r.url("h1"))
			assert.Equal(t, 200, status)
		})
	}
	err := r.Swap(context.Background(), "s", edge.SwapRequest{Use: "x", Module: []byte("\x00asm")})
	require.Error(t, err)
	err = r.Swap(context.Background(), "nobody", edge.SwapRequest{Use: "builtin/stateless"})
	require.ErrorIs(t, err, edge.ErrUnknown)
}

func TestARefusedReloadChangesNothingAndTellsEveryFault(t *testing.T) {
	_, yaml := named(t, 2)
	r := start(t, pool(yaml, "builtin/stateless", "{}"))
	r.rewrite("builtin/stateless", "builtin/stateles")
	r.rewrite("routes: [{ pool: p }] }\n  - { hosts: [\"127", "routes: [{ poool: p }] }\n  - { hosts: [\"127")
	err := r.Reload(context.Background())
	require.Error(t, err)
	assert.Contains(t, err.Error(), "stateles")
	assert.Contains(t, err.Error(), `did you mean "pool"?`)
	status, _ := get(t, r.client("h1"), r.url("h1"))
	assert.Equal(t, 200, status)
	r.rewrite("poool", "pool")
	r.rewrite("builtin/stateles", "builtin/stateless")
	require.NoError(t, r.Reload(context.Background()))
}

func TestAReloadKeepsConnectionsAndMovesRoutes(t *testing.T) {
	_, yaml := named(t, 1)
	other := backend(t, func(w http.ResponseWriter, r *http.Request) { w.Write([]byte("new")) })
	r := start(t, pool(yaml, "builtin/stateless", "{}"))
	clients := map[string]*http.Client{}
	for _, p := range protocols {
		clients[p] = r.client(p)
		_, body := get(t, clients[p], r.url(p))
		require.Equal(t, "b0", body)
	}
	r.rewrite(strings.TrimSpace(yaml), fmt.Sprintf("- { id: b9, url: %q }", other.URL))
	require.NoError(t, r.Reload(context.Background()))
	for _, p := range protocols {
		_, body := get(t, clients[p], r.url(p))
		assert.Equal(t, "new", body, p)
	}
}

// Every kind of fault of a plugin costs no client an error.
func TestPluginFaultsCostNoRequest(t *testing.T) {
	_, yaml := named(t, 2)
	r := start(t, pool(yaml, "builtin/stateless", "{}"))
	modules, err := filepath.Glob("../testdata/wasm/*.wasm")
	require.NoError(t, err)
	require.NotEmpty(t, modules)
	served := 0
	for _, file := range modules {
		code, err := os.ReadFile(file)
		require.NoError(t, err)
		err = r.Swap(context.Background(), "s", edge.SwapRequest{Use: filepath.Base(file), Module: code})
		if err == nil {
			served++
		}
		t.Log(filepath.Base(file), err)
		for _, p := range protocols {
			c := r.client(p)
			for range 10 {
				status, _ := get(t, c, r.url(p))
				assert.Less(t, status, 500, "%s over %s", filepath.Base(file), p)
			}
		}
		require.NoError(t, r.swap("builtin/stateless", "{}"))
	}
	assert.NotZero(t, served, "some of the modules fault only when they pick")
}

func TestShutdownLetsRequestsFinish(t *testing.T) {
	inside, leave := make(chan struct{}, len(protocols)), make(chan struct{})
	s := backend(t, func(w http.ResponseWriter, r *http.Request) {
		inside <- struct{}{}
		<-leave
		w.Write([]byte("done"))
	})
	r := start(t, pool(one(s.URL), "builtin/stateless", "{}"))
	answers := make(chan string, len(protocols))
	for _, p := range protocols {
		c := r.client(p)
		url := r.url(p)
		go func() {
			resp, err := c.Get(url)
			if err != nil {
				answers <- err.Error()
				return
			}
			defer resp.Body.Close()
			body := make([]byte, 4)
			n, _ := resp.Body.Read(body)
			answers <- string(body[:n])
		}()
	}
	for range protocols {
		<-inside
	}
	r.stop()
	require.Eventually(t, func() bool { return strings.Contains(r.log.String(), "draining") }, 5*time.Second, time.Millisecond)
	close(leave)
	for range protocols {
		assert.Equal(t, "done", <-answers)
	}
}

// A plugin that never returns from configure is ended by its fuel, and nothing has changed.
func TestAPluginThatHangsInConfigureIsEndedByItsFuel(t *testing.T) {
	_, yaml := named(t, 1)
	p := startProcess(t, pool(yaml, "builtin/stateless", "{}"))
	hang := buildPlugin(t, `package main

import "github.com/wedge-lb/wedge/sdk"

func init() { sdk.Register(&endless{}) }
func main() {}

type endless struct{ n int }

func (e *endless) Configure(*sdk.Config) error { for { e.n++ } }
func (e *endless) Backends(sdk.Backends) error { return nil }
func (e *endless) Pick(*sdk.Request) sdk.Decision { return sdk.Abstain() }
`)
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	began := time.Now()
	_, err := p.admin.Swap(ctx, "s", admin.Swap{Use: "endless", Module: hang})
	require.ErrorContains(t, err, "configure: fuel: more than 200000000 units of fuel")
	t.Log(time.Since(began))
	_, err = p.admin.Reload(context.Background())
	require.NoError(t, err)
	status, body := get(t, p.client("h1"), p.url("h1"))
	assert.Equal(t, 200, status, body)
}

func TestASwapWithoutOptionsKeepsThoseOfTheSamePlugin(t *testing.T) {
	_, yaml := named(t, 2)
	p := startProcess(t, pool(yaml, "builtin/stateless", "{algorithm: round_robin}"))
	swap := func(use, options string) string {
		request := admin.Swap{Use: use}
		if options != "" {
			request.Options = []byte(options)
		}
		got, err := p.admin.Swap(context.Background(), "s", request)
		require.NoError(t, err)
		return string(got.Options)
	}
	assert.JSONEq(t, `{"algorithm":"round_robin"}`, swap("builtin/stateless", ""))
	assert.JSONEq(t, `{"algorithm":"p2c"}`, swap("builtin/stateless", `{"algorithm":"p2c"}`))
	assert.JSONEq(t, `{"algorithm":"p2c"}`, swap("builtin/stateless", ""))
	assert.JSONEq(t, `{}`, swap("builtin/cookie-sticky", ""))
}

func TestAPoolCanDoWithoutAPlugin(t *testing.T) {
	_, yaml := named(t, 3)
	text := strings.Replace(pool(yaml, "builtin/stateless", "{}"), "strategy: s", "strategy: fallback", 1)
	r := start(t, text)
	seen := map[string]bool{}
	for range 60 {
		status, body := get(t, r.client("h1"), r.url("h1"))
		require.Equal(t, 200, status)
		seen[body] = true
	}
	assert.Len(t, seen, 3)
	r.rewrite("strategy: fallback", "strategy: s")
	require.NoError(t, r.Reload(context.Background()))
	status, _ := get(t, r.client("h1"), r.url("h1"))
	assert.Equal(t, 200, status)
}
