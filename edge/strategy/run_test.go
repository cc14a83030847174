package strategy_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedge-lb/wedge/edge/balance"
	"github.com/wedge-lb/wedge/edge/plugin"
	"github.com/wedge-lb/wedge/edge/strategy"
)

func TestRunReplacesBrokenInstances(t *testing.T) {
	var counted atomic.Int32
	s := newStrategy(t, strategy.Deps{Fault: func(name, kind string) {
		assert.Equal(t, "spread trap", name+" "+kind)
		counted.Add(1)
	}})
	pool := newPool("shop", 3)
	serve(t, s, wat(t, "faults"), pool)
	run(t, s)
	for range 4 {
		_, err := pick(s, pool, fails())
		var f *plugin.Fault
		require.True(t, errors.As(err, &f))
		assert.Equal(t, plugin.Trap, f.Kind)
		eventually(t, func() bool { return s.Status().Instances == 2 })
	}
	st := s.Status()
	assert.Equal(t, map[string]uint64{"trap": 4}, st.Faults)
	assert.Contains(t, st.LastFault, "pick: trap: wasm error: unreachable")
	assert.False(t, st.LastFaultAt.IsZero())
	assert.EqualValues(t, 4, counted.Load())
	require.Len(t, st.Recent, 4)
	assert.Contains(t, st.Recent[3].Stack, "(i32) i64", "the function that trapped")
}

func TestTablesFollowThePool(t *testing.T) {
	s, pool := newStrategy(t, strategy.Deps{}), newPool("shop", 3)
	preview := []strategy.Target{{Pool: pool, Set: pool.Preview(specs(5))}}
	c, err := s.Prepare(t.Context(), wat(t, "busiest"), preview)
	require.NoError(t, err)
	s.Commit(c)
	run(t, s)
	for n := range 8 {
		pool.Update(specs(n + 1))
		last := pool.Set().Row(uint32(n))
		last.Load().Begin()
		eventually(t, func() bool { // every instance answers in its turn
			d, err := pick(s, pool, &balance.Request{})
			return err == nil && d.Backend.ID == last.ID
		})
		last.Load().End()
	}
	pool.Update(nil)
	eventually(t, func() bool {
		d, err := pick(s, pool, &balance.Request{})
		return err == nil && d.Backend == nil
	})
}

func TestAnInstanceThatCannotBeReplacedIsTriedAgain(t *testing.T) {
	s, pool := newStrategy(t, strategy.Deps{}), newPool("shop", 3)
	serve(t, s, wat(t, "refuse_backends"), pool)
	run(t, s)
	pool.Update(specs(4))
	eventually(t, func() bool { return s.Status().Instances == 0 })
	_, err := pick(s, pool, &balance.Request{})
	require.ErrorIs(t, err, plugin.ErrBusy)
	pool.Update(specs(2))
	eventually(t, func() bool { return s.Status().Instances == 2 })
	_, err = pick(s, pool, &balance.Request{})
	require.NoError(t, err)
}

func TestQuarantine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, pool := newStrategy(t, strategy.Deps{}), newPool("shop", 3)
		serve(t, s, wat(t, "faults"), pool)
		stop := run(t, s)
		defer stop()
		second := func(faults int) { // the rest of which Run uses to replace instances
			for range faults {
				_, err := pick(s, pool, fails())
				require.Error(t, err)
				synctest.Wait()
			}
			time.Sleep(time.Second)
		}
		quarantined := func() bool {
			_, err := pick(s, pool, &balance.Request{})
			return errors.Is(err, strategy.ErrQuarantined)
		}
		for range 10 {
			second(5)
		}
		require.False(t, quarantined(), "five a second are tolerated")
		second(20)
		require.False(t, quarantined(), "a single bad second too")
		second(6)
		require.True(t, quarantined())
		until := s.Status().QuarantinedUntil
		assert.WithinDuration(t, time.Now(), until, 5*time.Second)

		pause := 5 * time.Second
		for range 8 {
			time.Sleep(time.Until(s.Status().QuarantinedUntil) - time.Millisecond)
			require.True(t, quarantined())
			time.Sleep(2 * time.Millisecond)
			synctest.Wait()
			require.False(t, quarantined())
			second(6)
			require.True(t, quarantined(), "one bad second is enough for one that is just back")
			pause = min(2*pause, 5*time.Minute)
			assert.WithinDuration(t, time.Now().Add(pause), s.Status().QuarantinedUntil, time.Second)
		}

		require.NoError(t, s.Swap(t.Context(), wat(t, "route0")))
		require.False(t, quarantined(), "another generation has its own chance")
	})
}

