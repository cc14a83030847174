package sdk_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedge-lb/wedge/sdk"
	"github.com/wedge-lb/wedge/sdk/abi"
	"github.com/wedge-lb/wedge/sdk/sdktest"
)

// bounded is a Placer under a bound, as consistent-hash uses it.
type bounded struct {
	placer sdk.Placer
	limit  sdk.Bounded
	key    sdk.Attribute
}

func (b *bounded) Configure(c *sdk.Config) error {
	b.key = c.Need(sdk.Header("key").Hashed())
	return nil
}

func (b *bounded) Backends(table sdk.Backends) error {
	b.placer.Update(table)
	b.limit.Update(table)
	return nil
}

func (b *bounded) Pick(r *sdk.Request) sdk.Decision {
	key, _ := r.Hash(b.key)
	return sdk.Route(b.limit.Pick(r, b.placer, key))
}

func bounding(t *testing.T, name string, factor float64, list ...sdktest.Backend) *sdktest.Host {
	p, err := sdk.NewPlacer("algorithm", name)
	require.NoError(t, err)
	return hosting(t, &bounded{placer: p, limit: sdk.Bounded{Factor: factor}}, list...)
}

func TestAnIdlePoolIsNotBounded(t *testing.T) {
	eachPlacer(t, func(t *testing.T, name string) {
		list := pool(1, 2, 3)
		free, bound := placing(t, name, list...), bounding(t, name, 1.25, list...)
		assert.Equal(t, owners(t, free, 2_000), owners(t, bound, 2_000))
	})
}

func TestNoBackendIsLoadedOverTheBound(t *testing.T) {
	eachPlacer(t, func(t *testing.T, name string) {
		list := pool(1, 1, 1, 1, 2, 2)
		h := bounding(t, name, 1.25, list...)
		for i := range 800 { // nothing ends, and half of the requests have one hot key
			r := keyed(i)
			if i%2 == 0 {
				r = keyed(0)
			}
			h.InFlight[routed(t, h, r)]++
		}
		for _, b := range list {
			most := 1.25*801*float64(b.Weight)/8 + 8 // the average is a round of picks old
			assert.LessOrEqual(t, float64(h.InFlight[b.ID]), most, b.ID)
		}
	})
}

func TestOverTheBoundKeysScatter(t *testing.T) {
	eachPlacer(t, func(t *testing.T, name string) {
		list := even(6)
		h := bounding(t, name, 1.25, list...)
		plain := placing(t, name, list...)
		for _, b := range list {
			h.InFlight[b.ID] = 10
		}
		h.InFlight["b-003"] = 100
		count(t, h, 20, keyed) // until the average is known
		refuge := map[string]int{}
		for i := range 3_000 {
			own, got := routed(t, plain, keyed(i)), routed(t, h, keyed(i))
			if own == "b-003" {
				refuge[got]++
			} else {
				require.Equal(t, own, got, "others stay")
			}
		}
		assert.Len(t, refuge, 5)
		assert.NotContains(t, refuge, "b-003")
	})
}

func TestBoundedKeepsToUsableBackends(t *testing.T) {
	list := with(even(3), 1, abi.StateDown)
	h := bounding(t, "maglev", 1.1, list...)
	h.InFlight["b-000"], h.InFlight["b-002"] = 50, 50
	assert.Len(t, count(t, h, 300, keyed), 2)
	tried := keyed(1)
	tried.Excluded = []string{"b-000", "b-002"}
	assert.Equal(t, abi.VerdictAbstain, h.Pick(tried).Verdict)
	requireNoAllocs(t, h)
}

func TestUnderOverloadTheLeastLoadedIsTaken(t *testing.T) {
	h := bounding(t, "rendezvous", 1.01, even(2)...)
	h.InFlight["b-000"], h.InFlight["b-001"] = 500, 400
	count(t, h, 4, keyed)
	assert.Equal(t, map[string]int{"b-001": 100}, count(t, h, 100, keyed))
}
