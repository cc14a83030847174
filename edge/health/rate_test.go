package health_test

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedge-lb/wedge/edge/balance"
	"github.com/wedge-lb/wedge/edge/health"
)

// answered tells the pool of n answers with a status.
func answered(p *balance.Pool, id string, status, n int) {
	b := p.Set().Find(id)
	for range n {
		p.Report(b, &balance.Result{Backend: b, Status: status})
	}
}

// rules checks a pool of four by these.
func rules(t *testing.T, r health.Passive, do func(p *balance.Pool, c *health.Checker, e *events)) {
	checked(t, func(c *health.Checker, _ *backends, e *events) {
		p := newPool("a", "b", "c", "d")
		c.Apply([]health.Config{{Pool: p, Passive: r}})
		do(p, c, e)
	})
}

func TestFailuresInARowEject(t *testing.T) {
	for name, tt := range map[string]struct {
		fifth func(p *balance.Pool)
		want  string
	}{
		"a 500":                  {func(p *balance.Pool) { answered(p, "a", 500, 1) }, "down"},
		"a 599":                  {func(p *balance.Pool) { answered(p, "a", 599, 1) }, "down"},
		"a reset":                {func(p *balance.Pool) { report(p, "a", balance.Reset, 1) }, "down"},
		"no answer in time":      {func(p *balance.Pool) { report(p, "a", balance.TimedOut, 1) }, "down"},
		"an answer that is none": {func(p *balance.Pool) { report(p, "a", balance.BadAnswer, 1) }, "down"},
		"no connection": {func(p *balance.Pool) { report(p, "a", balance.ConnectFailed, 1) },
			"down"},
		"a 404":              {func(p *balance.Pool) { answered(p, "a", 404, 1) }, "ready"},
		"a 429":              {func(p *balance.Pool) { answered(p, "a", 429, 1) }, "ready"},
		"a client that left": {func(p *balance.Pool) { report(p, "a", balance.ClientGone, 1) }, "ready"},
		"a client's broken body": {func(p *balance.Pool) { report(p, "a", balance.BadRequestBody, 1) },
			"ready"},
		"a wait for a connection":    {func(p *balance.Pool) { report(p, "a", balance.Busy, 1) }, "ready"},
		"a stream an operator ended": {func(p *balance.Pool) { report(p, "a", balance.Severed, 1) }, "ready"},
		"a good answer, then a 500": {func(p *balance.Pool) {
			answered(p, "a", 200, 1)
			answered(p, "a", 500,
				4)
		}, "ready"},
		"a good one of another's, 500": {func(p *balance.Pool) {
			answered(p, "b", 200, 1)
			answered(p, "a", 500,
				1)
		}, "down"},
	} {
		t.Run(name, func(t *testing.T) {
			rules(t, health.Passive{Consecutive5xx: 5}, func(p *balance.Pool, _ *health.Checker, e *events) {
				answered(p, "a", 503, 4)
				require.Equal(t, "ready", state(p, "a"))
				tt.fifth(p)
				assert.Equal(t, tt.want, state(p, "a"))
				after(30 * time.Second)
				assert.Equal(t, "ready", state(p, "a"))
			})
		})
	}
}

