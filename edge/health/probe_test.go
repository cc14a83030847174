package health_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedge-lb/wedge/edge/balance"
	"github.com/wedge-lb/wedge/edge/health"
)

func TestABackendIsDownAfterThreeFailuresAndUpAfterTwoAnswers(t *testing.T) {
	checked(t, func(c *health.Checker, b *backends, e *events) {
		p := newPool("a", "b")
		b.set("a", 200)
		b.set("b", 200)
		c.Apply([]health.Config{{Pool: p, Probe: &health.Probe{Transport: b, Interval: 10 * time.Second}}})
		after(30 * time.Second)
		assert.Empty(t, e.all())

		b.set("b", 503)
		n := len(b.probes("b"))
		for len(b.probes("b")) < n+2 {
			after(time.Second)
		}
		assert.Equal(t, "ready", state(p, "b"), "two failures are not enough")
		after(12 * time.Second)
		assert.Equal(t, "down", state(p, "b"))
		assert.Equal(t, "ready", state(p, "a"))

		b.set("b", 200)
		n = len(b.probes("b"))
		for len(b.probes("b")) < n+1 {
			after(time.Second)
		}
		assert.Equal(t, "down", state(p, "b"), "one answer is not enough")
		after(12 * time.Second)
		assert.Equal(t, "ready", state(p, "b"))
		assert.Equal(t, []string{"b down", "b up"}, e.all())
	})
}

func TestOneAnswerBetweenFailuresKeepsABackendUp(t *testing.T) {
	checked(t, func(c *health.Checker, b *backends, e *events) {
		p := newPool("a")
		probe := &health.Probe{Transport: b, Interval: 10 * time.Second}
		c.Apply([]health.Config{{Pool: p, Probe: probe}})
		for range 10 {
			b.set("a", 0)
			for n := len(b.probes("a")); len(b.probes("a")) < n+2; {
				after(time.Second)
			}
			b.set("a", 200)
			for n := len(b.probes("a")); len(b.probes("a")) < n+1; {
				after(time.Second)
			}
		}
		assert.Empty(t, e.all())
	})
}

func TestProbesAreSpreadAndJittered(t *testing.T) {
	checked(t, func(c *health.Checker, b *backends, _ *events) {
		p := newPool("a", "b", "c", "d")
		for _, id := range []string{"a", "b", "c", "d"} {
			b.set(id, 200)
		}
		begin := time.Now()
		c.Apply([]health.Config{{Pool: p, Probe: &health.Probe{Transport: b}}})
		after(500 * time.Second)
		first, gaps := map[time.Duration]bool{}, map[time.Duration]bool{}
		for _, id := range []string{"a", "b", "c", "d"} {
			asked := b.probes(id)
			assert.InDelta(t, 100, len(asked), 6)
			first[asked[0].Sub(begin)] = true
			assert.Less(t, asked[0].Sub(begin), 5*time.Second)
			for i := range asked[1:] {
				gap := asked[i+1].Sub(asked[i])
				gaps[gap] = true
				require.InDelta(t, 5, gap.Seconds(), 0.5)
			}
		}
		assert.Len(t, first, 4)
		assert.Greater(t, len(gaps), 300)
	})
}

func TestASlowAnswerIsAFailureAndNeverTwoAtOnce(t *testing.T) {
	checked(t, func(c *health.Checker, b *backends, e *events) {
		p := newPool("a")
		b.set("a", 200)
		b.slow["a.test:80"] = 3 * time.Second
		probe := &health.Probe{Transport: b, Interval: time.Second, Timeout: 2 * time.Second}
		c.Apply([]health.Config{{Pool: p, Probe: probe}})
		after(time.Minute)
		assert.Equal(t, []string{"a down"}, e.all())
		assert.Equal(t, 1, b.most)
		assert.InDelta(t, 20, len(b.probes("a")), 2, "an interval after the end of the one before")
	})
}

func TestWhatIsHealthyIsConfigured(t *testing.T) {
	for name, tt := range map[string]struct {
		status []int
		answer int
		want   string
	}{
		"200 by default":               {nil, 200, "ready"},
		"a redirect by default":        {nil, 302, "ready"},
		"404 by default":               {nil, 404, "down"},
		"an answer that never is one":  {nil, 101, "down"},
		"only what is named":           {[]int{204, 429}, 200, "down"},
		"whatever is named":            {[]int{204, 429}, 429, "ready"},
		"no answer whatever is listed": {[]int{204, 0}, 0, "down"},
	} {
		t.Run(name, func(t *testing.T) {
			checked(t, func(c *health.Checker, b *backends, _ *events) {
				p := newPool("a")
				b.set("a", tt.answer)
				probe := &health.Probe{Transport: b, Status: tt.status, Path: "/healthz?full=1", Host: "shop.example.com"}
				c.Apply([]health.Config{{Pool: p, Probe: probe}})
				after(time.Minute)
				assert.Equal(t, tt.want, state(p, "a"))
				assert.Equal(t, "http://a.test:80/healthz?full=1", b.last.URL.String())
				assert.Equal(t, "shop.example.com", b.last.Host)
				assert.Equal(t, "GET", b.last.Method)
				assert.Equal(t, "wedge-health", b.last.UserAgent())
			})
		})
	}
}

