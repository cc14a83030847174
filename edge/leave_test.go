package edge_test

import (
	"context"
	"net/http"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A client that leaves the queue is counted and noted as one that was not served, and its place is free well
// before the wait would be over.
func TestAClientThatLeavesTheQueueIsNotedAtOnce(t *testing.T) {
	h := hold(t, 1)
	r := start(t, keyed(h.yaml, "builtin/stateless", "{}", "limits: { max_in_flight: 1, queue_timeout: 60s }"))
	left := 0
	for _, p := range protocols {
		c := r.client(p)
		_, first := h.start(c, r.url(p))
		require.Eventually(t, func() bool { // a machine that is busy may be late once
			left++
			return r.leave(c, p, left) < time.Second
		}, 30*time.Second, time.Millisecond, p)
		h.end("b0")
		assert.Equal(t, "200 b0", <-first, p)
		r.idle()
	}
	assert.Equal(t, left, r.counter("wedge_pool_shed_total", `reason="client_gone"`))
	assert.Equal(t, left, r.counter("wedge_pool_queue_wait_seconds_count", ""))
	assert.Equal(t, left, r.counter("wedge_strategy_decisions_total", `outcome="rejected"`))
}

var leftLine = regexp.MustCompile(`"outcome":"rejected","reason":"client_gone".*"attempts":0,.*"status":499,` +
	`.*"duration_ns":(\d+),.*"error":"client_gone"`)

// leave sends a request that has to wait, leaves, and gives how long the edge had it, by the nth line of its log.
func (r *running) leave(c *http.Client, protocol string, n int) time.Duration {
	ctx, leave := context.WithCancel(context.Background())
	defer leave()
	req, err := http.NewRequestWithContext(ctx, "GET", r.url(protocol), nil)
	require.NoError(r.t, err)
	gone := make(chan error, 1)
	go func() {
		resp, err := c.Do(req)
		if err == nil {
			resp.Body.Close()
		}
		gone <- err
	}()
	r.waiting(1)
	leave()
	require.Error(r.t, <-gone, protocol)
	r.waiting(0)
	var lines [][]string
	require.Eventually(r.t, func() bool {
		lines = leftLine.FindAllStringSubmatch(r.log.String(), -1)
		return len(lines) == n
	}, 10*time.Second, time.Millisecond, protocol)
	ns, err := strconv.ParseInt(lines[n-1][1], 10, 64)
	require.NoError(r.t, err)
	return time.Duration(ns)
}
