package balance_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedge-lb/wedge/edge/balance"
)

// slow makes a pool of two backends, of weights 1 and 3, that starts them slowly: 20 s.
func slow() *balance.Pool {
	p := newPool(1, 3)
	p.Tune(balance.Tuning{SlowStart: 20 * time.Second})
	return p
}

// effective gives the weights in force, by row.
func effective(p *balance.Pool) []uint32 {
	var list []uint32
	for _, b := range p.Set().Backends {
		list = append(list, b.Effective)
	}
	return list
}

// pass lets fake time pass, and has p step whenever that is due.
func pass(p *balance.Pool, d time.Duration) {
	for end := time.Now().Add(d); ; {
		next, more := p.Step(time.Now())
		if !more || next.After(end) {
			time.Sleep(time.Until(end))
			return
		}
		time.Sleep(time.Until(next))
	}
}

func TestAtTheStartEveryBackendHasItsWholeWeight(t *testing.T) {
	p := balance.NewPool("shop")
	p.Tune(balance.Tuning{SlowStart: time.Hour})
	p.Update(nil) // nothing was found yet
	p.Update([]balance.Spec{{ID: "b0", Weight: 2}, {ID: "b1"}})
	assert.Equal(t, []uint32{2, 1}, effective(p))
	assert.EqualValues(t, 1, p.Set().Scale)
	_, more := p.Step(time.Now())
	assert.False(t, more)
}

func TestWhoComesBackStartsSlowly(t *testing.T) {
	for name, leave := range map[string]func(p *balance.Pool, out bool){
		"from being down": func(p *balance.Pool, out bool) { _ = p.SetUp("b1", !out) },
		"from ejection":   func(p *balance.Pool, out bool) { _ = p.Eject("b1", ejection(out)) },
		"from maintenance": func(p *balance.Pool, out bool) {
			c := map[bool]*balance.Condition{true: condition(balance.Maintenance)}[out]
			_ = p.SetCondition("b1", c)
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := slow()
				leave(p, true)
				pass(p, time.Hour)
				require.Equal(t, []uint32{1, 3}, effective(p), "who is out weighs nothing and slows nobody")
				leave(p, false)
				assert.Equal(t, []uint32{20, 6}, effective(p), "a tenth at once")
				assert.EqualValues(t, 20, p.Set().Scale)
				assert.EqualValues(t, 3, p.Set().Find("b1").Weight, "the configured weight stays in sight")
				assert.InDelta(t, .1, p.Status()[1].SlowStart, 1e-9)
				assert.InDelta(t, 1, p.Status()[0].SlowStart, 1e-9)
				version := p.Set().Version
				for second := range 20 {
					part := float64(effective(p)[1]) / 60
					assert.InDelta(t, max(.1, float64(second)/20), part, .0001, "after %d s", second)
					pass(p, time.Second)
				}
				assert.Equal(t, []uint32{1, 3}, effective(p))
				assert.EqualValues(t, 1, p.Set().Scale)
				assert.InDelta(t, 20, p.Set().Version-version, 1, "one table a step")
			})
		})
	}
}

func TestWhoJoinsARunningPoolStartsSlowly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := slow()
		specs := []balance.Spec{
			{ID: "b0", Address: "127.0.0.1:1", Scheme: "http", Weight: 1},
			{ID: "b1", Address: "127.0.0.1:1", Scheme: "http", Weight: 3},
			{ID: "b2", Address: "127.0.0.1:1", Scheme: "http", Weight: 5},
		}
		p.Update(specs)
		assert.Equal(t, []uint32{20, 60, 10}, effective(p))
		pass(p, 10*time.Second)
		assert.Equal(t, []uint32{20, 60, 50}, effective(p))
		p.Update(specs[1:])
		assert.Equal(t, []uint32{60, 50}, effective(p), "an update that keeps it changes nothing")
		pass(p, 5*time.Second)
		specs[1].Address = "127.0.0.1:2"
		p.Update(specs[1:])
		assert.Equal(t, []uint32{6, 75}, effective(p), "another server by an old name starts slowly")
		pass(p, 20*time.Second)
		assert.Equal(t, []uint32{3, 5}, effective(p))
	})
}

func TestDrainAndBackIsNoSlowStart(t *testing.T) {
	p := slow()
	require.NoError(t, p.SetCondition("b1", condition(balance.Drain)))
	require.NoError(t, p.SetCondition("b1", nil))
	assert.Equal(t, []uint32{1, 3}, effective(p), "its pinned clients kept it warm")
}

func TestManyThatJoinShareTheirSteps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(1, 1, 1, 1, 1, 1, 1, 1)
		p.Tune(balance.Tuning{SlowStart: 20 * time.Second})
		for _, s := range p.Status() {
			require.NoError(t, p.SetUp(s.ID, false))
		}
		for _, s := range p.Status() {
			pass(p, 100*time.Millisecond)
			require.NoError(t, p.SetUp(s.ID, true))
		}
		version := p.Set().Version
		pass(p, time.Minute)
		assert.LessOrEqual(t, p.Set().Version-version, uint32(22))
		assert.EqualValues(t, 1, p.Set().Scale)
	})
}

func TestASlowStartCanBeTurnedOff(t *testing.T) {
	p := slow()
	require.NoError(t, p.SetUp("b1", false))
	require.NoError(t, p.SetUp("b1", true))
	require.Equal(t, []uint32{20, 6}, effective(p))
	p.Tune(balance.Tuning{})
	assert.Equal(t, []uint32{1, 3}, effective(p))
}

func TestAShorterSlowStartStepsSooner(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := slow()
		p.Tune(balance.Tuning{SlowStart: time.Hour})
		require.NoError(t, p.SetUp("b1", false))
		require.NoError(t, p.SetUp("b1", true))
		p.Tune(balance.Tuning{SlowStart: time.Second})
		pass(p, time.Second)
		assert.Equal(t, []uint32{1, 3}, effective(p))
	})
}

func TestTheFallbackSharesByTheEffectiveWeights(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := slow()
		require.NoError(t, p.SetUp("b1", false))
		require.NoError(t, p.SetUp("b1", true))
		for _, tt := range []struct{ after, want float64 }{{0, .3 / 1.3}, {10, 1.5 / 2.5}, {10, .75}} {
			pass(p, time.Duration(tt.after)*time.Second)
			assert.InDelta(t, tt.want, shares(t, p, 40_000, 32)["b1"], .02)
		}
	})
}

func TestAHugeWeightDoesNotOverflow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(1, 1<<32-1)
		p.Tune(balance.Tuning{SlowStart: time.Second})
		require.NoError(t, p.SetUp("b0", false))
		require.NoError(t, p.SetUp("b0", true))
		assert.Equal(t, []uint32{2, 1<<32 - 1}, effective(p))
	})
}
