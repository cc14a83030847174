package sdk_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedge-lb/wedge/sdk"
	"github.com/wedge-lb/wedge/sdk/abi"
	"github.com/wedge-lb/wedge/sdk/sdktest"
)

func eachBalancer(t *testing.T, run func(t *testing.T, name string)) {
	for _, name := range sdk.BalancerNames() {
		t.Run(name, func(t *testing.T) { run(t, name) })
	}
}

func TestSharesOfAnIdlePoolFollowWeights(t *testing.T) {
	eachBalancer(t, func(t *testing.T, name string) {
		list := pool(1, 2, 3, 4, 10)
		requireShares(t, repeat(t, balancing(t, name, list...), 40_000), list, 0.06)
	})
}

func TestSharesStayProportionalWithAnyBackendDown(t *testing.T) {
	eachBalancer(t, func(t *testing.T, name string) {
		for i := range 4 {
			list := with(pool(1, 2, 3, 4), i, abi.StateDown)
			requireShares(t, repeat(t, balancing(t, name, list...), 100_000), list, 0.02)
		}
	})
}

func TestTwoThousandBackendsShareEvenly(t *testing.T) {
	eachBalancer(t, func(t *testing.T, name string) {
		list := even(2_000)
		counts := repeat(t, balancing(t, name, list...), 60_000)
		assert.GreaterOrEqual(t, len(counts), 1_990)
		for id, n := range counts {
			require.Less(t, n, 80, id)
		}
	})
}

func TestNewRequestsGoToReadyBackendsOnly(t *testing.T) {
	eachBalancer(t, func(t *testing.T, name string) {
		list := pool(1, 1, 1, 1, 1)
		list[0].State, list[1].State, list[2].State = abi.StateDraining, abi.StateDown, abi.StateMaintenance
		list[3].Weight = sdktest.Weightless
		counts := repeat(t, balancing(t, name, list...), 200)
		assert.Equal(t, map[string]int{"b-004": 200}, counts)
	})
}

func TestDrainingBackendsServeIfNothingElseIsLeft(t *testing.T) {
	eachBalancer(t, func(t *testing.T, name string) {
		list := with(with(with(even(3), 0, abi.StateDraining), 1, abi.StateDown), 2, abi.StateDraining)
		counts := repeat(t, balancing(t, name, list...), 400)
		assert.Len(t, counts, 2)
		assert.NotContains(t, counts, "b-001")
	})
}

func TestAbstainsIfNoBackendIsLeft(t *testing.T) {
	eachBalancer(t, func(t *testing.T, name string) {
		assert.Equal(t, abi.VerdictAbstain, balancing(t, name).Pick(sdktest.Request{}).Verdict, "empty pool")
		down := balancing(t, name, with(even(1), 0, abi.StateDown)...)
		assert.Equal(t, abi.VerdictAbstain, down.Pick(sdktest.Request{}).Verdict, "all down")
		tried := sdktest.Request{Attempt: 2, Excluded: []string{"b-000", "b-001"}}
		assert.Equal(t, abi.VerdictAbstain, balancing(t, name, even(2)...).Pick(tried).Verdict, "all tried")
	})
}

func TestExcludedBackendsAreNeverChosen(t *testing.T) {
	eachBalancer(t, func(t *testing.T, name string) {
		h := balancing(t, name, pool(1, 1, 1_000, 1)...)
		h.InFlight["b-000"], h.InFlight["b-001"], h.InFlight["b-003"] = 9, 9, 9
		retry := func(int) sdktest.Request {
			return sdktest.Request{Attempt: 1, Excluded: []string{"b-002", "b-000"}}
		}
		counts := count(t, h, 200, retry)
		assert.Len(t, counts, 2, counts)
	})
}

func TestTheLastOfManyIsFound(t *testing.T) {
	eachBalancer(t, func(t *testing.T, name string) {
		list := even(100)
		var tried []string
		for _, b := range list[:99] {
			tried = append(tried, b.ID)
		}
		h := balancing(t, name, list...)
		assert.Equal(t, "b-099", routed(t, h, sdktest.Request{Excluded: tried}))
	})
}

func TestPicksDoNotAllocate(t *testing.T) {
	for _, n := range []int{2, 2_000} {
		list := even(n)
		eachBalancer(t, func(t *testing.T, name string) { requireNoAllocs(t, balancing(t, name, list...)) })
		eachPlacer(t, func(t *testing.T, name string) { requireNoAllocs(t, placing(t, name, list...)) })
	}
}

func requireNoAllocs(t *testing.T, h *sdktest.Host) {
	t.Helper()
	for _, r := range []sdktest.Request{keyed(1), {Attempt: 1, Excluded: []string{"b-000"}}} {
		pick := h.Prepare(r)
		require.Zero(t, testing.AllocsPerRun(100, func() { pick() }))
	}
}

