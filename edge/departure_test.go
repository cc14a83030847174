package edge_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// carriers are affinities of the pools pa and pb that differ in what brings a pin back.
var carriers = map[string][2]string{
	"a cookie each":   {"", ""},
	"one cookie":      {", cookie: { name: pin }", ", cookie: { name: pin }"},
	"a field each":    {", carrier: header, header: X-Pin-A", ", carrier: header, header: X-Pin-B"},
	"one field":       {", carrier: header", ", carrier: header"},
	"one parameter":   {", carrier: query", ", carrier: query"},
	"cookie or field": {"", ", carrier: header"},
	"sessions":        {byName, byName},
	"token, session":  {"", byName},
}

const byName = `, session: { source: ["header:X-Session"] }`

var sizes = map[string]int{"pa": 2, "pb": 4}

// startStandIn runs an edge whose pool pb stands in for pa.
func startStandIn(t *testing.T, policy string, carrier [2]string) *running {
	t.Helper()
	text := "strategies: { s: { use: builtin/cookie-sticky } }\npools:\n"
	for i, name := range []string{"pa", "pb"} {
		text += fmt.Sprintf("  %s:\n    strategy: s\n    affinity: { on_unavailable: %s%s }\n    backends:\n",
			name, policy, carrier[i])
		for j := range sizes[name] {
			id := fmt.Sprint(name, j)
			b := backend(t, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Who", id)
				w.Header().Set("Saw", fmt.Sprint(r.Header, r.RequestURI))
			})
			text += fmt.Sprintf("      - { id: %s, url: %q }\n", id, b.URL)
		}
	}
	const route = "routes: [{ pools: [{ pool: pa }], failover: [pb] }] }\n"
	return start(t, text+"sites:\n  - { hosts: [localhost], "+route+"  - { hosts: [\"127.0.0.1\"], tls: off, "+route)
}

// setPool gives all backends of a pool a state.
func (r *running) setPool(pool, state string) {
	r.t.Helper()
	for i := range sizes[pool] {
		_, err := r.operator().SetState(context.Background(), pool, fmt.Sprint(pool, i), state)
		require.NoError(r.t, err)
	}
}

// A keeper is a client that sends back all that it is told, by whatever carries it.
type keeper struct {
	c        *http.Client
	protocol string
	name     string            // of its session
	cookies  map[string]string // by name
	fields   map[string]string
	told     int
	links    bool // it puts the token into its links
}

func newKeeper(c *http.Client, protocol, name, carrier string) *keeper {
	return &keeper{c: c, protocol: protocol, name: name, links: strings.Contains(carrier, "query"),
		cookies: map[string]string{}, fields: map[string]string{}}
}

var tokenFields = []string{"X-Pin-A", "X-Pin-B", "Wedge-Pin"}

func (k *keeper) ask(t *testing.T, r *running) *http.Response {
	t.Helper()
	var line []string
	for name, value := range k.cookies {
		line = append(line, name+"="+value)
	}
	list := []string{"X-Session", k.name}
	if len(line) > 0 {
		list = append(list, "Cookie", strings.Join(line, "; "))
	}
	target := "/?a=1"
	for name, value := range k.fields {
		if k.links {
			target += "&wedge_pin=" + value
		} else {
			list = append(list, name, value)
		}
	}
	resp := send(t, r, k.c, k.protocol, target, list...)
	for _, c := range resp.Cookies() {
		k.cookies[c.Name] = c.Value
		k.told++
	}
	for _, name := range tokenFields {
		if value := resp.Header.Get(name); value != "" {
			k.fields[name] = value
			k.told++
		}
		assert.NotContains(t, resp.Header.Get("Saw"), name+":[", "a token is not the backend's to see")
	}
	assert.NotContains(t, resp.Header.Get("Saw"), "wedge_pin=A")
	assert.NotContains(t, resp.Header.Get("Saw"), "Cookie")
	return resp
}

// visit gives the one backend that n requests in a row went to.
func (k *keeper) visit(t *testing.T, r *running, n int) (where string) {
	t.Helper()
	for i := range n {
		resp := k.ask(t, r)
		require.Equal(t, 200, resp.StatusCode, "%s %s", k.protocol, k.name)
		who := resp.Header.Get("Who")
		require.True(t, i == 0 || who == where, "%s: it moved from %s to %s", k.protocol, where, who)
		where = who
	}
	return where
}

func keepers(r *running, carrier string) (list []*keeper) {
	for _, p := range protocols {
		c := r.client(p)
		for i := range 3 {
			list = append(list, newKeeper(c, p, fmt.Sprint(p, i), carrier))
		}
	}
	return list
}

