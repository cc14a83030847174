package balance_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedge-lb/wedge/edge/balance"
)

// gated is a pool of n backends, b0, b1, ..., with limits.
func gated(n int, l balance.Limits) *balance.Pool {
	p := newPool(slices.Repeat([]uint32{1}, n)...)
	p.SetLimits(l)
	return p
}

func TestAPoolWithoutLimitsHasNoGate(t *testing.T) {
	p := gated(1, balance.Limits{Queue: 5, Wait: time.Second})
	assert.Nil(t, p.Gate())
	assert.True(t, p.Set().Row(0).Begin(false))
	assert.False(t, p.Set().Row(0).Full(false))
	p.Set().Row(0).End()
	assert.Zero(t, p.Set().Row(0).Load().InFlight())
}

func TestLimitsAndTheirReserve(t *testing.T) {
	for name, tt := range map[string]struct {
		limits      balance.Limits
		fresh, more int // new requests that fit, and pinned ones beyond them
	}{
		"no reserve":             {balance.Limits{Pool: 5, Backend: 5}, 5, 0},
		"a part":                 {balance.Limits{Pool: 10, Backend: 10, Reserve: 25}, 8, 2},
		"all":                    {balance.Limits{Pool: 3, Backend: 3, Reserve: 100}, 0, 3},
		"one place is anybody's": {balance.Limits{Pool: 1, Backend: 1, Reserve: 50}, 1, 0},
	} {
		p := gated(1, tt.limits)
		g, b := p.Gate(), p.Set().Row(0)
		for class, most := range map[bool]int{false: tt.fresh} {
			for range most {
				assert.True(t, g.Enter(class), name)
				assert.True(t, b.Begin(class), name)
			}
			assert.False(t, g.Enter(class), name)
			assert.False(t, b.Begin(class), name)
			assert.True(t, b.Full(class), name)
		}
		for range tt.more {
			assert.True(t, g.Enter(true), name)
			assert.True(t, b.Begin(true), name)
		}
		assert.False(t, g.Enter(true), name)
		assert.True(t, b.Full(true), name)
		assert.EqualValues(t, tt.fresh+tt.more, g.InFlight(), name)
	}
}

func TestAFullBackendIsNotChosen(t *testing.T) {
	p := gated(3, balance.Limits{Backend: 1})
	set, c := p.Set(), newChooser()
	var d balance.Decision
	bad := &pickerFunc{}
	to := func(id string, spares ...string) balance.Picker {
		bad.pick = func(_ *balance.Request, s *balance.Set, d *balance.Decision) error {
			d.Backend, d.Pin = s.Find(id), true
			for _, id := range spares {
				d.Spares = append(d.Spares, s.Find(id))
			}
			return nil
		}
		return bad
	}
	require.True(t, set.Find("b0").Begin(false))
	for range 20 {
		require.NoError(t, c.Choose(nil, &balance.Request{}, set, &d))
		assert.NotEqual(t, "b0", d.Backend.ID)
		require.NoError(t, c.Choose(to("b0", "b0", "b2"), &balance.Request{}, set, &d))
		assert.Equal(t, []any{"b2", "full", balance.New, true}, []any{d.Backend.ID, d.Reason, d.Outcome, d.Pin})
		require.NoError(t, c.Choose(to("b0"), &balance.Request{}, set, &d))
		assert.NotEqual(t, "b0", d.Backend.ID)
		assert.Equal(t, []any{"full", balance.Fallback, true}, []any{d.Reason, d.Outcome, d.Pin})
	}
	pinned := &balance.Request{Pinned: set.Find("b0")}
	for name, picker := range map[string]balance.Picker{"a strategy": to("b0", "b1"), "the fallback": nil} {
		require.ErrorIs(t, c.Choose(picker, pinned, set, &d), balance.ErrFull, name)
		assert.Equal(t, "b0", d.Backend.ID, name)
	}
	require.True(t, set.Find("b1").Begin(false))
	require.True(t, set.Find("b2").Begin(false))
	for _, picker := range []balance.Picker{to("b0", "b1"), nil} {
		require.ErrorIs(t, c.Choose(picker, &balance.Request{}, set, &d), balance.ErrFull)
		assert.Nil(t, d.Backend)
	}
	excluded := &balance.Request{Excluded: []*balance.Backend{set.Row(0), set.Row(1), set.Row(2)}}
	assert.ErrorIs(t, c.Choose(nil, excluded, set, &d), balance.ErrNoBackend)
	assert.Zero(t, bad.bad, "a full backend is no bad pick")
}

