package override_test

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedge-lb/wedge/edge/balance"
	"github.com/wedge-lb/wedge/edge/override"
)

// desk is a Book on a directory of its own, a pool of three backends, and a clock.
type desk struct {
	*override.Book
	t    *testing.T
	path string
	fail error // of the next writes
	log  strings.Builder
	pool *balance.Pool
	now  time.Time
}

func newDesk(t *testing.T) *desk {
	d := &desk{t: t, path: filepath.Join(t.TempDir(), "overrides.json"), now: time.Now(), pool: newPool("shop")}
	d.reopen()
	return d
}

func newPool(name string) *balance.Pool {
	p := balance.NewPool(name)
	p.Update([]balance.Spec{{ID: "a", Weight: 2}, {ID: "b", Weight: 2}, {ID: "c", Weight: 2}})
	return p
}

// reopen is a restart.
func (d *desk) reopen() {
	d.Book = override.Open(override.Options{Path: d.path, Logger: slog.New(slog.NewTextHandler(&d.log, nil)),
		Write: func(path string, data []byte) error {
			if d.fail != nil {
				return d.fail
			}
			return os.WriteFile(path, data, 0o600)
		}})
}

func (d *desk) set(c override.Change) {
	d.t.Helper()
	require.NoError(d.t, d.Set(d.pool, "a", c, d.now))
}

func (d *desk) tend(pools ...*balance.Pool) override.Due {
	byName := map[string]*balance.Pool{}
	for _, p := range pools {
		byName[p.Name()] = p
	}
	return d.Tend(byName, d.now)
}

func (d *desk) state() string { return d.pool.Set().Find("a").State.String() }

func (d *desk) words() []override.Word {
	list, err := d.List()
	require.NoError(d.t, err)
	return list
}

func ptr[T any](v T) *T { return &v }

func TestAnOverrideEndsByItself(t *testing.T) {
	d := newDesk(t)
	d.set(override.Change{State: "drain", TTL: time.Hour})
	assert.Equal(t, "draining", d.state())
	d.now = d.now.Add(59 * time.Minute)
	due := d.tend(d.pool)
	assert.False(t, due.Save)
	assert.Equal(t, time.Minute, due.Wait.Round(time.Second), "the next look is when it ends")
	assert.Equal(t, "draining", d.state())
	d.now = d.now.Add(time.Minute)
	assert.True(t, d.tend(d.pool).Save)
	assert.Equal(t, "ready", d.state())
	assert.Empty(t, d.words())
	assert.Contains(t, d.log.String(), "its time to live is over")
}

func TestAStateBringsItsOwnTimesAndKeepsTheWeight(t *testing.T) {
	d := newDesk(t)
	d.set(override.Change{Weight: ptr(uint32(7)), TTL: time.Hour})
	d.set(override.Change{State: "drain", TTL: 2 * time.Hour, Deadline: ptr(time.Minute)})
	w := d.words()[0]
	assert.Equal(t, 2*time.Hour, w.Until.Sub(w.Since))
	assert.Equal(t, time.Minute, w.Deadline.Sub(w.Since))
	assert.EqualValues(t, 7, d.pool.Set().Find("a").Weight)
	d.set(override.Change{Deadline: ptr(time.Second)})
	assert.Equal(t, time.Second, d.words()[0].Deadline.Sub(d.now.Round(0)), "a time alone is of the state that it has")
	d.set(override.Change{State: "ready"})
	w = d.words()[0]
	assert.True(t, w.Until.IsZero() && w.Deadline.IsZero())
	require.ErrorIs(t, d.Set(d.pool, "a", override.Change{Deadline: ptr(time.Second)}, d.now), override.ErrDeadline)
	assert.Equal(t, w, d.words()[0], "what is refused changes nothing")
	d.Drop("shop", "a", d.pool)
	assert.EqualValues(t, 2, d.pool.Set().Find("a").Weight)
	d.set(override.Change{Weight: ptr(uint32(7))})
	d.set(override.Change{Weight: ptr(uint32(0))})
	assert.Empty(t, d.words(), "an override of nothing is none")
	for _, c := range []override.Change{{TTL: time.Hour}, {Deadline: ptr(time.Minute)}} {
		require.ErrorIs(t, d.Set(d.pool, "a", c, d.now), override.ErrNone)
	}
}

func TestPastItsDeadlineABackendIsAsInMaintenance(t *testing.T) {
	d := newDesk(t)
	row := d.pool.Set().Find("a")
	row.Load().Begin()
	d.set(override.Change{State: "drain", Deadline: ptr(time.Minute)})
	assert.Empty(t, d.tend(d.pool).Sever)
	assert.Equal(t, "draining", d.state())
	d.now = d.now.Add(time.Minute)
	for range 3 {
		due := d.tend(d.pool)
		require.Len(t, due.Sever, 1, "again while there are streams")
		assert.Equal(t, "a", due.Sever[0].ID)
		assert.LessOrEqual(t, due.Wait, time.Second)
		assert.Equal(t, "maintenance", d.state())
	}
	row.Load().End()
	assert.Empty(t, d.tend(d.pool).Sever)
	assert.Equal(t, 1, strings.Count(d.log.String(), "deadline passed"), "it is told once")
}

