package health_test

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedge-lb/wedge/edge/balance"
	"github.com/wedge-lb/wedge/edge/health"
)

// report tells the pool of n results of one kind.
func report(p *balance.Pool, id string, kind balance.Kind, n int) {
	b := p.Set().Find(id)
	for range n {
		p.Report(b, &balance.Result{Backend: b, Kind: kind})
	}
}

func passive(p *balance.Pool) []health.Config {
	return []health.Config{{Pool: p, Passive: health.Passive{ConnectErrors: 3}}}
}

func TestABackendThatRefusesIsEjectedForATime(t *testing.T) {
	checked(t, func(c *health.Checker, _ *backends, e *events) {
		p := newPool("a", "b", "c", "d")
		c.Apply(passive(p))
		report(p, "a", balance.ConnectFailed, 2)
		assert.Equal(t, "ready", state(p, "a"))
		report(p, "a", balance.ConnectFailed, 1)
		assert.Equal(t, "down", state(p, "a"), "at once")
		assert.True(t, p.Status()[0].Ejected)
		assert.False(t, p.Status()[0].Down)
		after(30*time.Second - 1)
		assert.Equal(t, "down", state(p, "a"))
		after(time.Millisecond)
		assert.Equal(t, "ready", state(p, "a"))
		assert.Equal(t, []string{"a ejected", "a returned"}, e.all())
	})
}

func TestOnlyConnectErrorsInARowCount(t *testing.T) {
	for name, tt := range map[string]struct {
		between balance.Kind
		want    string
	}{
		"an answer ends the row":                  {balance.Answered, "ready"},
		"so does a slow answer":                   {balance.TimedOut, "ready"},
		"and a reset":                             {balance.Reset, "ready"},
		"and an answer that is none":              {balance.BadAnswer, "ready"},
		"a client that left says nothing":         {balance.ClientGone, "down"},
		"nor does a wait for a connection":        {balance.Busy, "down"},
		"nor does a client's body that is broken": {balance.BadRequestBody, "down"},
	} {
		t.Run(name, func(t *testing.T) {
			checked(t, func(c *health.Checker, _ *backends, _ *events) {
				p := newPool("a", "b", "c", "d")
				c.Apply(passive(p))
				report(p, "a", balance.ConnectFailed, 2)
				report(p, "a", tt.between, 1)
				report(p, "b", balance.Answered, 1)
				report(p, "a", balance.ConnectFailed, 2)
				assert.Equal(t, tt.want, state(p, "a"))
			})
		})
	}
}

func TestOnlyAShareOfThePoolIsEjected(t *testing.T) {
	for name, tt := range map[string]struct {
		ids   []string
		share float64
		want  int
	}{
		"half of four":             {[]string{"a", "b", "c", "d"}, 0, 2},
		"half of three is one":     {[]string{"a", "b", "c"}, 0, 1},
		"half of two":              {[]string{"a", "b"}, 0, 1},
		"never the only one":       {[]string{"a"}, 1, 0},
		"all but the last":         {[]string{"a", "b", "c"}, 1, 2},
		"a tenth of four is none":  {[]string{"a", "b", "c", "d"}, .1, 0},
		"three quarters of four":   {[]string{"a", "b", "c", "d"}, .75, 3},
		"half of one is nobody":    {[]string{"a"}, .5, 0},
		"a third of three, nearly": {[]string{"a", "b", "c"}, .34, 1},
	} {
		t.Run(name, func(t *testing.T) {
			checked(t, func(c *health.Checker, _ *backends, _ *events) {
				p := newPool(tt.ids...)
				conf := passive(p)
				conf[0].Passive.MaxEjected = tt.share
				c.Apply(conf)
				for range 3 {
					for _, id := range tt.ids {
						report(p, id, balance.ConnectFailed, 2)
					}
				}
				ejected := 0
				for _, s := range p.Status() {
					if s.Ejected {
						ejected++
					}
				}
				assert.Equal(t, tt.want, ejected)
				assert.Positive(t, p.Set().Open())
			})
		})
	}
}

func TestTheLastThatProbesLeaveOpenIsNotEjected(t *testing.T) {
	checked(t, func(c *health.Checker, _ *backends, _ *events) {
		p := newPool("a", "b", "c", "d")
		require.NoError(t, p.SetUp("b", false))
		require.NoError(t, p.SetUp("c", false))
		require.NoError(t, p.SetUp("d", false))
		c.Apply(passive(p))
		report(p, "a", balance.ConnectFailed, 10)
		assert.Equal(t, "ready", state(p, "a"))
		report(p, "b", balance.ConnectFailed, 3)
		assert.True(t, p.Status()[1].Ejected, "one that is down anyway may be")
	})
}

func TestEjectionsThatFollowEachOtherDouble(t *testing.T) {
	checked(t, func(c *health.Checker, _ *backends, _ *events) {
		p := newPool("a", "b", "c", "d")
		c.Apply(passive(p))
		for _, want := range []time.Duration{30, 60, 120, 240, 480, 960, 960} {
			report(p, "a", balance.ConnectFailed, 3)
			after(want*time.Second - time.Second)
			require.Equal(t, "down", state(p, "a"), "%ds", want)
			after(2 * time.Second)
			require.Equal(t, "ready", state(p, "a"), "%ds", want)
		}
		after(time.Hour)
		report(p, "a", balance.ConnectFailed, 3)
		after(31 * time.Second)
		assert.Equal(t, "ready", state(p, "a"), "after a long time without it begins anew")
	})
}

