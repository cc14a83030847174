package edge_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedge-lb/wedge/edge/admin"
)

func TestThePinsOfEachBackendAreCounted(t *testing.T) {
	_, yaml := named(t, 3)
	r := start(t, pool(yaml, "builtin/cookie-sticky", "{}"))
	people := newCrowd(t, r, 40)
	home := people.visit()
	assert.Zero(t, r.counter("wedge_backend_pins", ""), "nobody came back yet")
	want := map[string]int{}
	for _, b := range home {
		want[b]++
	}
	check := func() {
		t.Helper()
		for b, n := range want {
			assert.InDelta(t, n, r.counter("wedge_backend_pins", `backend="`+b+`"`), 2, b)
		}
	}
	people.visit()
	check()
	r.rewrite("id: b0", "weight: 3, id: b0")
	require.NoError(t, r.Reload(context.Background()))
	check()
}

// lossy is what may become of a pin whose backend is lost.
var lossy = map[string]struct {
	policy      string
	leave, back func(r *running) // e0
	status      int
	reason      string
	action      string // and cause, in the metric
	stays       bool   // the pin
}{
	"repin, down":     {"repin", maintain, makeReady, 200, "repin_down", `action="repin".*cause="down"`, false},
	"repin, unknown":  {"repin", remove, putBack, 200, "repin_unknown", `action="repin".*cause="unknown"`, false},
	"borrow, down":    {"borrow", maintain, makeReady, 200, "borrow_down", `action="borrow".*cause="down"`, true},
	"borrow, unknown": {"borrow", remove, putBack, 200, "repin_unknown", `action="repin".*cause="unknown"`, false},
	"fail, down":      {"fail", maintain, makeReady, 503, "pinned_backend_down", `action="fail".*cause="down"`, true},
	"fail, unknown":   {"fail", remove, putBack, 503, "pinned_backend_unknown", `action="fail".*cause="unknown"`, true},
}

func maintain(r *running)  { r.setState("e0", admin.StateMaintenance) }
func makeReady(r *running) { r.setState("e0", admin.StateReady) }

func remove(r *running) {
	r.rewrite("- { id: e0,", "# { id: e0,")
	require.NoError(r.t, r.Reload(context.Background()))
}

func putBack(r *running) {
	r.rewrite("# { id: e0,", "- { id: e0,")
	require.NoError(r.t, r.Reload(context.Background()))
}

func TestWhatBecomesOfALostPin(t *testing.T) {
	for name, tt := range lossy {
		t.Run(name, func(t *testing.T) {
			settings := strings.Replace(bySession, "{ session", "{ on_unavailable: "+tt.policy+", session", 1)
			r := start(t, pinning(logins(t, 3), "builtin/cookie-sticky", "{}", settings))
			clients := pinnedTo(t, r, "e0")
			tt.leave(r)
			for range 2 {
				for _, c := range clients {
					resp := c.ask(t, r)
					assert.Equal(t, tt.status, resp.StatusCode)
					assert.Equal(t, tt.status == 503, resp.Header.Get("Retry-After") == "1")
				}
			}
			lost := len(clients)
			if tt.stays {
				lost *= 2 // who was pinned elsewhere has lost nothing the second time
			}
			assert.Equal(t, lost, r.counter("wedge_pins_lost_total", tt.action))
			assert.Equal(t, lost, r.counter("wedge_pins_lost_total", ""))
			r.noted(`"reason":"`+tt.reason+`"`, lost)
			where := map[string]string{}
			if !tt.stays {
				for _, c := range clients {
					where[c.cookie] = c.ask(t, r).Header.Get("Who")
				}
			}
			tt.back(r)
			for _, c := range clients {
				home := "e0"
				if !tt.stays {
					home = where[c.cookie]
				}
				assert.Equal(t, home, c.ask(t, r).Header.Get("Who"), c.protocol)
			}
		})
	}
}

// noted waits until the access log has n lines with a text.
func (r *running) noted(text string, n int) {
	r.t.Helper()
	require.Eventually(r.t, func() bool { return strings.Count(r.log.String(), text) == n },
		5*time.Second, 5*time.Millisecond, "%s, %d times", text, n)
}

// a pinnedClient has a token or a session.
type pinnedClient struct {
	protocol string
	c        *http.Client
	cookie   string
}

func (p *pinnedClient) ask(t *testing.T, r *running) *http.Response {
	t.Helper()
	resp := send(t, r, p.c, p.protocol, "/", "Cookie", p.cookie)
	if token, _, _ := strings.Cut(resp.Header.Get("Set-Cookie"), ";"); token != "" {
		p.cookie = token
	}
	return resp
}

// pinnedTo gives clients of a backend, two over each protocol: one by its session, one by a token.
func pinnedTo(t *testing.T, r *running, backend string) []*pinnedClient {
	t.Helper()
	var list []*pinnedClient
	for _, p := range protocols {
		c := r.client(p)
		for i, found := 0, 0; found < 2; i++ {
			require.Less(t, i, 200)
			one := &pinnedClient{p, c, fmt.Sprintf("SID=%s-%d", p, i)}
			if found == 1 {
				one.cookie = "none=1"
			}
			if one.ask(t, r).Header.Get("Who") == backend {
				list, found = append(list, one), found+1
			}
		}
	}
	return list
}

// A retry after a refused connection leaves the pinned backend too, and the pin goes to the one that answered;
// where clients must not be served elsewhere, there is no retry.
func TestARetryTakesThePinAlong(t *testing.T) {
	for policy, status := range map[string]int{"repin": 200, "borrow": 200, "fail": 503} {
		t.Run(policy, func(t *testing.T) {
			gone := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Who", "gone")
			}))
			defer gone.Close()
			yaml := logins(t, 1) + fmt.Sprintf("      - { id: gone, url: %q }\n", gone.URL)
			forgive := "    strategy: s\n    health: { passive: { connect_errors: 0 } }\n    retry: { budget: 100% }\n"
			settings := strings.Replace(bySession, "{ session", "{ on_unavailable: "+policy+", session", 1)
			text := pinning(yaml, "builtin/cookie-sticky", "{}", settings)
			r := start(t, strings.Replace(text, "    strategy: s\n", forgive, 1))
			clients := pinnedTo(t, r, "gone")
			gone.Close()
			for range 2 {
				for _, c := range clients {
					assert.Equal(t, status, c.ask(t, r).StatusCode, c.protocol)
				}
			}
			lost := 2 * len(clients)
			if policy == "repin" {
				lost = len(clients) // the second time they are pinned elsewhere
			}
			assert.Equal(t, lost, r.counter("wedge_pins_lost_total", `action="`+policy+`".*cause="down"`))
		})
	}
}
