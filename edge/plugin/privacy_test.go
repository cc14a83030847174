package plugin_test

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedge-lb/wedge/edge/balance"
	"github.com/wedge-lb/wedge/edge/plugin"
)

// canary is a secret of one request; lengths differ, so that a short one leaves the end of a long one.
func canary(client string, n int) string {
	return fmt.Sprintf("canary-%s-%d-%s", client, n, strings.Repeat("x", n*7%300))
}

// A hundred thousand requests of two clients, by turns to two strategies that show all they can see: what a client
// is given holds its own request's secret and no other, and neither strategy has a byte that was the other's alone.
func TestNobodySeesTheSecretsOfAnother(t *testing.T) {
	const requests = 100_000
	h, pool := newHost(t, plugin.Options{}), newPool(3)
	var guests []*plugin.Guests
	for _, name := range []string{"a", "b"} {
		m, err := h.Load(context.Background(), name, wat(t, "leaks"), plugin.Limits{})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, m.Close(context.Background())) })
		guests = append(guests, bind(t, m, plugin.Binding{Set: pool.Set(), Instances: 2}))
	}
	var d balance.Decision
	row := pool.Set().Row(0)
	for n := range requests {
		client := string(rune('a' + n%2))
		secret := canary(client, n)
		r := &balance.Request{Method: []byte("GET"), Header: headers{"x-secret": secret, "cookie": "secret=hidden-" + client}}
		d.Reset()
		require.NoError(t, guests[n%2].Pick(r, pool.Set(), &d))
		if n%5 == 0 {
			guests[n%2].Observe(&balance.Result{Backend: row, Status: 200})
		}
		if bytes.Count(d.Body, []byte("canary-")) != 1 || !bytes.Contains(d.Body, []byte(secret)) {
			require.FailNow(t, "a client was given what is not its own", "request %d", n)
		}
		if n%1000 == 999 && n < 20_000 {
			require.NoError(t, guests[n%2].Refresh(context.Background(), pool.Preview(specs(3+n%4))))
		}
	}
	for i, own := range []string{"a", "b"} {
		other := string("ba"[i])
		memories := plugin.Memories(guests[i])
		require.Len(t, memories, 2)
		for _, m := range memories {
			assert.False(t, bytes.Contains(m, []byte("canary-"+other)), "strategy %s has a secret of %s", own, other)
			assert.False(t, bytes.Contains(m, []byte("hidden-")), "hashed attributes are seen as hashes alone")
			assert.LessOrEqual(t, bytes.Count(m, []byte("canary-")), 3, "the frame, and the guest's two copies")
		}
	}
}
