package balance_test

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedge-lb/wedge/edge/balance"
)

func TestUpdateKeepsWhatIsKnownOfAnID(t *testing.T) {
	p := newPool(1, 1, 1)
	load := p.Set().Find("b1").Load()
	load.Begin()
	require.NoError(t, p.SetUp("b1", false))
	require.NoError(t, p.Eject("b1", ejection(true)))
	require.NoError(t, p.SetCondition("b1", condition(balance.Drain)))
	p.Update([]balance.Spec{{ID: "b9", Weight: 1}, {ID: "b1", Address: "127.0.0.1:1", Scheme: "http",
		Weight: 7}})
	status := p.Status()
	require.Len(t, status, 2)
	assert.WithinDuration(t, time.Now(), status[0].Since, time.Minute)
	assert.WithinDuration(t, time.Now().Add(time.Hour), status[0].EjectedUntil, time.Minute)
	status[0].Since, status[0].EjectedUntil = time.Time{}, time.Time{}
	assert.Equal(t, balance.Status{
		ID: "b1", Address: "127.0.0.1:1", Weight: 7, State: balance.StateDown,
		Override: true, Down: true, Ejected: true, InFlight: 1, SlowStart: 1,
	}, status[0])
	assert.Equal(t, balance.StateReady, status[1].State, "who is new is up")
	assert.Same(t, load, p.Set().Find("b1").Load())
	assert.Nil(t, p.Set().Find("b0"))
}

func TestAnIDThatLeftIsForgotten(t *testing.T) {
	p := newPool(1, 1)
	require.NoError(t, p.SetUp("b0", false))
	old := p.Set().Find("b0")
	old.Load().Begin()
	p.Update([]balance.Spec{{ID: "b1"}})
	require.ErrorContains(t, p.SetUp("b0", true), `pool shop: no backend "b0"`)
	p.Update([]balance.Spec{{ID: "b0"}, {ID: "b1"}})
	assert.Equal(t, balance.StateReady, p.Set().Find("b0").State)
	assert.Zero(t, p.Set().Find("b0").Load().InFlight())
	assert.EqualValues(t, 1, old.Load().InFlight(), "the old row still counts for who holds it")
}

func TestTheStateIsThatOfWhoHasMostToSay(t *testing.T) {
	for name, tt := range map[string]struct {
		configured    balance.Condition
		override      *balance.Condition
		down, ejected bool
		want          balance.State
	}{
		"nothing said":      {balance.Ready, nil, false, false, balance.StateReady},
		"probes fail":       {balance.Ready, nil, true, false, balance.StateDown},
		"ejected":           {balance.Ready, nil, false, true, balance.StateDown},
		"drain":             {balance.Drain, nil, false, false, balance.StateDraining},
		"draining and down": {balance.Drain, nil, true, false, balance.StateDown},
		"ready by hand":     {balance.Drain, condition(balance.Ready), false, false, balance.StateReady},
		"drain by hand":     {balance.Ready, condition(balance.Drain), false, false, balance.StateDraining},
		"out and down":      {balance.Maintenance, nil, true, true, balance.StateMaintenance},
		"out by hand":       {balance.Ready, condition(balance.Maintenance), true, false, balance.StateMaintenance},
	} {
		t.Run(name, func(t *testing.T) {
			p := balance.NewPool("p")
			p.Update([]balance.Spec{{ID: "a", Condition: tt.configured}, {ID: "b"}})
			require.NoError(t, p.SetCondition("a", tt.override))
			require.NoError(t, p.SetUp("a", !tt.down))
			require.NoError(t, p.Eject("a", ejection(tt.ejected)))
			assert.Equal(t, tt.want, p.Set().Find("a").State)
		})
	}
}

func TestProbesAndRequestsDoNotUndoEachOther(t *testing.T) {
	p := newPool(1, 1)
	require.NoError(t, p.SetUp("b0", false))
	require.NoError(t, p.Eject("b0", ejection(true)))
	require.NoError(t, p.SetUp("b0", true))
	assert.Equal(t, balance.StateDown, p.Set().Find("b0").State)
	require.NoError(t, p.Eject("b0", ejection(false)))
	assert.Equal(t, balance.StateReady, p.Set().Find("b0").State)
}

