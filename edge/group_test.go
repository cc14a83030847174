package edge_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// grouped is a configuration whose route shares its clients among two pools of two backends each, and one that
// stands in; clients are told apart by X-Forwarded-For.
func grouped(t *testing.T, strategy string, weights [2]int) string {
	t.Helper()
	pools := ""
	for _, name := range []string{"old", "new", "spare"} {
		pools += fmt.Sprintf("  %s:\n    strategy: s\n    backends:\n", name)
		for i := range 2 {
			id := fmt.Sprintf("%s%d", name, i)
			b := backend(t, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, id) })
			pools += fmt.Sprintf("      - { id: %s, url: %q }\n", id, b.URL)
		}
	}
	route := fmt.Sprintf("{ pools: [{ pool: old, weight: %d }, { pool: new, weight: %d }], failover: [spare] }",
		weights[0], weights[1])
	return fmt.Sprintf(`strategies: { s: { use: %s } }
pools:
%ssites:
  - { hosts: [localhost], routes: [%s] }
  - { hosts: ["127.0.0.1"], tls: off, routes: [%s] }
`, strategy, pools, route, route)
}

const trusting = "  drain_timeout: 5s\n  trusted_proxies: [127.0.0.1]\n"

func startGrouped(t *testing.T, strategy string, weights [2]int) *running {
	t.Helper()
	return startWith(t, "  drain_timeout: 5s\n", trusting, grouped(t, strategy, weights))
}

// from sends one request of the client at an address and gives the backend that answered.
func from(t *testing.T, c *http.Client, url string, client int) string {
	t.Helper()
	r, err := http.NewRequest("GET", url, nil)
	require.NoError(t, err)
	r.Header.Set("X-Forwarded-For", fmt.Sprintf("10.1.%d.%d", client/256, client%256))
	a, err := c.Do(r)
	require.NoError(t, err)
	defer a.Body.Close()
	body, err := io.ReadAll(a.Body)
	require.NoError(t, err)
	require.Equal(t, 200, a.StatusCode, string(body))
	return string(body)
}

func TestAGroupSharesItsClientsByWeight(t *testing.T) {
	r := startGrouped(t, "builtin/stateless", [2]int{90, 10})
	const clients = 2000
	c := r.client("h1")
	share := func() (all map[int]string, fresh int) {
		all = map[int]string{}
		for i := range clients {
			all[i] = from(t, c, r.url("h1"), i)[:3]
			if all[i] == "new" {
				fresh++
			}
		}
		return all, fresh
	}
	before, fresh := share()
	assert.InDelta(t, 0.10, float64(fresh)/clients, 0.02)
	for _, p := range protocols {
		c := r.client(p)
		for i := range 50 {
			assert.Equal(t, before[i], from(t, c, r.url(p), i)[:3], "a client stays with its share")
		}
	}
	r.rewrite("weight: 10 }", "weight: 30 }")
	require.NoError(t, r.Reload(context.Background()))
	after, fresh := share()
	assert.InDelta(t, 0.25, float64(fresh)/clients, 0.03)
	back := 0
	for i := range clients {
		if before[i] == "new" && after[i] == "old" {
			back++
		}
	}
	assert.LessOrEqual(t, back, clients/10, "few of those that were on the new pool return")
}

func TestAPinnedClientStaysInItsPoolOfAGroup(t *testing.T) {
	r := startGrouped(t, "builtin/cookie-sticky", [2]int{50, 50})
	type visit struct {
		client *http.Client
		url    string
		from   int
		first  string
	}
	var visits []visit
	for _, p := range protocols {
		for i := range 10 {
			v := visit{client: visitor(t, r.client(p)), url: r.url(p), from: i}
			v.first = from(t, v.client, v.url, i)
			visits = append(visits, v)
		}
	}
	r.rewrite("weight: 50 }, { pool: new, weight: 50", "weight: 1 }, { pool: new, weight: 0")
	require.NoError(t, r.Reload(context.Background()))
	for _, v := range visits {
		assert.Equal(t, v.first, from(t, v.client, v.url, v.from))
		assert.Equal(t, v.first, from(t, v.client, v.url, v.from+1000), "from another address too")
	}
	for i := range 20 {
		assert.Equal(t, "old", from(t, r.client("h1"), r.url("h1"), 500+i)[:3], "weight 0 takes nobody new")
	}
}

func TestPoolsStandInForThoseWithoutABackend(t *testing.T) {
	r := startGrouped(t, "builtin/stateless", [2]int{1, 1})
	set := func(pool, state string) {
		for i := range 2 {
			_, err := r.operator().SetState(context.Background(), pool, fmt.Sprintf("%s%d", pool, i), state)
			require.NoError(t, err)
		}
	}
	served := func() map[string]bool {
		seen := map[string]bool{}
		for _, p := range protocols {
			c := r.client(p)
			for i := range 60 {
				seen[from(t, c, r.url(p), i)[:3]] = true
			}
		}
		return seen
	}
	assert.Equal(t, map[string]bool{"old": true, "new": true}, served())
	set("new", "maintenance")
	assert.Equal(t, map[string]bool{"old": true}, served())
	set("old", "maintenance")
	assert.Equal(t, map[string]bool{"spa": true}, served())
	set("spare", "maintenance")
	status, _ := get(t, r.client("h1"), r.url("h1"))
	assert.Equal(t, 503, status)
	set("new", "ready")
	assert.Equal(t, map[string]bool{"new": true}, served())
}

// Two routes with two strategies on one pool: health, drain and load are the pool's.
func TestTwoStrategiesShareOnePool(t *testing.T) {
	_, yaml := named(t, 3)
	text := pool(yaml, "builtin/cookie-sticky", "{}")
	text = replaceOnce(t, text, "strategies:\n", "strategies:\n  plain: { use: builtin/stateless }\n")
	for _, host := range []string{"[localhost], routes: [", `["127.0.0.1"], tls: off, routes: [`} {
		text = replaceOnce(t, text, host, host+"{ match: { path: /static/** }, pool: p, strategy: plain }, ")
	}
	r := start(t, text)
	for _, p := range protocols {
		c := visitor(t, r.client(p))
		_, home := get(t, c, r.url(p))
		spread := map[string]bool{}
		for range 30 {
			_, body := get(t, c, r.url(p)+"/static/x")
			spread[body] = true
			_, body = get(t, c, r.url(p))
			require.Equal(t, home, body)
		}
		assert.Len(t, spread, 3)
	}
	r.setState("b1", "drain")
	for range 30 {
		_, body := get(t, r.client("h1"), r.url("h1")+"/static/x")
		assert.NotEqual(t, "b1", body, "a drain is the pool's")
	}
}