// A waiting is a Waiter in its own goroutine.
type waiting struct {
	balance.Waiter
	done chan struct{}
}

func (w *waiting) over() bool {
	select {
	case <-w.done:
		return true
	default:
		return false
	}
}

// queueAt waits for a backend, as the request of a client would.
func queueAt(g *balance.Gate, b *balance.Backend) *waiting {
	w := &waiting{done: make(chan struct{})}
	queued := w.Begin(g, b)
	go func() {
		if queued {
			w.Await()
		}
		close(w.done)
	}()
	synctest.Wait()
	return w
}

func queueUp(g *balance.Gate, pinned bool) *waiting {
	w := &waiting{done: make(chan struct{})}
	queued := w.Enter(g, pinned)
	go func() {
		if queued {
			w.Await()
		}
		close(w.done)
	}()
	synctest.Wait()
	return w
}

// A request that ends wakes the first who fits, and nobody else.
func TestWhoEndsWakesOneThatFits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := gated(2, balance.Limits{Backend: 1, Queue: 10, Wait: time.Minute})
		g, a, b := p.Gate(), p.Set().Row(0), p.Set().Row(1)
		require.True(t, a.Begin(false) && b.Begin(false))
		pinned := queueAt(g, b)
		first, second := queueAt(g, nil), queueAt(g, nil)
		assert.EqualValues(t, 3, g.Waiting())
		a.End()
		synctest.Wait()
		assert.Equal(t, []bool{false, true, false}, []bool{pinned.over(), first.over(), second.over()})
		assert.Same(t, a, first.Granted)
		b.End()
		synctest.Wait()
		assert.Equal(t, []bool{true, false}, []bool{pinned.over(), second.over()})
		assert.Same(t, b, pinned.Granted)
		b.End()
		synctest.Wait()
		assert.Same(t, b, second.Granted)
		assert.NoError(t, second.Err)
		assert.Zero(t, g.Waiting())
		a.End()
		b.End()
	})
}

func TestTheBoundsOfTheQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := gated(1, balance.Limits{Pool: 1, Queue: 1, Wait: time.Second})
		g := p.Gate()
		require.True(t, g.Enter(false))
		start := time.Now()
		first, second := queueUp(g, false), queueUp(g, false)
		assert.True(t, second.over())
		assert.ErrorIs(t, second.Err, balance.ErrQueueFull)
		assert.Zero(t, time.Since(start))
		<-first.done
		assert.ErrorIs(t, first.Err, balance.ErrQueueTimeout)
		assert.Equal(t, time.Second, time.Since(start))
		third := queueUp(g, false)
		third.Interrupt()
		<-third.done
		assert.ErrorIs(t, third.Err, balance.ErrLeft)
		assert.Zero(t, g.Waiting())
		fourth := queueUp(g, false)
		g.Leave(nil)
		<-fourth.done
		assert.NoError(t, fourth.Err)
		assert.True(t, fourth.Entered)
	})
}

// With a reserve a pinned request takes the place in the queue of the new one that came last.
func TestNewRequestsAreShedFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := gated(1, balance.Limits{Pool: 2, Reserve: 50, Queue: 2, Wait: time.Minute})
		g := p.Gate()
		require.True(t, g.Enter(false) && g.Enter(true))
		first, second := queueUp(g, false), queueUp(g, false)
		pinned := queueUp(g, true)
		assert.ErrorIs(t, second.Err, balance.ErrQueueFull)
		assert.False(t, pinned.over())
		g.Leave(nil) // one is left, which only a pinned request may join
		synctest.Wait()
		assert.True(t, pinned.Entered)
		assert.False(t, first.over())
		g.Leave(nil)
		g.Leave(nil)
		<-first.done
		assert.NoError(t, first.Err)
	})
}