func TestASetIsOrderedByIDAndNeverChanges(t *testing.T) {
	p := balance.NewPool("p")
	specs := []balance.Spec{{ID: "c"}, {ID: "a"}, {ID: "b"}}
	p.Update(specs)
	assert.Zero(t, specs[0].Weight, "the caller's slice stays the caller's")
	set := p.Set()
	for i, id := range []string{"a", "b", "c"} {
		assert.Equal(t, id, set.Row(uint32(i)).ID)
		assert.EqualValues(t, i, set.Row(uint32(i)).Index)
		assert.Same(t, set.Row(uint32(i)), set.Lookup([]byte(id)))
	}
	assert.Nil(t, set.Row(3))
	assert.Nil(t, set.Row(1<<31))
	require.NoError(t, p.SetUp("a", false))
	assert.Equal(t, balance.StateReady, set.Find("a").State)
	assert.Greater(t, p.Set().Version, set.Version)
	version := p.Set().Version
	p.Update(specs)
	require.NoError(t, p.SetUp("a", false))
	assert.Equal(t, version, p.Set().Version, "what changes nothing makes no new table")
}

func TestAPreviewShowsStatesAndChangesNothing(t *testing.T) {
	p := newPool(1, 1)
	require.NoError(t, p.SetUp("b0", false))
	before := p.Set()
	preview := p.Preview([]balance.Spec{{ID: "b0"}, {ID: "b7"}})
	assert.Equal(t, balance.StateDown, preview.Find("b0").State)
	assert.Equal(t, balance.StateReady, preview.Find("b7").State)
	assert.EqualValues(t, 1, preview.Find("b7").Weight)
	assert.Same(t, before, p.Set())
}

func TestWatchersHearOfEachChange(t *testing.T) {
	p := newPool(1)
	c := make(chan struct{}, 1)
	p.Watch(c)
	require.NoError(t, p.SetUp("b0", false))
	require.NoError(t, p.SetUp("b0", true), "a watcher that does not listen holds nobody up")
	require.Len(t, c, 1)
	<-c
	p.Unwatch(c)
	require.NoError(t, p.SetUp("b0", false))
	assert.Empty(t, c)
}

func TestReportsReachTheObserver(t *testing.T) {
	p := newPool(1)
	b := p.Set().Row(0)
	p.Report(b, &balance.Result{}) // nobody listens
	var got []int
	p.OnResult(func(_ *balance.Backend, r *balance.Result) { got = append(got, r.Status) })
	p.Report(b, &balance.Result{Status: 200})
	p.OnResult(nil)
	p.Report(b, &balance.Result{Status: 500})
	assert.Equal(t, []int{200}, got)
}

func TestTheLatencyFollowsTheAnswers(t *testing.T) {
	load := newPool(1).Set().Row(0).Load()
	assert.Zero(t, load.Latency())
	load.Answered(80 * time.Millisecond)
	assert.Equal(t, 80*time.Millisecond, load.Latency())
	load.Answered(0)
	assert.Equal(t, 70*time.Millisecond, load.Latency())
	for range 1000 {
		load.Answered(0)
	}
	assert.Positive(t, load.Latency(), "0 would mean that none came")
}

// TestChoicesDuringChanges is a hammer: choices, states, updates and loads from many goroutines at once.
func TestChoicesDuringChanges(t *testing.T) {
	p := newPool(1, 2, 3, 4)
	var wg sync.WaitGroup
	const rounds = 2000
	for i := range 4 {
		wg.Go(func() {
			c := newChooser()
			var d balance.Decision
			for range rounds {
				set := p.Set()
				if c.Choose(nil, &balance.Request{Pinned: set.Row(uint32(i))}, set, &d) != nil {
					continue
				}
				d.Backend.Load().Begin()
				p.Report(d.Backend, &balance.Result{Backend: d.Backend})
				d.Backend.Load().Answered(time.Millisecond)
				d.Backend.Load().End()
			}
		})
	}
	wg.Go(func() {
		for i := range rounds {
			_ = p.SetUp("b1", i%2 == 0)
			_ = p.Eject("b2", ejection(i%3 == 0))
			_ = p.SetCondition("b3", condition(balance.Condition(i%3)))
			p.OnResult(func(*balance.Backend, *balance.Result) {})
			_ = p.Status()
		}
	})
	wg.Go(func() {
		for i := range rounds {
			p.Update([]balance.Spec{{ID: "b0"}, {ID: "b1"}, {ID: "b2", Weight: uint32(i)}, {ID: "b3"}})
		}
	})
	wg.Wait()
	for _, s := range p.Status() {
		assert.Zero(t, s.InFlight, s.ID)
	}
}
