package edge_test

import (
	"context"
	"net/http"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedge-lb/wedge/edge"
	"github.com/wedge-lb/wedge/edge/admin"
)

// Each way in which a pick can go wrong, in a guest by hand (by the letter of x-mode) and in one by Go (by the
// path), happens in the running edge, is counted, and costs no client an error.
func TestEachFaultOfAPickIsCountedAndCostsNoRequest(t *testing.T) {
	_, yaml := named(t, 2)
	r := start(t, pool(yaml, "builtin/stateless", "{}"))
	byHand, err := os.ReadFile("../testdata/wasm/faults.wasm")
	require.NoError(t, err)
	source, err := os.ReadFile("../testdata/wasm/panics/main.go")
	require.NoError(t, err)
	byGo := buildPlugin(t, string(source))
	clients := map[string]*http.Client{}
	for _, p := range protocols {
		clients[p] = r.client(p)
	}
	for _, mode := range "abcdefghijklmnopqrstuvw" { // as faults.wat lists them
		t.Run("by hand: "+string(mode), func(t *testing.T) {
			r.faultsWith(t, byHand, clients, "/", string(mode))
		})
	}
	for _, path := range []string{"/panic", "/nil", "/index", "/exit", "/block", "/allocate"} {
		t.Run("by Go: "+path, func(t *testing.T) { r.faultsWith(t, byGo, clients, path, "") })
	}
}

// faultsWith swaps the plugin in anew and holds that a request over each protocol is answered though it faults.
func (r *running) faultsWith(t *testing.T, module []byte, clients map[string]*http.Client, path, mode string) {
	t.Helper()
	require.NoError(t, r.swap("builtin/stateless", "{}")) // lifts a quarantine
	require.NoError(t, r.Swap(context.Background(), "s", edge.SwapRequest{Use: "faulty", Module: module}))
	before := r.faults(t)
	for p, c := range clients {
		req, err := http.NewRequest("GET", r.url(p)+path, nil)
		require.NoError(t, err)
		req.Header.Set("X-Mode", mode)
		resp, err := c.Do(req)
		require.NoError(t, err, p)
		resp.Body.Close()
		assert.Equal(t, 200, resp.StatusCode, p)
	}
	assert.Greater(t, r.faults(t), before, "faults counted")
}

// faults is how many faults the strategy is known for.
func (r *running) faults(t *testing.T) (n uint64) {
	t.Helper()
	client, err := admin.NewClient(r.AdminAddress(), "")
	require.NoError(t, err)
	defer client.Close()
	s, err := client.Strategy(context.Background(), "s")
	require.NoError(t, err)
	for _, count := range s.Faults {
		n += count
	}
	return n
}