func TestEjectionSurvivesAReload(t *testing.T) {
	checked(t, func(c *health.Checker, _ *backends, e *events) {
		p := newPool("a", "b", "c", "d")
		c.Apply(passive(p))
		report(p, "b", balance.ConnectFailed, 2)
		report(p, "a", balance.ConnectFailed, 3)
		after(10 * time.Second)
		p.Update(specs("a", "b", "c", "d", "e"))
		c.Apply(passive(p))
		after(0)
		assert.Equal(t, "down", state(p, "a"))
		report(p, "b", balance.ConnectFailed, 1)
		assert.Equal(t, "down", state(p, "b"), "the row went on")
		after(20*time.Second + 1)
		assert.Equal(t, "ready", state(p, "a"))
		assert.Equal(t, []string{"a ejected", "b ejected", "a returned"}, e.all())
	})
}

func TestWithoutRulesNobodyStaysEjected(t *testing.T) {
	checked(t, func(c *health.Checker, _ *backends, _ *events) {
		p := newPool("a", "b", "c", "d")
		c.Apply(passive(p))
		report(p, "a", balance.ConnectFailed, 3)
		require.Equal(t, "down", state(p, "a"))
		c.Apply([]health.Config{{Pool: p}})
		assert.Equal(t, "ready", state(p, "a"))
		report(p, "a", balance.ConnectFailed, 30)
		assert.Equal(t, "ready", state(p, "a"))

		c.Apply(passive(p))
		report(p, "a", balance.ConnectFailed, 3)
		require.Equal(t, "down", state(p, "a"))
		c.Apply(nil)
		assert.Equal(t, "ready", state(p, "a"), "nor when the pool leaves")
	})
}

func TestABackendThatLeftDoesNotCount(t *testing.T) {
	checked(t, func(c *health.Checker, _ *backends, _ *events) {
		p := newPool("a", "b", "c", "d")
		c.Apply(passive(p))
		gone := p.Set().Find("a")
		report(p, "a", balance.ConnectFailed, 3)
		report(p, "b", balance.ConnectFailed, 3)
		p.Update(specs("c", "d", "e", "f"))
		after(0)
		p.Report(gone, &balance.Result{Backend: gone, Kind: balance.ConnectFailed})
		report(p, "c", balance.ConnectFailed, 3)
		report(p, "d", balance.ConnectFailed, 3)
		assert.Equal(t, "down", state(p, "c"))
		assert.Equal(t, "down", state(p, "d"))
	})
}

func TestResultsThatAreFineCostNothing(t *testing.T) {
	p := newPool("a", "b", "c", "d")
	health.New(health.Options{}).Apply(passive(p))
	b := p.Set().Find("a")
	result := &balance.Result{Backend: b, Status: 200}
	assert.Zero(t, testing.AllocsPerRun(1000, func() { p.Report(b, result) }))
	report(p, "a", balance.ConnectFailed, 1)
	assert.Zero(t, testing.AllocsPerRun(1000, func() { p.Report(b, result) }))
}

func BenchmarkResult(b *testing.B) {
	p := newPool("a", "b", "c", "d")
	health.New(health.Options{}).Apply(passive(p))
	report(p, "b", balance.ConnectFailed, 1)
	row := p.Set().Find("a")
	result := &balance.Result{Backend: row, Status: 200}
	b.ReportAllocs()
	for b.Loop() {
		p.Report(row, result)
	}
}

// TestResultsProbesAndReloadsAtOnce is a hammer.
func TestResultsProbesAndReloadsAtOnce(t *testing.T) {
	checked(t, func(c *health.Checker, b *backends, _ *events) {
		p := newPool("a", "b", "c", "d")
		b.set("a", 200)
		config := func() []health.Config {
			conf := passive(p)
			conf[0].Passive.EjectFor = time.Millisecond
			conf[0].Probe = &health.Probe{Transport: b, Interval: time.Millisecond}
			return conf
		}
		c.Apply(config())
		var wg sync.WaitGroup
		for _, id := range []string{"a", "b", "c", "d"} {
			wg.Go(func() {
				for i := range 500 {
					if p.Set().Find(id) == nil {
						continue
					}
					row := p.Set().Find("a")
					p.Report(row, &balance.Result{Backend: row, Kind: balance.Kind(i % 3)})
				}
			})
		}
		wg.Go(func() {
			for i := range 100 {
				c.Apply(config())
				p.Update(specs([]string{"a", "b", "c", "d"}[:1+i%4]...))
				time.Sleep(time.Millisecond)
			}
		})
		wg.Wait()
		p.Update(specs("a", "b", "c", "d"))
		after(time.Second)
		assert.Equal(t, "ready", state(p, "a"))
		assert.Equal(t, "down", state(p, "b"))
	})
}