// Who is pinned to a backend that is gone, and who waits for any when there is none, is to choose anew.
func TestAChangeOfTheBackendsIsSeenInTheQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := gated(2, balance.Limits{Pool: 10, Backend: 1, Queue: 10, Wait: time.Minute})
		g, a, b := p.Gate(), p.Set().Row(0), p.Set().Row(1)
		require.True(t, a.Begin(false) && b.Begin(false))
		pinned, other, anywhere := queueAt(g, a), queueAt(g, b), queueAt(g, nil)
		require.NoError(t, p.SetUp("b0", false))
		<-pinned.done
		assert.Equal(t, []any{error(nil), (*balance.Backend)(nil), false}, []any{pinned.Err, pinned.Granted, pinned.Entered})
		synctest.Wait()
		assert.False(t, other.over() || anywhere.over())
		a.End()
		synctest.Wait()
		assert.False(t, anywhere.over(), "room at a backend that is down is none")
		require.NoError(t, p.SetUp("b0", true))
		<-anywhere.done
		assert.Equal(t, "b0", anywhere.Granted.ID)
		last := queueAt(g, nil)
		p.Update(nil)
		<-other.done
		<-last.done
		assert.Nil(t, last.Granted)
		assert.NoError(t, last.Err)
	})
}

func TestNewLimitsAreSeenInTheQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := gated(1, balance.Limits{Pool: 1, Queue: 10, Wait: time.Minute})
		g := p.Gate()
		require.True(t, g.Enter(false))
		var all []*waiting
		for range 6 {
			all = append(all, queueUp(g, false))
		}
		p.SetLimits(balance.Limits{Pool: 3, Queue: 10, Wait: time.Minute})
		<-all[0].done
		<-all[1].done
		assert.EqualValues(t, 4, g.Waiting())
		p.SetLimits(balance.Limits{Pool: 3, Queue: 1, Wait: time.Minute})
		for _, w := range all[3:] {
			<-w.done
			assert.ErrorIs(t, w.Err, balance.ErrQueueFull)
		}
		p.SetLimits(balance.Limits{})
		<-all[2].done
		assert.NoError(t, all[2].Err)
		assert.Same(t, g, p.Gate())
		assert.EqualValues(t, 4, g.InFlight())
	})
}

// One that waits for a backend after it waited for the pool keeps its place and its time.
func TestWaitingTwiceIsOneWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := gated(1, balance.Limits{Pool: 2, Backend: 1, Queue: 10, Wait: 3 * time.Second})
		g, b := p.Gate(), p.Set().Row(0)
		require.True(t, g.Enter(false) && b.Begin(false))
		require.True(t, g.Enter(false))
		start, first := time.Now(), queueUp(g, false)
		time.Sleep(time.Second)
		g.Leave(nil)
		<-first.done
		g.Leave(nil)
		second := queueAt(g, nil)
		g.Leave(nil)
		queued := first.Begin(g, nil)
		require.True(t, queued)
		go func() {
			first.Await()
			b.End()
		}()
		time.Sleep(time.Second)
		b.End()
		synctest.Wait()
		assert.Same(t, b, first.Granted, "it came before the second")
		<-second.done
		assert.Same(t, b, second.Granted)
		assert.Less(t, time.Since(start), 3*time.Second)
	})
}

func TestRetryAfterGoesByWhoWaitsAndHowFastRequestsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := gated(1, balance.Limits{Backend: 1, Queue: 1000, Wait: time.Hour})
		g, b := p.Gate(), p.Set().Row(0)
		assert.Equal(t, 1, g.RetryAfter(), "nothing is known")
		for range 20 {
			require.True(t, b.Begin(false))
			time.Sleep(500 * time.Millisecond)
			b.End()
		}
		require.True(t, b.Begin(false))
		assert.Equal(t, 1, g.RetryAfter())
		for range 9 {
			queueAt(g, nil)
		}
		assert.Equal(t, 5, g.RetryAfter(), "2 a second, 10 with the one that asks")
		for range 500 {
			queueAt(g, nil)
		}
		assert.Equal(t, 60, g.RetryAfter())
		p.SetLimits(balance.Limits{})
		synctest.Wait()
	})
}