func TestAnErrorRateEjects(t *testing.T) {
	half := health.Passive{ErrorRate: .5, MinRequests: 20, Window: 10 * time.Second}
	for name, tt := range map[string]struct {
		do   func(p *balance.Pool)
		want string
	}{
		"half of twenty": {func(p *balance.Pool) { answered(p, "a", 200, 10); answered(p, "a", 500, 10) },
			"down"},
		"fewer than half": {func(p *balance.Pool) {
			answered(p, "a", 200, 101)
			answered(p, "a", 500,
				100)
		}, "ready"},
		"too few requests":     {func(p *balance.Pool) { answered(p, "a", 500, 19) }, "ready"},
		"connect errors count": {func(p *balance.Pool) { report(p, "a", balance.ConnectFailed, 20) }, "down"},
		"what says nothing does not": {func(p *balance.Pool) {
			answered(p, "a", 500, 19)
			report(p, "a", balance.ClientGone, 9)
		}, "ready"},
		"what was long ago does not": {func(p *balance.Pool) {
			answered(p, "a", 500, 15)
			time.Sleep(11 * time.Second)
			answered(p, "a", 500, 15)
		}, "ready"},
		"what was a moment ago does": {func(p *balance.Pool) {
			answered(p, "a", 500, 15)
			time.Sleep(8 * time.Second)
			answered(p, "a", 500, 15)
		}, "down"},
		"good ones leave the window, too": {func(p *balance.Pool) {
			answered(p, "a", 200, 1000)
			time.Sleep(11 * time.Second)
			answered(p, "a", 500, 20)
		}, "down"},
		"a result that came late": {func(p *balance.Pool) {
			answered(p, "a", 500, 19)
			b := p.Set().Find("a")
			p.Report(b, &balance.Result{Backend: b, Status: 500, Ended: time.Now().Add(-time.Hour)})
		}, "ready"},
	} {
		t.Run(name, func(t *testing.T) {
			rules(t, half, func(p *balance.Pool, _ *health.Checker, _ *events) {
				tt.do(p)
				assert.Equal(t, tt.want, state(p, "a"))
			})
		})
	}
}

// Turns are counted in few bits: whatever the time of day, and however long nothing came, results count.
func TestAWindowWorksAtAnyTime(t *testing.T) {
	for _, idle := range []time.Duration{0, time.Hour, 20 * time.Hour, 24 * time.Hour, 40 * time.Hour,
		46 * time.Hour} {
		half := health.Passive{ErrorRate: .5, Window: 100 * time.Millisecond}
		rules(t, half, func(p *balance.Pool, _ *health.Checker, _ *events) {
			for range 50 {
				answered(p, "a", 200, 19)
				time.Sleep(idle)
				time.Sleep(90 * time.Millisecond)
			}
			time.Sleep(20 * time.Millisecond)
			answered(p, "a", 500, 20)
			assert.Equal(t, "down", state(p, "a"), "idle for %v", idle)
		})
	}
}

// A window slides: whatever the moment, no more than its length counts, and nine tenths of it at least.
func TestTheWindowSlides(t *testing.T) {
	half := health.Passive{ErrorRate: .5, MinRequests: 10, Window: 10 * time.Second}
	for step := range 10 {
		rules(t, half, func(p *balance.Pool, _ *health.Checker, _ *events) {
			time.Sleep(time.Duration(step) * 100 * time.Millisecond)
			answered(p, "a", 500, 9)
			time.Sleep(9 * time.Second)
			answered(p, "b", 500, 9)
			time.Sleep(time.Second)
			answered(p, "a", 500, 1)
			answered(p, "b", 500, 1)
			assert.Equal(t, "ready", state(p, "a"))
			assert.Equal(t, "down", state(p, "b"))
		})
	}
}

func TestWhoReturnsHasACleanSheet(t *testing.T) {
	all := health.Passive{ConnectErrors: 3, Consecutive5xx: 3, ErrorRate: .5, MinRequests: 4}
	for name, again := range map[string]func(p *balance.Pool){
		"after connect errors": func(p *balance.Pool) { report(p, "a", balance.ConnectFailed, 2) },
		"after failures":       func(p *balance.Pool) { answered(p, "a", 500, 2) },
	} {
		t.Run(name, func(t *testing.T) {
			rules(t, all, func(p *balance.Pool, _ *health.Checker, _ *events) {
				began := time.Now()
				answered(p, "a", 500, 3)
				require.Equal(t, "down", state(p, "a"))
				answered(p, "a", 500, 10) // of requests that were under way
				after(30 * time.Second)
				again(p)
				assert.Equal(t, "ready", state(p, "a"), "what was before does not count")
				b := p.Set().Find("a")
				for range 9 {
					p.Report(b, &balance.Result{Backend: b, Kind: balance.TimedOut, Total: time.Since(began)})
				}
				assert.Equal(t, "ready", state(p, "a"), "nor what began before")
				answered(p, "a", 500, 3)
				assert.Equal(t, "down", state(p, "a"))
			})
		})
	}
}