func TestLoadDecides(t *testing.T) {
	for name, tt := range map[string]struct {
		algorithm string
		weights   []uint32
		load      []int
		want      string
	}{
		"p2c of two: the idle one":              {"p2c", []uint32{1, 1}, []int{1, 0}, "b-001"},
		"p2c: load counts by weight":            {"p2c", []uint32{1, 10}, []int{2, 3}, "b-001"},
		"p2c: a light one that is far less":     {"p2c", []uint32{1, 2}, []int{0, 9}, "b-000"},
		"least load: the least of all":          {"least_load", []uint32{1, 1, 1, 1}, []int{5, 4, 1, 4}, "b-002"},
		"least load: by weight":                 {"least_load", []uint32{1, 1, 5}, []int{2, 2, 4}, "b-002"},
		"least latency: load counts if unknown": {"least_latency", []uint32{1, 1}, []int{4, 1}, "b-001"},
	} {
		t.Run(name, func(t *testing.T) {
			list := pool(tt.weights...)
			h := balancing(t, tt.algorithm, list...)
			for i, b := range list {
				h.InFlight[b.ID] = tt.load[i]
			}
			assert.Equal(t, map[string]int{tt.want: 50}, repeat(t, h, 50))
		})
	}
}

// A closed loop of many clients shows whether a balancer evens out load by weight.
func TestLoadEvensOutByWeight(t *testing.T) {
	for _, name := range []string{"p2c", "least_load"} {
		t.Run(name, func(t *testing.T) {
			list := pool(1, 1, 2, 4)
			h := balancing(t, name, list...)
			for range 800 { // nothing ends: what is in flight is what was chosen
				h.InFlight[routed(t, h, sdktest.Request{})]++
			}
			requireShares(t, h.InFlight, list, 0.1)
		})
	}
}

// With one request at a time beside a busy one, a light backend must not get half of the traffic.
func TestFewRequestsStayProportionalUnderP2C(t *testing.T) {
	h := balancing(t, "p2c", pool(1, 10)...)
	counts, busy := map[string]int{}, ""
	for range 4_000 {
		next := routed(t, h, sdktest.Request{})
		h.InFlight[busy], h.InFlight[next] = 0, 1
		counts[next]++
		busy = next
	}
	assert.InDelta(t, 4_000/11, counts["b-000"], 120)
}

func TestLeastLoadOfManyLooksAtSome(t *testing.T) {
	h := balancing(t, "least_load", even(1_000)...)
	for i, b := range even(1_000) {
		h.InFlight[b.ID] = 1 + i%2*9 // half carry 1, half carry 10
	}
	counts := repeat(t, h, 2_000)
	for i, b := range even(1_000) {
		if i%2 == 1 {
			assert.Zero(t, counts[b.ID], b.ID)
		}
	}
}

func TestLatencyDecides(t *testing.T) {
	h := balancing(t, "least_latency", even(2)...)
	h.Latency["b-000"], h.Latency["b-001"] = 9*time.Millisecond, 2*time.Millisecond
	assert.Equal(t, map[string]int{"b-001": 50}, repeat(t, h, 50))

	h.InFlight["b-001"] = 5 // 12 ms of work ahead against 9
	assert.Equal(t, map[string]int{"b-000": 50}, repeat(t, h, 50))
}

func TestUtilizationDecides(t *testing.T) {
	for name, tt := range map[string]struct {
		weights []uint32
		busy    []int // in parts per million; -1 = not reported
		load    []int
		want    map[string]bool
	}{
		"the freer one":            {[]uint32{1, 1}, []int{900_000, 200_000}, []int{0, 9}, map[string]bool{"b-001": true}},
		"for its weight":           {[]uint32{4, 1}, []int{800_000, 250_000}, []int{9, 0}, map[string]bool{"b-000": true}},
		"over what it can do":      {[]uint32{1, 1}, []int{1_000_000_000, 1_500_000}, nil, map[string]bool{"b-001": true}},
		"load if one is not known": {[]uint32{1, 1}, []int{100_000, -1}, []int{5, 1}, map[string]bool{"b-001": true}},
		"load if none is known":    {[]uint32{1, 1}, []int{-1, -1}, []int{1, 5}, map[string]bool{"b-000": true}},
		"load if they are equal":   {[]uint32{1, 1}, []int{500_000, 500_000}, []int{5, 1}, map[string]bool{"b-001": true}},
		"both if all is equal":     {[]uint32{1, 1}, []int{0, 0}, nil, map[string]bool{"b-000": true, "b-001": true}},
	} {
		list := even(2)
		for i := range list {
			list[i].Weight = tt.weights[i]
		}
		h := balancing(t, "least_utilization", list...)
		for i, id := range []string{"b-000", "b-001"} {
			if tt.busy[i] >= 0 {
				h.Utilization[id] = tt.busy[i]
			}
			if tt.load != nil {
				h.InFlight[id] = tt.load[i]
			}
		}
		got := map[string]bool{}
		for range 200 {
			got[h.Pick(sdktest.Request{}).Backend] = true
		}
		assert.Equal(t, tt.want, got, name)
	}
}

func TestABackendWithoutLatencyIsTriedWhileIdle(t *testing.T) {
	h := balancing(t, "least_latency", even(2)...)
	h.Latency["b-000"] = time.Millisecond
	assert.Equal(t, map[string]int{"b-001": 50}, repeat(t, h, 50))

	h.InFlight["b-001"] = 1 // it is being tried
	assert.Equal(t, "b-000", routed(t, h, sdktest.Request{}))
}

func TestUnknownNamesAreToldWithTheKnown(t *testing.T) {
	_, err := sdk.NewBalancer("first_pick", "fastest")
	assert.EqualError(t, err,
		`option first_pick: "fastest": want one of round_robin, random, p2c, least_load, least_latency, least_utilization`)
	_, err = sdk.NewPlacer("algorithm", "md5")
	assert.EqualError(t, err, `option algorithm: "md5": want one of maglev, ring, rendezvous`)
}
