package observe_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/wedge-lb/wedge/edge/observe"
)

func TestPoolsCountWhoWaitsAndWhoIsShed(t *testing.T) {
	m := observe.New("test")
	p := m.Pool("shop")
	for shard, reason := range []string{"queue_full", "queue_full", "queue_timeout"} {
		p.Shed(uint32(shard), reason)
		p.Waited(uint32(shard), 20*time.Millisecond)
	}
	lines := scrape(t, m)
	for _, want := range []string{
		`wedge_pool_shed_total{pool="shop",reason="queue_full"} 2`,
		`wedge_pool_shed_total{pool="shop",reason="queue_timeout"} 1`,
		`wedge_pool_queue_wait_seconds_bucket{pool="shop",le="0.01"} 0`,
		`wedge_pool_queue_wait_seconds_bucket{pool="shop",le="0.025"} 3`,
		`wedge_pool_queue_wait_seconds_count{pool="shop"} 3`,
	} {
		assert.Contains(t, lines, want)
	}
	assert.Same(t, p, m.Pool("shop"))
	m.Retain(m.Mark())
	assert.NotSame(t, p, m.Pool("shop"))
	(*observe.Pool)(nil).Shed(1, "queue_full")
	(*observe.Pool)(nil).Waited(1, time.Second)
	assert.Zero(t, testing.AllocsPerRun(100, func() { p.Waited(3, time.Second) }))
}
