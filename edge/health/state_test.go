package health_test

import (
	"context"
	"encoding/json"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedge-lb/wedge/edge/balance"
	"github.com/wedge-lb/wedge/edge/health"
)

// watchful is one run of a checker that probes and ejects.
type watchful struct {
	*health.Checker
	pool   *balance.Pool
	probes *backends
	end    func()
}

// watch runs a checker over backends a to d, in a bubble; those that are well answer.
func watch(t *testing.T, from health.State, well ...string) *watchful {
	w := &watchful{pool: newPool("a", "b", "c", "d"), probes: newBackends()}
	for _, id := range well {
		w.probes.set(id, 200)
	}
	w.Checker = health.New(health.Options{})
	conf := passive(w.pool)
	conf[0].Probe = &health.Probe{Transport: w.probes, Interval: 10 * time.Second}
	w.Apply(conf)
	if from != nil {
		_, refused := w.Restore(from)
		require.Empty(t, refused)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { assert.NoError(t, w.Run(ctx)) })
	w.end = func() { cancel(); wg.Wait() }
	return w
}

// kept is a State as it comes back from disk.
func kept(t *testing.T, s health.State) health.State {
	data, err := json.Marshal(s)
	require.NoError(t, err)
	var back health.State
	require.NoError(t, json.Unmarshal(data, &back))
	return back
}

func TestHealthOutlastsARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		before := watch(t, nil, "a", "b", "d")
		after(time.Minute)
		require.Equal(t, "down", state(before.pool, "c"))
		report(before.pool, "b", balance.ConnectFailed, 2)
		report(before.pool, "d", balance.ConnectFailed, 3)
		after(10 * time.Second)
		before.end()
		saved := kept(t, before.State())
		require.Len(t, saved["shop"], 3, "of a there is nothing to say")

		now := watch(t, saved, "a", "b", "c", "d")
		defer now.end()
		assert.Equal(t, "down", state(now.pool, "c"), "until its probes say otherwise")
		assert.Equal(t, "down", state(now.pool, "d"))
		assert.True(t, now.pool.Status()[3].Ejected)
		report(now.pool, "b", balance.ConnectFailed, 1)
		assert.Equal(t, "down", state(now.pool, "b"), "its row of errors went on")
		after(4 * time.Second)
		assert.Equal(t, "down", state(now.pool, "c"), "one good probe is not enough")
		after(12 * time.Second)
		assert.Equal(t, "ready", state(now.pool, "c"))
		assert.Equal(t, "down", state(now.pool, "d"), "for what was left of its time")
		after(4*time.Second + 1)
		assert.Equal(t, "ready", state(now.pool, "d"))
		report(now.pool, "d", balance.ConnectFailed, 3)
		until := now.pool.Status()[3].EjectedUntil
		assert.InDelta(t, 60, time.Until(until).Seconds(), 1, "the next time is twice as long")
	})
}

func TestWhatOneProbeSaysDoesNotUndoARestoredRow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		saved := health.State{"shop": {"c": {Scheme: "http", Address: "c.test:80", Bad: 99, Good: 99}}}
		w := watch(t, saved, "a", "b", "d")
		defer w.end()
		assert.Equal(t, "ready", state(w.pool, "c"), "a row of failures is no verdict")
		after(6 * time.Second)
		assert.Equal(t, "down", state(w.pool, "c"), "one more is")
	})
}

type knowns = map[string]health.Known

