package sdk_test

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedge-lb/wedge/sdk"
	"github.com/wedge-lb/wedge/sdk/abi"
	"github.com/wedge-lb/wedge/sdk/sdktest"
)

const keys = 20_000

func eachPlacer(t *testing.T, run func(t *testing.T, name string)) {
	for _, name := range sdk.PlacerNames() {
		t.Run(name, func(t *testing.T) { run(t, name) })
	}
}

// tolerance of a share: a ring of 160 points a weight unit is coarse, about 1/sqrt(160).
func tolerance(name string) float64 {
	if name == "ring" {
		return 0.3
	}
	return 0.08
}

func TestKeysFollowWeights(t *testing.T) {
	eachPlacer(t, func(t *testing.T, name string) {
		list := pool(1, 2, 3, 4, 5)
		requireShares(t, count(t, placing(t, name, list...), 2*keys, keyed), list, tolerance(name))
	})
}

func TestKeysStayProportionalWithAnyBackendDown(t *testing.T) {
	eachPlacer(t, func(t *testing.T, name string) {
		for i := range 4 {
			list := with(pool(1, 2, 3, 4), i, abi.StateDown)
			requireShares(t, count(t, placing(t, name, list...), keys, keyed), list, tolerance(name))
		}
	})
}

// Every key has one of the table's entries: to look up one key of each is to count the whole table.
func TestMaglevSpreadsKeysEvenly(t *testing.T) {
	w := &tableTaker{}
	hosting(t, w, even(100)...)
	counts := make([]int, 100)
	for key := range uint64(sdk.MaglevSize) {
		counts[w.table.Lookup(key)]++
	}
	mean := float64(sdk.MaglevSize) / 100
	assert.LessOrEqual(t, float64(slices.Max(counts))/mean, 1.01)
	assert.GreaterOrEqual(t, float64(slices.Min(counts))/mean, 0.99)
}

// tableTaker keeps a Maglev of the table it was given.
type tableTaker struct{ table sdk.Maglev }

func (w *tableTaker) Configure(*sdk.Config) error      { return nil }
func (w *tableTaker) Backends(b sdk.Backends) error    { w.table = sdk.NewMaglev(b); return nil }
func (w *tableTaker) Pick(r *sdk.Request) sdk.Decision { return sdk.Abstain() }

func TestAKeyKeepsItsBackendInEveryInstance(t *testing.T) {
	eachPlacer(t, func(t *testing.T, name string) {
		one, other := placing(t, name, pool(3, 1, 2)...), placing(t, name, pool(3, 1, 2)...)
		other.Seed(99)
		assert.Equal(t, owners(t, one, 1_000), owners(t, other, 1_000))
	})
}

func TestOnlyTheKeysOfADownBackendMoveAndTheyComeBack(t *testing.T) {
	eachPlacer(t, func(t *testing.T, name string) {
		for _, list := range [][]sdktest.Backend{even(10), pool(1, 2, 3, 4)} {
			h := placing(t, name, list...)
			before := owners(t, h, keys)
			require.NoError(t, h.SetBackends(with(list, 2, abi.StateDown)...))
			refuge := map[string]int{}
			for i, now := range owners(t, h, keys) {
				if before[i] == "b-002" {
					refuge[now]++
					continue
				}
				require.Equal(t, before[i], now)
			}
			assert.Len(t, refuge, len(list)-1, "the keys go everywhere, not to one neighbour")
			require.NoError(t, h.SetBackends(list...))
			assert.Equal(t, before, owners(t, h, keys))
		}
	})
}

func TestARemovedBackendMovesFewKeys(t *testing.T) {
	eachPlacer(t, func(t *testing.T, name string) {
		for _, n := range []int{3, 10, 100} {
			list := even(n)
			moved := moves(t, name, list, without(list, n/2))
			assert.InDelta(t, 1/float64(n), moved, 0.03, "of %d", n)
		}
	})
}

func TestAnAddedBackendTakesItsShare(t *testing.T) {
	eachPlacer(t, func(t *testing.T, name string) {
		list := even(10)
		assert.InDelta(t, 0.1, moves(t, name, without(list, 4), list), 0.03)
	})
}

func TestAHeavierBackendTakesKeysFromTheOthers(t *testing.T) {
	eachPlacer(t, func(t *testing.T, name string) {
		moved := moves(t, name, pool(2, 2, 2, 2), pool(2, 2, 2, 4)) // from 1/4 to 2/5
		assert.InDelta(t, 0.15, moved, 0.05)
	})
}

// moves is the part of the keys that have another backend in the second pool.
func moves(t *testing.T, name string, first, second []sdktest.Backend) float64 {
	h := placing(t, name, first...)
	before, moved := owners(t, h, keys), 0.0
	require.NoError(t, h.SetBackends(second...))
	for i, now := range owners(t, h, keys) {
		if now != before[i] {
			moved++
		}
	}
	return moved / keys
}

func TestPositionsDoNotCount(t *testing.T) {
	list := even(8)
	for i := range list {
		list[i].ID = string(rune('h'-i)) + list[i].ID // the table is ordered by id, so rows change
	}
	eachPlacer(t, func(t *testing.T, name string) {
		first := append([]sdktest.Backend{{ID: "!"}}, list...)
		assert.InDelta(t, 1.0/9, moves(t, name, list, first), 0.03)
	})
}