// Who has to leave a pool moves once and stays where it went; it is the pool with its last pin that counts, not
// one whose token still comes along.
func TestWhoLeavesAPoolStaysWhereItWent(t *testing.T) {
	for name, carrier := range carriers {
		t.Run(name, func(t *testing.T) {
			r := startStandIn(t, "repin", carrier)
			clients := keepers(r, carrier[0])
			homes := map[*keeper]string{}
			visit := func(pool string, moved bool) {
				t.Helper()
				for _, k := range clients {
					where := k.visit(t, r, 4)
					assert.Equal(t, pool, where[:2])
					assert.Equal(t, moved, where != homes[k], "%s: from %s to %s", k.protocol, homes[k], where)
					homes[k] = where
				}
			}
			visit("pa", true)
			r.setPool("pa", "maintenance")
			visit("pb", true)
			r.setPool("pa", "ready")
			visit("pb", false)
			r.setPool("pb", "maintenance")
			visit("pa", true)
			r.setPool("pb", "ready")
			visit("pa", false)
			for _, pool := range []string{"pa", "pb"} {
				labels := `action="repin".*cause="down".*pool="` + pool + `"`
				assert.Equal(t, len(clients), r.counter("wedge_pins_lost_total", labels))
			}
			assert.Equal(t, 2*len(clients), r.counter("wedge_pins_lost_total", ""))
			r.noted(`"reason":"repin_down"`, 2*len(clients))
		})
	}
}

// Who is lent to another pool is not pinned there, and comes back.
func TestWhoIsLentToAnotherPoolComesBack(t *testing.T) {
	for name, carrier := range carriers {
		t.Run(name, func(t *testing.T) {
			r := startStandIn(t, "borrow", carrier)
			clients := keepers(r, carrier[0])
			for _, k := range clients {
				home, told := k.visit(t, r, 2), k.told
				assert.Equal(t, "pa", home[:2])
				r.setPool("pa", "maintenance")
				for range 3 {
					resp := k.ask(t, r)
					assert.Equal(t, 200, resp.StatusCode)
					assert.Equal(t, "pb", resp.Header.Get("Who")[:2])
				}
				assert.Equal(t, told, k.told, "no token from there")
				r.setPool("pa", "ready")
				assert.Equal(t, home, k.visit(t, r, 3))
			}
			lost := 3 * len(clients)
			assert.Equal(t, lost, r.counter("wedge_pins_lost_total", `action="borrow".*cause="down".*pool="pa"`))
			assert.Equal(t, lost, r.counter("wedge_pins_lost_total", ""))
			r.noted(`"reason":"borrow_down"`, lost)
		})
	}
}

// Who must not be served elsewhere is not served by another pool either.
func TestWhoMustNotLeaveAPoolIsRefused(t *testing.T) {
	for name, carrier := range carriers {
		t.Run(name, func(t *testing.T) {
			r := startStandIn(t, "fail", carrier)
			clients := keepers(r, carrier[0])
			for _, k := range clients {
				home := k.visit(t, r, 2)
				r.setPool("pa", "maintenance")
				for range 2 {
					resp := k.ask(t, r)
					assert.Equal(t, 503, resp.StatusCode)
					assert.Equal(t, "1", resp.Header.Get("Retry-After"))
				}
				fresh := newKeeper(k.c, k.protocol, "other "+k.name, carrier[0])
				assert.Equal(t, "pb", fresh.visit(t, r, 2)[:2], "who is pinned nowhere is served")
				r.setPool("pa", "ready")
				assert.Equal(t, home, k.visit(t, r, 2))
			}
			lost := 2 * len(clients)
			assert.Equal(t, lost, r.counter("wedge_pins_lost_total", `action="fail".*cause="down".*pool="pa"`))
			r.noted(`"reason":"pinned_backend_down"`, lost)
		})
	}
}

// A strategy that does not pin sends the clients of a pool without a backend to another, and their pins stay.
func TestWhereNothingIsPinnedNoPinIsLost(t *testing.T) {
	r := startStandIn(t, "fail", carriers["a cookie each"])
	r.rewrite("routes: [{", "routes: [{ match: { path: /static/** }, pools: [{ pool: pa }], failover: [pb], "+
		"strategy: spread }, {")
	r.rewrite("strategies: { ", "strategies: { spread: { use: builtin/stateless }, ")
	require.NoError(t, r.Reload(context.Background()))
	for _, k := range keepers(r, "") {
		home := k.visit(t, r, 2)
		token := ""
		for name, value := range k.cookies {
			token = name + "=" + value
		}
		r.setPool("pa", "maintenance")
		resp := send(t, r, k.c, k.protocol, "/static/x", "Cookie", token)
		assert.Equal(t, 200, resp.StatusCode)
		assert.Equal(t, "pb", resp.Header.Get("Who")[:2])
		assert.Empty(t, resp.Header.Get("Set-Cookie"))
		r.setPool("pa", "ready")
		assert.Equal(t, home, k.visit(t, r, 2))
	}
	assert.Zero(t, r.counter("wedge_pins_lost_total", ""))
}