func TestAStateThatLeavesNobodyOpenIsNotBelieved(t *testing.T) {
	down := func(id string) health.Known {
		return health.Known{Scheme: "http", Address: id + ".test:80", Down: true}
	}
	out := func(id string) health.Known {
		k := down(id)
		k.Down, k.Ejected, k.Until, k.For = false, true, time.Now().Add(20*time.Second), 30*time.Second
		return k
	}
	for name, tt := range map[string]struct {
		state     knowns
		out       int
		condition balance.Condition // of d
		refused   bool
	}{
		"all are down": {knowns{"a": down("a"), "b": down("b"), "c": down("c"), "d": down("d")},
			0, 0, true},
		"all but one": {knowns{"a": down("a"), "b": down("b"), "c": out("c")}, 3, 0, false},
		"down or ejected": {knowns{"a": down("a"), "b": down("b"), "c": out("c"), "d": out("d")}, 0,
			0, true},
		"the last is in maintenance": {knowns{"a": down("a"), "b": down("b"), "c": down("c")}, 0,
			balance.Maintenance, true},
		"the last drains": {knowns{"a": down("a"), "b": down("b"), "c": down("c")}, 0,
			balance.Drain, true},
		"nobody was": {nil, 0, 0, false},
		"others by the same names": {knowns{"a": down("x"), "b": down("x"), "c": down("x"), "d": down("x")},
			0, 0, false},
		"some that are not there now": {knowns{"x": down("x"), "a": down("a")}, 1, 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPool("a", "b", "c", "d")
			require.NoError(t, p.SetCondition("d", &tt.condition))
			c := health.New(health.Options{})
			conf := passive(p)
			conf[0].Probe = &health.Probe{}
			c.Apply(conf)
			n, refused := c.Restore(health.State{"shop": tt.state, "gone": tt.state})
			assert.Equal(t, tt.out, n)
			assert.Equal(t, tt.refused, len(refused) > 0)
			assert.Positive(t, p.Set().Open())
		})
	}
}

func TestAStateIsHeldToTheRulesThereAre(t *testing.T) {
	ejected := func(until, length time.Duration, again int) health.Known {
		return health.Known{Scheme: "http", Address: "a.test:80", Ejected: true,
			Until: time.Now().Add(until), For: length, Again: again}
	}
	sick := health.Known{Scheme: "http", Address: "a.test:80", Down: true}
	moved, secure := sick, sick
	moved.Address, secure.Scheme = "z.test:80", "https"
	const half = 30 * time.Second
	one := health.Passive{ConnectErrors: 1}
	for name, tt := range map[string]struct {
		known   health.Known
		probe   *health.Probe
		passive health.Passive
		want    string
	}{
		"down, and nobody probes":     {sick, nil, health.Passive{}, "ready"},
		"down, and it is probed":      {sick, &health.Probe{}, health.Passive{}, "down"},
		"ejected, without rules":      {ejected(time.Second, half, 0), nil, health.Passive{}, "ready"},
		"ejected, by rules":           {ejected(time.Second, half, 0), nil, one, "down"},
		"its time is over":            {ejected(-time.Second, half, 0), nil, one, "ready"},
		"for longer than can be":      {ejected(time.Hour, half, 0), nil, one, "ready"},
		"again and again":             {ejected(900*time.Second, 960*time.Second, 99), nil, one, "down"},
		"for longer than the longest": {ejected(961*time.Second, 960*time.Second, 99), nil, one, "ready"},
		"for less than no time":       {ejected(time.Second, -1, -9), nil, one, "ready"},
		"another address":             {moved, &health.Probe{}, health.Passive{}, "ready"},
		"another scheme":              {secure, &health.Probe{}, health.Passive{}, "ready"},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPool("a", "b")
			c := health.New(health.Options{})
			c.Apply([]health.Config{{Pool: p, Probe: tt.probe, Passive: tt.passive}})
			c.Restore(health.State{"shop": {"a": tt.known}})
			assert.Equal(t, tt.want, state(p, "a"))
		})
	}
}

func TestAnotherAddressBeginsAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := watch(t, nil, "a", "b")
		defer w.end()
		after(time.Minute)
		require.Equal(t, "down", state(w.pool, "c"))
		old := w.pool.Set().Find("b")
		report(w.pool, "b", balance.ConnectFailed, 3)
		require.Equal(t, "down", state(w.pool, "b"))
		list := specs("a", "b", "c", "d")
		list[1].Address, list[2].Address = "b2.test:80", "c2.test:80"
		w.probes.set("b2", 200)
		w.pool.Update(list)
		assert.Equal(t, "ready", state(w.pool, "b"), "at once")
		assert.Equal(t, "ready", state(w.pool, "c"))
		after(0)
		for range 5 { // requests in progress that went to the old one
			w.pool.Report(old, &balance.Result{Backend: old, Kind: balance.ConnectFailed})
		}
		assert.Equal(t, "ready", state(w.pool, "b"))
		n := len(w.probes.probes("c"))
		after(time.Minute)
		assert.Len(t, w.probes.probes("c"), n, "the old address is probed no more")
		assert.Equal(t, "ready", state(w.pool, "b"))
		assert.Equal(t, "down", state(w.pool, "c"), "the new one does not answer either")
	})
}