func TestAnExcludedBackendsKeysGoElsewhereEvenly(t *testing.T) {
	eachPlacer(t, func(t *testing.T, name string) {
		h := placing(t, name, even(5)...)
		refuge := map[string]int{}
		for i := range keys {
			r := keyed(i)
			if own := routed(t, h, r); own == "b-001" {
				r.Excluded, r.Attempt = []string{own}, 1
				next := routed(t, h, r)
				require.Equal(t, next, routed(t, h, r))
				refuge[next]++
			}
		}
		require.Len(t, refuge, 4)
		for id, n := range refuge {
			assert.InDelta(t, keys/5/4, n, keys/5/4*0.35, id)
		}
	})
}

func TestPlacersFollowTheStates(t *testing.T) {
	eachPlacer(t, func(t *testing.T, name string) {
		list := even(4)
		list[0].State, list[1].State = abi.StateDraining, abi.StateDown
		list[2].Weight = sdktest.Weightless
		h := placing(t, name, list...)
		assert.Equal(t, map[string]int{"b-003": 500}, count(t, h, 500, keyed), "ready and of some weight")

		list[3].State = abi.StateMaintenance
		require.NoError(t, h.SetBackends(list...))
		assert.Equal(t, map[string]int{"b-002": 500}, count(t, h, 500, keyed), "then ready")

		list[2].State, list[2].Weight = abi.StateDraining, 1
		require.NoError(t, h.SetBackends(list...))
		assert.Len(t, count(t, h, 500, keyed), 2, "then draining")

		list[0].State, list[2].State = abi.StateDown, abi.StateDown
		require.NoError(t, h.SetBackends(list...))
		assert.Equal(t, abi.VerdictAbstain, h.Pick(keyed(1)).Verdict)
		require.NoError(t, h.SetBackends())
		assert.Equal(t, abi.VerdictAbstain, h.Pick(keyed(1)).Verdict)
	})
}

func TestTheOneBackendLeftOfManyIsFound(t *testing.T) {
	eachPlacer(t, func(t *testing.T, name string) {
		list := even(500)
		for i := range list[:499] {
			list[i].State = abi.StateDown
		}
		assert.Equal(t, map[string]int{"b-499": 300}, count(t, placing(t, name, list...), 300, keyed))
	})
}

func TestHugeWeightsStayInBounds(t *testing.T) {
	eachPlacer(t, func(t *testing.T, name string) {
		list := pool(math.MaxUint32-1, math.MaxUint32/2, 1)
		counts := count(t, placing(t, name, list...), keys, keyed)
		assert.InDelta(t, 2.0/3, float64(counts["b-000"])/keys, 0.05)
	})
	list := pool(math.MaxUint32-1, math.MaxUint32/2, 1)
	eachBalancer(t, func(t *testing.T, name string) {
		counts := repeat(t, balancing(t, name, list...), keys)
		assert.InDelta(t, 2.0/3, float64(counts["b-000"])/keys, 0.05)
	})
}

func TestLookupIsAPickThatExcludesNothing(t *testing.T) {
	table := sdktest.Table(pool(1, 2, 3)...)
	maglev, ring, rendezvous := sdk.NewMaglev(table), sdk.NewRing(table), sdk.NewRendezvous(table)
	for i := range uint64(1_000) {
		key := sdk.Mix(i)
		require.Equal(t, maglev.Pick(nil, key), maglev.Lookup(key))
		require.Equal(t, ring.Pick(nil, key), ring.Lookup(key))
		require.Equal(t, rendezvous.Pick(nil, key), rendezvous.Lookup(key))
	}
	var empty sdk.Maglev
	assert.Equal(t, -1, empty.Lookup(1))
}

// In a slow start the host gives the weights in force, in a scale of its own, and the configured ones by a label.
func TestASlowStartMovesNoKey(t *testing.T) {
	eachPlacer(t, func(t *testing.T, name string) {
		list := pool(1, 2, 3, 4)
		h := placing(t, name, list...)
		before := owners(t, h, keys)
		slow := pool(20, 40, 6, 80)
		for i := range slow {
			slow[i].Labels = map[string]string{abi.LabelWeight: fmt.Sprint(list[i].Weight)}
		}
		require.NoError(t, h.SetBackends(slow...))
		assert.Equal(t, before, owners(t, h, keys))
		slow[2].State = abi.StateDown
		require.NoError(t, h.SetBackends(slow...))
		down := owners(t, h, keys)
		require.NoError(t, h.SetBackends(with(list, 2, abi.StateDown)...))
		assert.Equal(t, owners(t, h, keys), down, "nor when it goes down again")
	})
}

func TestALabelThatIsNoWeightIsPassedOver(t *testing.T) {
	eachPlacer(t, func(t *testing.T, name string) {
		list := pool(1, 2)
		before := owners(t, placing(t, name, list...), 1_000)
		list[0].Labels = map[string]string{abi.LabelWeight: "many"}
		assert.Equal(t, before, owners(t, placing(t, name, list...), 1_000))
	})
}