func TestAPoolThatShrinksKeepsItsShare(t *testing.T) {
	rules(t, health.Passive{Consecutive5xx: 1}, func(p *balance.Pool, _ *health.Checker, _ *events) {
		answered(p, "a", 500, 1)
		after(time.Second)
		answered(p, "b", 500, 1)
		p.Update(specs("a", "b", "c"))
		after(0)
		assert.Equal(t, "ready", state(p, "a"), "who was out for longest returns")
		assert.Equal(t, "down", state(p, "b"))
		p.Update(specs("b"))
		assert.Equal(t, 1, p.Set().Open(), "at no moment is nobody open")
		after(0)
		assert.Equal(t, "ready", state(p, "b"))
	})
}

func TestAnotherWindowBeginsAnew(t *testing.T) {
	rate := health.Passive{ErrorRate: .5, MinRequests: 20}
	rules(t, rate, func(p *balance.Pool, c *health.Checker, _ *events) {
		answered(p, "a", 500, 19)
		c.Apply([]health.Config{{Pool: p, Passive: rate}})
		answered(p, "b", 500, 19)
		rate.Window = time.Minute
		c.Apply([]health.Config{{Pool: p, Passive: rate}})
		answered(p, "a", 500, 19)
		assert.Equal(t, "ready", state(p, "a"))
		answered(p, "a", 500, 1)
		assert.Equal(t, "down", state(p, "a"))
	})
}

// What many processors count at once is counted to the last.
func TestTheWindowCountsFromManySides(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // time stands still
		p := newPool("a", "b")
		health.New(health.Options{}).Apply([]health.Config{{Pool: p, Passive: health.Passive{ErrorRate: .2}}})
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() { answered(p, "a", 200, 25_000) })
		}
		wg.Wait()
		answered(p, "a", 500, 24_999)
		assert.Equal(t, "ready", state(p, "a"))
		answered(p, "a", 500, 1)
		assert.Equal(t, "down", state(p, "a"), "25,000 of 125,000")
	})
}

// A slot that is full is halved: the rate stays.
func TestAFullSlotKeepsItsRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool("a", "b")
		health.New(health.Options{}).Apply([]health.Config{{Pool: p, Passive: health.Passive{
			ErrorRate: .1, MinRequests: 1,
		}}})
		answered(p, "a", 200, 600_000)
		answered(p, "a", 500, 20_000)
		assert.Equal(t, "ready", state(p, "a"))
		answered(p, "a", 500, 20_000)
		assert.Equal(t, "down", state(p, "a"), "of about 300,000 that are left a tenth failed")
	})
}

func TestCountingCostsNoAllocation(t *testing.T) {
	p := newPool("a", "b", "c", "d")
	health.New(health.Options{}).Apply([]health.Config{{Pool: p, Passive: health.Passive{
		ConnectErrors: 3, Consecutive5xx: 5, ErrorRate: .5,
	}}})
	b := p.Set().Find("a")
	result := &balance.Result{Backend: b, Status: 200, Ended: time.Now()}
	p.Report(b, result)
	assert.Zero(t, testing.AllocsPerRun(1000, func() { p.Report(b, result) }))
}

func BenchmarkResultWithAnErrorRate(b *testing.B) {
	p := newPool("a", "b", "c", "d")
	health.New(health.Options{}).Apply([]health.Config{{Pool: p, Passive: health.Passive{ErrorRate: .5}}})
	row := p.Set().Find("a")
	result := &balance.Result{Backend: row, Status: 200, Ended: time.Now()}
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			p.Report(row, result)
		}
	})
}
