package sdk_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedge-lb/wedge/sdk/sdktest"
)

// sequence is the last letters of n picks.
func sequence(t *testing.T, h *sdktest.Host, n int) string {
	var out strings.Builder
	for range n {
		id := routed(t, h, sdktest.Request{})
		out.WriteString(id[len(id)-1:])
	}
	return out.String()
}

func TestRoundRobinIsSmoothAsInNginx(t *testing.T) {
	h := balancing(t, "round_robin",
		sdktest.Backend{ID: "a", Weight: 5}, sdktest.Backend{ID: "b"}, sdktest.Backend{ID: "c"})
	got := sequence(t, h, 14)
	assert.Equal(t, got[:7], got[7:], "the sequence repeats")
	assert.Contains(t, got+got, "aabacaa", "nginx's example for weights 5, 1, 1")
}

func TestRoundRobinOfEqualsTakesTurns(t *testing.T) {
	h := balancing(t, "round_robin", pool(4, 4, 4, 4)...)
	got := sequence(t, h, 8)
	for i := range 4 {
		assert.Equal(t, 2, strings.Count(got, string(rune('0'+i))))
		assert.Equal(t, got[i], got[i+4])
	}
}

func TestInstancesStartAtDifferentPlaces(t *testing.T) {
	starts := map[string]bool{}
	for seed := range uint64(40) {
		h := balancing(t, "round_robin", even(8)...)
		h.Seed(seed)
		require.NoError(t, h.SetBackends(even(8)...))
		starts[sequence(t, h, 1)] = true
	}
	assert.Greater(t, len(starts), 4)
}

// Above 2^20 steps of nginx's algorithm the order comes from stride scheduling.
func TestLongSequencesAreSmoothToo(t *testing.T) {
	list := even(1_001)
	list[0].Weight = 1_001 // half of all turns
	h := balancing(t, "round_robin", list...)
	counts, last, streak := map[string]int{}, "", 0
	for i := range 2_001 {
		id := routed(t, h, sdktest.Request{})
		counts[id]++
		if streak++; id != last {
			streak = 1
		}
		last = id
		require.LessOrEqual(t, streak, 2, "%s, turn %d", id, i)
	}
	assert.Equal(t, 1_001, counts["b-000"])
	assert.Len(t, counts, 1_001)
}

func TestAPickPassesOverALongRunOfAnExcludedBackend(t *testing.T) {
	h := balancing(t, "round_robin", pool(60_000, 1, 1)...)
	retry := func(int) sdktest.Request {
		return sdktest.Request{Attempt: 1, Excluded: []string{"b-000"}}
	}
	assert.Len(t, count(t, h, 200, retry), 2)
}
