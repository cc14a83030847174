package health_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedge-lb/wedge/edge/balance"
	"github.com/wedge-lb/wedge/edge/health"
)

// part is the share of its weight that a backend has.
func part(p *balance.Pool, id string) float64 {
	for _, s := range p.Status() {
		if s.ID == id {
			return s.SlowStart
		}
	}
	return -1
}

func TestACheckerBringsSlowStartsOn(t *testing.T) {
	checked(t, func(c *health.Checker, b *backends, _ *events) {
		p := newPool("a", "b", "c", "d")
		b.set("a", 200)
		conf := passive(p)
		conf[0].Passive.EjectFor = 10 * time.Second
		conf[0].Tuning = balance.Tuning{SlowStart: 100 * time.Second}
		c.Apply(conf)
		report(p, "a", balance.ConnectFailed, 3)
		after(10 * time.Second)
		require.Equal(t, "ready", state(p, "a"))
		for second := 0; second < 100; second += 5 {
			assert.InDelta(t, max(.1, float64(second)/100), part(p, "a"), .001, "after %d s", second)
			after(5 * time.Second)
		}
		assert.InDelta(t, 1, part(p, "a"), .001)
		version := p.Set().Version
		after(time.Hour)
		assert.Equal(t, version, p.Set().Version, "nothing is left to do")
	})
}

func TestAReloadDoesNotBeginASlowStart(t *testing.T) {
	checked(t, func(c *health.Checker, _ *backends, _ *events) {
		p := newPool("a", "b")
		conf := []health.Config{{Pool: p, Tuning: balance.Tuning{SlowStart: time.Minute}}}
		c.Apply(conf)
		after(time.Second)
		p.Update(specs("a", "b", "c"))
		c.Apply(conf)
		after(30 * time.Second)
		assert.InDelta(t, 1, part(p, "a"), .001)
		assert.InDelta(t, .5, part(p, "c"), .051)
		c.Apply(conf)
		after(15 * time.Second)
		assert.InDelta(t, 1, part(p, "a"), .001)
		assert.InDelta(t, .75, part(p, "c"), .051, "it goes on")
	})
}
