package plugin_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedge-lb/wedge/edge/balance"
	"github.com/wedge-lb/wedge/edge/plugin"
)

// noSeed gives the same random numbers each time, so that guests can be compared.
type noSeed struct{}

func (noSeed) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// pair is the guests of a module as it is, and metered.
func pair(t testing.TB, wasm []byte, b plugin.Binding) (plain, metered *plugin.Guests) {
	o := plugin.Options{Seed: noSeed{}, Now: func() time.Time { return time.Unix(1_700_000_000, 0) }}
	plain = bind(t, load(t, newHost(t, plugin.Unmetered(o)), wasm), b)
	return plain, bind(t, load(t, newHost(t, o), wasm), b)
}

func TestMeteredGuestsDecideAlike(t *testing.T) {
	modules := map[string][]byte{}
	for _, name := range []string{"attributes", "busiest", "echo", "headers", "inflight", "loads", "route0", "store", "wasi"} {
		modules[name] = wat(t, name)
	}
	options := map[string]string{}
	for name, b := range builtins {
		modules[name], options[name] = builtin(t, b.plugin), b.options
	}
	for name, wasm := range modules {
		t.Run(name, func(t *testing.T) {
			pool := newPool(7)
			occupy(pool)
			plain, metered := pair(t, wasm, plugin.Binding{
				Set: pool.Set(), Options: []byte(options[name]), Instances: 1, Secret: secret,
			})
			for n, r := range clients(300) {
				var a, b balance.Decision
				wantErr, gotErr := plain.Pick(r, pool.Set(), &a), metered.Pick(r, pool.Set(), &b)
				require.Equal(t, fmt.Sprint(wantErr), fmt.Sprint(gotErr), "client %d", n)
				require.Equal(t, a.Backend, b.Backend, "client %d", n)
				require.Equal(t, a.Verdict, b.Verdict, "client %d", n)
				require.Equal(t, a.Spares, b.Spares, "client %d", n)
				require.Equal(t, a.Body, b.Body, "client %d", n)
			}
		})
	}
}

// The same picks use the same fuel, whatever else the machine does.
func TestFuelOfPicksIsRepeatable(t *testing.T) {
	wasm := builtin(t, "cookie-sticky")
	var counts []plugin.UsageCount
	for range 2 {
		var usage plugin.Usage
		pool := newPool(5)
		_, g := pair(t, wasm, plugin.Binding{
			Set: pool.Set(), Options: []byte(`{"source":"cookie:sid"}`), Instances: 1, Usage: &usage,
		})
		for _, r := range clients(100) {
			var d balance.Decision
			require.NoError(t, g.Pick(r, pool.Set(), &d))
		}
		g.AddUsage()
		counts = append(counts, usage.Read())
	}
	assert.Equal(t, counts[0], counts[1])
	assert.NotZero(t, counts[0].Units)
	assert.Less(t, counts[0].Most, int64(20_000))
	assert.InDelta(t, counts[0].Mean(), counts[0].Units/100, 0)
}

func TestASelfTestIsNobodysUsage(t *testing.T) {
	var usage plugin.Usage
	pool := newPool(5)
	g := bind(t, load(t, newHost(t, plugin.Options{}), builtin(t, "stateless")), plugin.Binding{
		Set: pool.Set(), Instances: 2, Usage: &usage,
	})
	require.NoError(t, g.SelfTest(t.Context(), 100))
	g.AddUsage()
	assert.Zero(t, usage.Read())
}

func TestAPickHasTheFuelThatTheOperatorGives(t *testing.T) {
	pool := newPool(1)
	m := load(t, newHost(t, plugin.Options{}), wat(t, "hostile_nested_loops"))
	for _, fuel := range []int64{1000, 0, 5_000_000} {
		var heard faults
		g := bind(t, m, plugin.Binding{Set: pool.Set(), Instances: 1, Fuel: fuel, Fault: heard.add})
		if fuel == 0 {
			fuel = 200_000
		}
		checkFallback(t, g, request(), pool.Set(), plugin.Fuel)
		require.Len(t, heard, 1)
		assert.Equal(t, plugin.Fuel, heard[0].Kind)
		assert.Equal(t, "pick", heard[0].Step)
		assert.Equal(t, fmt.Sprintf("more than %d units of fuel", fuel), heard[0].Text)
		assert.Zero(t, g.Live())
		require.NoError(t, g.Maintain(t.Context()))
		assert.Equal(t, 1, g.Live(), "another takes its place")
	}
}

func TestAPickThatIsMeteredDoesNotAllocate(t *testing.T) {
	pool := newPool(3)
	g := bind(t, load(t, newHost(t, plugin.Options{}), builtin(t, "stateless")), plugin.Binding{Set: pool.Set()})
	r := request()
	var d balance.Decision
	assert.Zero(t, testing.AllocsPerRun(100, func() {
		d.Reset()
		_ = g.Pick(r, pool.Set(), &d)
	}))
}
