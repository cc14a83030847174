package edge_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
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
