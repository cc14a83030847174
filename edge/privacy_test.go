package edge_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedge-lb/wedge/edge"
	"github.com/wedge-lb/wedge/edge/admin"
)

func TestNoClientIsGivenASecretOfAnother(t *testing.T) { secretsByTurns(t, 2000) }

// secretsByTurns sends requests of two clients by turns, over each protocol and to two strategies that give a client
// all that they can see of a request: each client finds its own secret of that request there and no other.
func secretsByTurns(t *testing.T, requests int) {
	t.Helper()
	leaks, err := filepath.Abs("../testdata/wasm/leaks.wasm")
	require.NoError(t, err)
	_, backends := named(t, 2)
	text := pool(backends, "leaks", "{}")
	text = strings.Replace(text, "  s: {", "  other: { use: leaks }\n  s: {", 1)
	text = strings.ReplaceAll(text, "routes: [{ pool: p }]",
		`routes: [{ match: { path: "/other" }, pool: p, strategy: other }, { pool: p }]`)
	r := start(t, fmt.Sprintf("plugins:\n  leaks: { source: %q }\n", leaks)+text)
	clients := map[string]*http.Client{}
	for _, p := range protocols {
		clients[p] = r.client(p)
	}
	for n := range requests {
		p, who := protocols[n/2%len(protocols)], string(rune('a'+n%2))
		secret := fmt.Sprintf("canary-%s-%d-%s", who, n, strings.Repeat("x", n*7%300))
		req, err := http.NewRequest("GET", r.url(p)+[]string{"/", "/other"}[n/8%2], nil)
		require.NoError(t, err)
		req.Header.Set("X-Secret", secret)
		req.Header.Set("Cookie", "secret=hidden-"+who)
		resp, err := clients[p].Do(req)
		require.NoError(t, err)
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		require.NoError(t, err)
		seen := string(body) + fmt.Sprint(resp.Header, resp.Trailer)
		if strings.Count(seen, "canary-") != 1 || !strings.Contains(seen, secret) || strings.Contains(seen, "hidden-") {
			require.FailNow(t, "a client was given what is not its own", "request %d over %s", n, p)
		}
	}
}

// What a guest did wrong is told to the operator in full: kind, stack and last words. Clients see nothing of it.
func TestAnOperatorSeesTheStackAndTheLastWordsOfAFault(t *testing.T) {
	_, backends := named(t, 1)
	r := start(t, pool(backends, "builtin/stateless", "{}"))
	source, err := os.ReadFile("../testdata/wasm/panics/main.go")
	require.NoError(t, err)
	swap := edge.SwapRequest{Use: "panics", Module: buildPlugin(t, string(source))}
	require.NoError(t, r.Swap(context.Background(), "s", swap))
	for _, p := range protocols {
		resp, err := r.client(p).Get(r.url(p) + "/panic")
		require.NoError(t, err)
		body, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		resp.Body.Close()
		assert.Equal(t, 200, resp.StatusCode)
		assert.NotContains(t, string(body)+fmt.Sprint(resp.Header), "panic")
	}
	client, err := admin.NewClient(r.AdminAddress(), "")
	require.NoError(t, err)
	defer client.Close()
	s, err := client.Strategy(context.Background(), "s")
	require.NoError(t, err)
	require.NotEmpty(t, s.RecentFaults)
	f := s.RecentFaults[len(s.RecentFaults)-1]
	assert.Equal(t, "trap", f.Kind)
	assert.Equal(t, "pick", f.Step)
	assert.Contains(t, f.Text, "this is the text of the panic")
	assert.NotEmpty(t, f.Stack)
	assert.Contains(t, strings.Join(f.Log, "\n"), "this is the text of the panic")
}
