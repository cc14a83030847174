package plugin_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedge-lb/wedge/edge/balance"
	"github.com/wedge-lb/wedge/edge/plugin"
)

func TestNothingIsBehindTheSystemInterface(t *testing.T) {
	g := bind(t, load(t, newHost(t, plugin.Options{}), wat(t, "wasi")), plugin.Binding{Set: newPool(1).Set()})
	var d balance.Decision
	start := time.Now()
	require.NoError(t, g.Pick(request(), nil, &d))
	assert.Less(t, time.Since(start), time.Minute, "an hour's sleep")
	require.Len(t, d.Body, 9)
	for i, what := range []string{"path_open", "fd_prestat_get"} {
		assert.NotZero(t, d.Body[i], what)
	}
	for i, what := range []string{"bytes of standard input", "arguments", "environment", "poll_oneoff"} {
		assert.Zero(t, d.Body[2+i], what)
	}
	assert.NotZero(t, d.Body[6], "sock_accept")
	assert.EqualValues(t, 1, d.Body[7], "the clock is real")
	assert.EqualValues(t, 1, d.Body[8], "random numbers differ")
}
