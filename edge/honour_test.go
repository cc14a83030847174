package edge_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

// threeWays has a pool of two backends, one of which is gone's, with a route to it by each kind of strategy: one that
// pins, one that does not (/static), and none (/plain).
func threeWays(t *testing.T, policy string, gone *httptest.Server) *running {
	t.Helper()
	yaml := echoes(t, 1) + fmt.Sprintf("      - { id: gone, url: %q }\n", gone.URL)
	text := pinning(yaml, "builtin/cookie-sticky", "{}", "{ on_unavailable: "+policy+" }")
	text = replaceOnce(t, text, "strategies:\n", "strategies:\n  spread: { use: builtin/stateless }\n")
	text = replaceOnce(t, text, "    strategy: s\n",
		"    strategy: s\n    health: { passive: { connect_errors: 0 } }\n    retry: { budget: 100% }\n")
	return start(t, strings.ReplaceAll(text, "routes: [", "routes: [{ match: { path: /static/** }, pool: p, "+
		"strategy: spread }, { match: { path: /plain/** }, pool: p, strategy: fallback }, "))
}

// What becomes of a lost pin is for requests whose strategy holds with pins; the others go where there is room.
func TestAPinIsHeldOnlyWhereTheStrategyHoldsWithPins(t *testing.T) {
	for policy, status := range map[string]int{"repin": 200, "borrow": 200, "fail": 503} {
		t.Run(policy, func(t *testing.T) {
			gone := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Who", "gone")
			}))
			defer gone.Close()
			r := threeWays(t, policy, gone)
			clients := pinnedTo(t, r, "gone")
			others := func(when string) {
				for _, c := range clients {
					for _, path := range []string{"/static/x", "/plain/x"} {
						for range 4 {
							resp := send(t, r, c.c, c.protocol, path, "Cookie", c.cookie)
							assert.Equal(t, 200, resp.StatusCode, "%s %s %s", when, c.protocol, path)
							assert.Equal(t, "e0", resp.Header.Get("Who"))
							assert.Empty(t, resp.Header.Get("Set-Cookie"), "nor is the pin touched")
						}
					}
				}
				assert.Zero(t, r.counter("wedge_pins_lost_total", ""), "they have lost nothing")
			}
			gone.Close()
			others("its connections are refused")
			r.setState("gone", "maintenance")
			others("it is in maintenance")
			for _, c := range clients {
				assert.Equal(t, status, c.ask(t, r).StatusCode, "%s %s", policy, c.protocol)
			}
			assert.Equal(t, len(clients), r.counter("wedge_pins_lost_total", `action="`+policy+`".*cause="down"`))
			for _, id := range []string{"e0", "gone"} {
				r.setState(id, "maintenance")
			}
			if policy == "fail" {
				for _, c := range clients {
					assert.Equal(t, 503, c.ask(t, r).StatusCode)
				}
				assert.Equal(t, 2*len(clients), r.counter("wedge_pins_lost_total", `action="fail"`), "of a pool with nobody too")
			}
		})
	}
}
