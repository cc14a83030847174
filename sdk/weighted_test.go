package sdk_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedge-lb/wedge/sdk"
	"github.com/wedge-lb/wedge/sdk/abi"
	"github.com/wedge-lb/wedge/sdk/sdktest"
)

func TestWeightedDrawsByWeight(t *testing.T) {
	for _, weights := range [][]uint32{{1}, {1, 1}, {1, 2, 3}, {100, 1, 1, 1}, {7, 0, 3}, {5, 5, 5, 5, 1}} {
		list := pool(weights...)
		for i := range list {
			if weights[i] == 0 {
				list[i].State = abi.StateDown
			}
		}
		var w sdk.Weighted
		w.Update(sdktest.Table(list...))
		counts := map[string]int{}
		const step = 1 << 44 // through the whole range, evenly
		for x := range uint64(1 << 20) {
			counts[list[w.At(x*step+sdk.Mix(x)>>20)].ID]++
		}
		requireShares(t, counts, list, 0.04)
	}
}

func TestWeightedOfNothing(t *testing.T) {
	var w sdk.Weighted
	assert.Equal(t, -1, w.At(5))
	assert.False(t, w.Usable(0))
	w.Update(sdktest.Table(with(even(1), 0, abi.StateDown)...))
	assert.Equal(t, -1, w.At(5))
	assert.Zero(t, w.Len())
}

func TestWeightedFollowsTheTable(t *testing.T) {
	var w sdk.Weighted
	w.Update(sdktest.Table(even(50)...))
	w.Update(sdktest.Table(with(even(3), 1, abi.StateDown)...))
	require.Equal(t, 2, w.Len())
	assert.Equal(t, []bool{true, false, true, false},
		[]bool{w.Usable(0), w.Usable(1), w.Usable(2), w.Usable(3)})
	for x := range uint64(1_000) {
		require.NotEqual(t, 1, w.At(sdk.Mix(x)))
	}
}