func TestBadPicksAreCountedAndNoReasonForQuarantine(t *testing.T) {
	s, pool := newStrategy(t, strategy.Deps{}), newPool("shop", 3)
	serve(t, s, wat(t, "faults"), pool)
	choose := balance.Chooser{Random: func() uint64 { return 1 << 63 }}
	for range 100 {
		var d balance.Decision
		r := &balance.Request{Header: headers{"x-mode": "f"}}
		require.NoError(t, choose.Choose(s.Picker(pool), r, pool.Set(), &d))
		require.Equal(t, "bad_pick", d.Reason)
		require.Empty(t, d.Strategy, "the edge decided")
	}
	st := s.Status()
	assert.Equal(t, map[string]uint64{"bad_pick": 100}, st.Faults)
	assert.Zero(t, st.QuarantinedUntil)
	assert.Equal(t, 2, st.Instances)
}

// Requests, swaps, reloads, table changes and faults at once: each pick is decided by one generation, and
// no pick fails but those that ask for it.
func TestSwapsUnderLoad(t *testing.T) {
	s, pool := newStrategy(t, strategy.Deps{}), newPool("shop", 3)
	specsOf := []strategy.Spec{wat(t, "attributes"), wat(t, "route0"), wat(t, "observe")}
	serve(t, s, specsOf[0], pool)
	stop := run(t, s)
	handle := s.Picker(pool)
	done := make(chan struct{})
	var wg sync.WaitGroup
	var picks, busy atomic.Int64
	for range 4 {
		wg.Go(func() {
			var d balance.Decision
			for {
				select {
				case <-done:
					return
				default:
				}
				d.Reset()
				err := handle.Pick(&balance.Request{}, pool.Set(), &d)
				if errors.Is(err, plugin.ErrBusy) {
					busy.Add(1)
					continue
				}
				if err != nil || d.Backend == nil || d.Digest == "" {
					t.Errorf("pick: %v %+v", err, d)
					return
				}
				handle.Observe(&balance.Result{Backend: d.Backend, Status: 200})
				picks.Add(1)
			}
		})
	}
	wg.Go(func() {
		for n := 0; ; n++ {
			select {
			case <-done:
				return
			case <-time.After(time.Millisecond):
				pool.Update(specs(3 + n%4))
			}
		}
	})
	for n := range 200 {
		if n%5 == 4 {
			c, err := s.Prepare(t.Context(), specsOf[n%3], targets(pool))
			require.NoError(t, err)
			c.Discard()
		}
		require.NoError(t, s.Swap(t.Context(), specsOf[(n+1)%3]))
	}
	close(done)
	wg.Wait()
	stop()
	assert.Equal(t, 201, s.Status().Generation)
	assert.Empty(t, s.Status().Faults)
	assert.Positive(t, picks.Load())
	assert.Less(t, busy.Load(), picks.Load()/100+10, "of %d picks", picks.Load())
}

func TestAThousandSwapsLeaveNothingBehind(t *testing.T) {
	s, pool := newStrategy(t, strategy.Deps{}), newPool("shop", 3)
	list := []strategy.Spec{wat(t, "route0"), wat(t, "attributes"), wat(t, "inflight")}
	serve(t, s, list[0], pool)
	run(t, s)
	swap := func(times int) {
		for n := range times {
			require.NoError(t, s.Swap(context.Background(), list[(n+1)%len(list)]))
			_, err := pick(s, pool, &balance.Request{})
			require.NoError(t, err)
		}
	}
	swap(30)
	before := heap()
	swap(1000)
	eventually(t, func() bool { return heap() < before+4<<20 })
}