func TestADeadlineReachesABackendThatHasLeft(t *testing.T) {
	d := newDesk(t)
	row := d.pool.Set().Find("a")
	row.Load().Begin()
	d.set(override.Change{State: "drain", Deadline: ptr(time.Minute)})
	d.Apply(d.pool, d.now)
	d.pool.Update([]balance.Spec{{ID: "b"}})
	d.now = d.now.Add(time.Minute)
	for name, pools := range map[string][]*balance.Pool{"it has": {d.pool}, "and its pool": nil} {
		sever := d.tend(pools...).Sever
		require.Len(t, sever, 1, name)
		assert.Same(t, row.Load(), sever[0].Load(), name)
	}
}

func TestAnOverrideIsKeptForABackendThatLeft(t *testing.T) {
	for name, tt := range map[string]struct {
		ttl  time.Duration
		kept time.Duration
	}{
		"without a time to live for a day":        {0, 24 * time.Hour},
		"with a longer one until that is over":    {72 * time.Hour, 72 * time.Hour},
		"with a shorter one until that is over":   {time.Hour, time.Hour},
		"and no longer if it is a little shorter": {23 * time.Hour, 23 * time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t)
			d.set(override.Change{State: "drain", TTL: tt.ttl})
			assert.True(t, d.tend().Save, "when it left is known over a restart")
			d.Save()
			d.now = d.now.Add(tt.kept - time.Second)
			d.reopen()
			d.tend()
			require.Len(t, d.words(), 1)
			d.now = d.now.Add(2 * time.Second)
			d.tend()
			assert.Empty(t, d.words())
		})
	}
}

func TestABackendThatComesBackFindsItsOverride(t *testing.T) {
	d := newDesk(t)
	d.set(override.Change{State: "maintenance"})
	d.tend()
	d.now = d.now.Add(23 * time.Hour)
	d.pool = newPool("shop")
	d.Apply(d.pool, d.now)
	assert.Equal(t, "maintenance", d.state())
	assert.True(t, d.tend(d.pool).Save)
	d.now = d.now.Add(23 * time.Hour)
	d.tend()
	assert.Len(t, d.words(), 1, "the day begins anew")
}

func TestOverridesSurviveARestart(t *testing.T) {
	d := newDesk(t)
	d.set(override.Change{State: "drain", TTL: time.Hour, Deadline: ptr(time.Minute)})
	require.NoError(t, d.Set(d.pool, "b", override.Change{Weight: ptr(uint32(9))}, d.now))
	d.Save()
	before := d.words()
	d.reopen()
	assert.Equal(t, len(before), len(d.words()))
	for i, w := range d.words() {
		assert.True(t, before[i].Until.Equal(w.Until) && before[i].Deadline.Equal(w.Deadline), w.Backend)
		assert.Equal(t, before[i].State, w.State)
		assert.Equal(t, before[i].Weight, w.Weight)
	}
	d.pool = newPool("shop")
	d.Apply(d.pool, d.now)
	assert.Equal(t, "draining", d.state())
	assert.EqualValues(t, 9, d.pool.Set().Find("b").Weight)
	d.pool = newPool("shop")
	d.Apply(d.pool, d.now.Add(time.Minute))
	assert.Equal(t, "maintenance", d.state(), "the deadline has passed meanwhile")
}

func TestWhatCannotBeSavedIsInForceAndTriedAgain(t *testing.T) {
	d := newDesk(t)
	d.fail = errors.New("no space left")
	d.set(override.Change{State: "drain"})
	d.Save()
	d.Save()
	assert.Equal(t, "draining", d.state())
	_, err := d.List()
	require.EqualError(t, err, "no space left")
	due := d.tend(d.pool)
	assert.True(t, due.Save)
	assert.Equal(t, 5*time.Second, due.Wait)
	d.fail = nil
	d.Save()
	require.Len(t, d.words(), 1)
	assert.False(t, d.tend(d.pool).Save)
	assert.Equal(t, 1, strings.Count(d.log.String(), "overrides not saved"))
	assert.Equal(t, 1, strings.Count(d.log.String(), "overrides saved again"))
}

func TestTheirNumberIsBounded(t *testing.T) {
	d := newDesk(t)
	for i := range 4096 {
		require.NoError(t, d.Set(d.pool, fmt.Sprint(i), override.Change{State: "drain"}, d.now))
	}
	require.ErrorIs(t, d.Set(d.pool, "a", override.Change{State: "drain"}, d.now), override.ErrFull)
	require.NoError(t, d.Set(d.pool, "0", override.Change{State: "ready"}, d.now), "one that is there may change")
	d.Save()
	d.reopen()
	assert.Len(t, d.words(), 4096)
}

// TestManyAtOnce is a hammer of operators, reloads and looks.
func TestManyAtOnce(t *testing.T) {
	d := newDesk(t)
	var wg sync.WaitGroup
	const rounds = 300
	for i, state := range []string{"drain", "ready", "maintenance"} {
		wg.Go(func() {
			for range rounds {
				assert.NoError(t, d.Set(d.pool, string(rune('a'+i)), override.Change{State: state}, d.now))
				d.Drop("shop", "b", d.pool)
			}
		})
	}
	wg.Go(func() {
		for range rounds {
			p := newPool("shop")
			d.Apply(p, d.now)
			d.pool.Update([]balance.Spec{{ID: "a"}, {ID: "b"}, {ID: "c"}})
		}
	})
	wg.Go(func() {
		for range rounds {
			d.Tend(map[string]*balance.Pool{"shop": d.pool}, d.now)
			_, _ = d.List()
		}
	})
	wg.Go(func() {
		for range 20 {
			d.Save()
		}
	})
	wg.Wait()
	d.Save()
	data, err := os.ReadFile(d.path)
	require.NoError(t, err)
	list, err := override.Parse(data)
	require.NoError(t, err)
	assert.Len(t, list, len(d.words()))
}
