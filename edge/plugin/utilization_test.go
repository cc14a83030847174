package plugin_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedge-lb/wedge/edge/balance"
	"github.com/wedge-lb/wedge/edge/plugin"
)

// What backends report is read once a strategy asks for it, and only believed while it is new.
func TestUtilizationIsThatOfTheRow(t *testing.T) {
	pool, now := newPool(2), time.Now()
	h := newHost(t, plugin.Options{Now: func() time.Time { return now }})
	m := load(t, h, builtin(t, "stateless"))
	bind(t, m, plugin.Binding{Set: pool.Set(), Options: []byte(`{"algorithm":"least_load"}`)})
	assert.False(t, pool.WantsReports())
	g := bind(t, m, plugin.Binding{Set: pool.Set(), Options: []byte(`{"algorithm":"least_utilization"}`)})
	assert.True(t, pool.WantsReports(), "from the first table on")
	pick := func() map[string]int {
		chosen := map[string]int{}
		var d balance.Decision
		for range 50 {
			d.Reset()
			require.NoError(t, g.Pick(request(), pool.Set(), &d))
			chosen[d.Backend.ID]++
		}
		return chosen
	}
	set := pool.Set()
	set.Find("b0").Load().Begin() // by load it is the other's turn
	set.Find("b0").Load().Reported(0.1, now)
	set.Find("b1").Load().Reported(0.2, now)
	assert.Equal(t, map[string]int{"b0": 50}, pick())
	set.Find("b1").Load().Reported(0, now.Add(9*time.Second))
	set.Find("b1").Load().Reported(0, now.Add(9*time.Second))
	now = now.Add(9 * time.Second)
	assert.Equal(t, map[string]int{"b0": 50}, pick(), "0.15 of an average")
	now = now.Add(2 * time.Second)
	assert.Equal(t, map[string]int{"b1": 50}, pick(), "what b0 reported is stale: load decides")
}