func TestAReloadKeepsStateAndCounts(t *testing.T) {
	checked(t, func(c *health.Checker, b *backends, e *events) {
		p := newPool("a", "b")
		b.set("a", 200)
		config := func(interval time.Duration) []health.Config {
			return []health.Config{{Pool: p, Probe: &health.Probe{Transport: b, Interval: interval}}}
		}
		c.Apply(config(10 * time.Second))
		for len(b.probes("b")) < 2 {
			after(time.Second)
		}
		c.Apply(config(10 * time.Second)) // while two of three failures were counted
		p.Update(specs("a", "b", "c"))
		after(11 * time.Second)
		assert.Equal(t, "down", state(p, "b"))
		assert.Equal(t, "ready", state(p, "c"), "who is new is up until the probes say otherwise")
		for range 5 {
			c.Apply(config(10 * time.Second))
			after(0)
			assert.Equal(t, "down", state(p, "b"))
		}
		after(time.Minute)
		assert.Equal(t, "down", state(p, "c"))
		assert.Equal(t, []string{"b down", "c down"}, e.all())
	})
}

func TestANewIntervalCountsAtOnce(t *testing.T) {
	checked(t, func(c *health.Checker, b *backends, _ *events) {
		p := newPool("a")
		b.set("a", 200)
		c.Apply([]health.Config{{Pool: p, Probe: &health.Probe{Transport: b, Interval: time.Hour}}})
		after(10 * time.Second)
		n := len(b.probes("a"))
		c.Apply([]health.Config{{Pool: p, Probe: &health.Probe{Transport: b, Interval: time.Second}}})
		after(10 * time.Second)
		assert.GreaterOrEqual(t, len(b.probes("a")), n+8)
	})
}

func TestWithoutProbesABackendIsGivenBack(t *testing.T) {
	checked(t, func(c *health.Checker, b *backends, e *events) {
		p := newPool("a", "b")
		b.set("a", 200)
		c.Apply([]health.Config{{Pool: p, Probe: &health.Probe{Transport: b}}})
		after(time.Minute)
		require.Equal(t, "down", state(p, "b"))
		c.Apply([]health.Config{{Pool: p}})
		after(0)
		assert.Equal(t, "ready", state(p, "b"))
		n := len(b.probes("a"))
		after(time.Minute)
		assert.Len(t, b.probes("a"), n, "nobody is probed any more")
		assert.Equal(t, []string{"b down", "b up"}, e.all())
	})
}

func TestWhoLeavesIsNotProbedAnyMore(t *testing.T) {
	checked(t, func(c *health.Checker, b *backends, _ *events) {
		p := newPool("a", "b")
		b.set("a", 200)
		c.Apply([]health.Config{{Pool: p, Probe: &health.Probe{Transport: b}}})
		after(time.Minute)
		p.Update(specs("a"))
		after(0)
		n := len(b.probes("b"))
		after(time.Minute)
		assert.Len(t, b.probes("b"), n)
		p.Update(specs("a", "b"))
		after(0)
		assert.Equal(t, "ready", state(p, "b"), "who comes back begins anew")
		after(time.Minute)
		assert.Equal(t, "down", state(p, "b"))
	})
}

func TestAPoolThatLeavesIsLeftAlone(t *testing.T) {
	checked(t, func(c *health.Checker, b *backends, _ *events) {
		p, other := newPool("a"), balance.NewPool("other")
		other.Update(specs("o"))
		b.set("a", 200)
		probe := &health.Probe{Transport: b}
		c.Apply([]health.Config{{Pool: p, Probe: probe}, {Pool: other, Probe: probe}})
		after(time.Minute)
		require.Equal(t, "down", state(other, "o"))
		c.Apply([]health.Config{{Pool: p, Probe: probe}})
		after(0)
		n := len(b.probes("o"))
		after(time.Minute)
		assert.Len(t, b.probes("o"), n)
		assert.NotEmpty(t, b.probes("a"))
	})
}
