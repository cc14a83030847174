package sdk_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedge-lb/wedge/sdk"
	"github.com/wedge-lb/wedge/sdk/abi"
	"github.com/wedge-lb/wedge/sdk/sdktest"
)

func TestAStrategyMayAskTheHost(t *testing.T) {
	asked := false
	h := hosting(t, &probe{pick: func(r *sdk.Request) sdk.Decision {
		asked = true
		assert.Equal(t, 7, r.InFlight(1))
		assert.Equal(t, 0, r.InFlight(9), "no such row")
		assert.Equal(t, 3*time.Millisecond, r.Latency(0))
		ppm, told := r.Utilization(1)
		assert.Equal(t, []any{250_000, true}, []any{ppm, told})
		for _, b := range []int{0, 9} {
			_, told = r.Utilization(b)
			assert.False(t, told, b)
		}
		list := []sdk.Load{{Backend: 1}, {Backend: 9}, {Backend: 0}}
		r.Loads(list)
		assert.Equal(t, []sdk.Load{
			{Backend: 1, InFlight: 7}, {Backend: 9, InFlight: -1, Latency: -1}, {Latency: 3_000_000},
		}, list)
		assert.Equal(t, int64(1_767_225_600), r.Now().Unix())
		assert.NotEqual(t, r.Random(), r.Random())
		assert.Equal(t, int64(5), r.CounterAdd(2, 5))
		assert.Equal(t, int64(3), r.CounterAdd(2, -2))

		var val [8]byte
		_, ok := r.StoreGet("k", val[:])
		assert.False(t, ok)
		assert.True(t, r.StorePut("k", []byte("value"), time.Minute))
		assert.False(t, r.StorePut("k", make([]byte, abi.MaxStoreValue+1), time.Minute))
		n, ok := r.StoreGet("k", val[:])
		assert.True(t, ok)
		assert.Equal(t, "value", string(val[:n]))
		n, _ = r.StoreGet("k", val[:2])
		assert.Equal(t, 5, n, "the whole length, though it did not fit")
		r.StoreDelete("k")
		_, ok = r.StoreGet("k", val[:])
		assert.False(t, ok)
		r.Log(abi.LevelWarn, "hello")
		return sdk.Abstain()
	}}, even(2)...)
	h.InFlight["b-001"], h.Latency["b-000"] = 7, 3*time.Millisecond
	h.Utilization["b-001"] = 250_000
	h.Pick(sdktest.Request{})
	assert.True(t, asked)
	assert.Equal(t, []string{"hello"}, h.Logs)
}

func TestRefusalsSayWhy(t *testing.T) {
	h := sdktest.NewHost(&probe{
		configure: func(*sdk.Config) error { return errors.New("no") },
		backends:  func(sdk.Backends) error { return errors.New("too few") },
	})
	assert.EqualError(t, h.Configure(""), "configure: no")
	assert.EqualError(t, h.SetBackends(), "backends: too few")
	g := sdk.NewGuest(nil, &sdk.Imports{Fail: func(text string) { assert.Contains(t, text, "sdk.Register") }})
	assert.Equal(t, int32(1), g.Configure(0))
}

func TestAHostThatAnswersNothing(t *testing.T) {
	p := &probe{configure: func(c *sdk.Config) error {
		c.Need(sdk.Path())
		return nil
	}}
	p.pick = func(r *sdk.Request) sdk.Decision {
		assert.Zero(t, r.InFlight(0))
		assert.Zero(t, r.Latency(0))
		r.Loads([]sdk.Load{{}})
		_, told := r.Utilization(0)
		assert.False(t, told)
		assert.Zero(t, r.Random())
		assert.Zero(t, r.CounterAdd(1, 1))
		_, ok := r.StoreGet("a", nil)
		assert.False(t, ok)
		r.StoreDelete("a")
		r.Log(abi.LevelInfo, "")
		r.Spare(1)
		r.SetHeader("a", "b")
		return r.Respond(200, "", nil)
	}
	g := sdk.NewGuest(p, &sdk.Imports{})
	assert.Zero(t, g.Configure(0))
	g.Frame(abi.RequestSpans)
	assert.Equal(t, abi.VerdictRespond, g.Pick(abi.RequestSpans).Verdict())
	assert.Equal(t, abi.VerdictAbstain, g.Pick(abi.RequestSpans-1).Verdict(), "no whole header")
}

func TestAnObserverLearnsOutcomes(t *testing.T) {
	var got []sdk.Outcome
	h := hosting(t, &probe{observe: func(o sdk.Outcome) { got = append(got, o) }}, even(3)...)
	h.Observe(sdktest.Outcome{Backend: "b-002", Status: 502, Attempt: 1, Flags: abi.OutcomeReset,
		Head: time.Millisecond, Total: time.Second})
	require.Len(t, got, 1)
	assert.Equal(t, sdk.Outcome{Backend: 2, Status: 502, Attempt: 1, Flags: abi.OutcomeReset,
		Head: time.Millisecond, Total: time.Second}, got[0])
	assert.True(t, got[0].Failed())
}

func TestTheFrameGrowsAndStays(t *testing.T) {
	g := sdk.NewGuest(&probe{}, &sdk.Imports{})
	first := g.Frame(100)
	assert.Same(t, &first[0], &g.Frame(80)[0])
	assert.GreaterOrEqual(t, len(g.Frame(1<<20)), 1<<20)
	assert.NotEmpty(t, g.Frame(0))
}

func TestRandIsEvenAndRepeats(t *testing.T) {
	a, b := sdk.NewRand(7), sdk.NewRand(7)
	var counts [10]int
	for range 50_000 {
		n := a.IntN(10)
		require.Equal(t, n, b.IntN(10))
		counts[n]++
	}
	for _, n := range counts {
		assert.InDelta(t, 5_000, n, 350)
	}
}

func TestSum64SpreadsSmallDifferences(t *testing.T) {
	seen := map[uint64]bool{}
	for i := range 256 {
		for k := range 256 {
			seen[sdk.Sum64([]byte{byte(i), byte(k)})>>32] = true
		}
	}
	assert.Greater(t, len(seen), 65_530)
}