// Whoever comes and goes, no bound is passed, nobody is forgotten, and in the end nothing is held.
func TestTheGateUnderLoad(t *testing.T) {
	for name, l := range map[string]balance.Limits{
		"pool":    {Pool: 5, Queue: 1000, Wait: 20 * time.Second},
		"backend": {Backend: 2, Queue: 1000, Wait: 20 * time.Second},
		"both":    {Pool: 5, Backend: 2, Reserve: 20, Queue: 1000, Wait: 20 * time.Second},
		"shed":    {Pool: 5, Backend: 2, Reserve: 20, Queue: 3, Wait: time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			p := gated(4, l)
			var all sync.WaitGroup
			var served, shed, left atomic.Int64
			for k := range 64 {
				all.Go(func() {
					for range 200 {
						switch err := visit(p, l, k%4 == 0); err {
						case nil:
							served.Add(1)
						case balance.ErrLeft:
							left.Add(1)
						default:
							shed.Add(1)
						}
					}
				})
			}
			all.Wait()
			if l.Queue > 3 {
				assert.Zero(t, shed.Load())
			}
			assert.EqualValues(t, 64*200, served.Load()+shed.Load()+left.Load())
			assert.Zero(t, p.Gate().InFlight())
			assert.Zero(t, p.Gate().Waiting())
			for _, b := range p.Status() {
				assert.Zero(t, b.InFlight)
			}
		})
	}
}

// visit is a request from its place in the pool to its end.
func visit(p *balance.Pool, l balance.Limits, pinned bool) error {
	g, w := p.Gate(), new(balance.Waiter)
	at := p.Set().Row(rand.Uint32N(4))
	if !g.Enter(pinned) {
		if w.Enter(g, pinned) {
			w.Await()
		}
		if w.Err != nil {
			return w.Err
		}
	}
	if !at.Begin(pinned) {
		g.Leave(nil)
		want := at
		if !pinned {
			want = nil
		}
		if w.Begin(g, want) {
			if rand.IntN(20) == 0 {
				go w.Interrupt()
			}
			w.Await()
		}
		if w.Err != nil {
			return w.Err
		}
		at = w.Granted
	}
	if n := at.Load().InFlight(); l.Backend > 0 && n > l.Backend {
		panic(fmt.Sprint(n, " at a backend"))
	}
	if n := g.InFlight(); l.Pool > 0 && n > l.Pool {
		panic(fmt.Sprint(n, " in the pool"))
	}
	if rand.IntN(3) == 0 {
		time.Sleep(50 * time.Microsecond)
	}
	at.End()
	g.Leave(at)
	return nil
}

func TestAPlaceDoesNotAllocate(t *testing.T) {
	p := gated(100, balance.Limits{Pool: 100, Backend: 10, Queue: 10, Wait: time.Second})
	g, b := p.Gate(), p.Set().Row(0)
	assert.Zero(t, testing.AllocsPerRun(100, func() {
		if !g.Enter(false) || !b.Begin(false) {
			panic("no room")
		}
		b.End()
		g.Leave(b)
	}))
}

func BenchmarkPlace(bm *testing.B) {
	for name, l := range map[string]balance.Limits{"none": {}, "limits": {Pool: 1 << 20, Backend: 1 << 20}} {
		p := gated(10, l)
		bm.Run(name, func(bm *testing.B) {
			g, b := p.Gate(), p.Set().Row(0)
			for bm.Loop() {
				if g != nil {
					g.Enter(false)
				}
				b.Begin(false)
				b.End()
				if g != nil {
					g.Leave(b)
				}
			}
		})
	}
}
