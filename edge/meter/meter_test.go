package meter_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/wedge-lb/wedge/edge/meter"
)

// What code costs is promised to the unit.
func TestFuelIsExact(t *testing.T) {
	const void, get0 = 0x40, "\x20\x00"
	countdown := join(get0, 0x41, 1, 0x6b, 0x22, 0, 0x0d, 0) // br_if 0 (local.tee 0 (i32.sub (local.get 0) 1))
	const zeros = "\x41\x00\x41\x00"
	plus3, minus3 := join(get0, 0x41, 3, 0x6a, 0x21, 0), join(get0, 0x41, 3, 0x6b, 0x21, 0)
	repeat := func(n int, code ...any) (out []byte) {
		for range n {
			out = append(out, join(code...)...)
		}
		return out
	}
	for name, tt := range map[string]struct {
		body []byte
		arg  uint64
		want int64
	}{
		"a leaf costs nothing itself":    {repeat(9, plus3), 0, 0},
		"a frame is 68 points, code 64":  {repeat(32, plus3), 0, 5},
		"long code is paid in parts":     {repeat(600, plus3), 0, 33 + 8}, // 1,025 of 1,200 points, the rest
		"a turn is a unit at least":      {join(0x03, void, countdown, 0x0b), 100, 3 + 100},
		"code after a branch is nothing": {join(0x02, void, 0x0c, 0, repeat(200, 0x41, 0, 0x1a), 0x0b), 0, 0},
		"a turn of 131 points, and once more in advance": {
			join(0x03, void, repeat(32, plus3), repeat(32, minus3), countdown, 0x0b), 100, 7 + 500},
		"the longer of two ways counts: 97 points": {
			join(get0, 0x04, void, repeat(32, plus3), 0x05, repeat(48, plus3), 0x0b), 1, 6},
		"a copy of 1,000 bytes":        {join(zeros, 0x41, 0xe8, 0x07, 0xfc, 0x0a, 0, 0), 0, 5 + 15},
		"a fill of 64 KiB":             {join(zeros, get0, 0xfc, 0x0b, 0), 65536, 5 + 1024},
		"a fill of nothing":            {join(zeros, get0, 0xfc, 0x0b, 0), 0, 5},
		"memory grows by 3 to 4 pages": {join(get0, 0x40, 0, 0x1a), 3, 8 + 4*64},
		"memory does not grow":         {join(get0, 0x40, 0, 0x1a), 0, 8 + 64},
		"memory cannot grow":           {join(get0, 0x40, 0, 0x1a), 999, 8 + 1000*64},
	} {
		t.Run(name, func(t *testing.T) {
			body := join(0, tt.body, 0x0b)
			g, err := start(t, wasm(section(1, 1, 0x60, 1, 0x7f, 0), section(3, 1, 0), section(5, 1, 0, 1),
				section(7, 1, sized("run"), 0, 0), section(10, 1, sized(body))), meter.Options{})
			require.NoError(t, err)
			used, _, err := g.call(pickFuel, "run", tt.arg)
			require.NoError(t, err)
			assert.Equal(t, tt.want, used)
			if tt.want > 0 && tt.arg != 3 {
				_, _, err = g.call(tt.want-1, "run", tt.arg)
				assert.ErrorContains(t, err, "unreachable", "one unit less")
				used, _, err = g.call(tt.want, "run", tt.arg)
				assert.NoError(t, err)
				assert.Equal(t, tt.want, used, "again")
			}
		})
	}
}

// Imported functions that cost something are paid for by whatever way they are called.
func TestImportsPay(t *testing.T) {
	// The import host(i32), a function that calls it, one that calls it through a table, and itself exported.
	module := wasm(section(1, 1, 0x60, 1, 0x7f, 0), section(2, 1, sized("wedge"), sized("take"), 0, 0),
		section(3, 2, 0, 0), section(4, 1, 0x70, 0, 1),
		section(7, 3, sized("direct"), 0, 1, sized("indirect"), 0, 2, sized("self"), 0, 0),
		section(9, 1, 0, 0x41, 0, 0x0b, 1, 0),
		section(10, 2, sized(0, 0x20, 0, 0x10, 0, 0x0b), sized(0, 0x20, 0, 0x41, 0, 0x11, 0, 0, 0x0b)))
	take := meter.Import{Params: []byte{meter.I32}, Cost: 50, Counted: 1, Shift: 3}
	o := meter.Options{Imports: map[string]map[string]meter.Import{"wedge": {"take": take}}}
	metered, err := meter.Rewrite(module, o)
	require.NoError(t, err)
	r := newRuntime(t, wazero.NewRuntimeConfig(), 1)
	taken := 0
	_, err = r.NewHostModuleBuilder("wedge").NewFunctionBuilder().WithFunc(func(n int32) { taken += int(n) }).
		Export("take").Instantiate(context.Background())
	require.NoError(t, err)
	m, err := r.Instantiate(context.Background(), metered)
	require.NoError(t, err)
	g := guest{m, m.ExportedGlobal(meter.Export).(api.MutableGlobal)}
	for name, frame := range map[string]int64{"direct": 3, "indirect": 3, "self": 0} {
		used, _, err := g.call(1000, name, 800)
		require.NoError(t, err)
		assert.EqualValues(t, 50+100+frame, used, name)
		_, _, err = g.call(149, name, 800)
		assert.ErrorContains(t, err, "unreachable", name)
	}
	assert.Equal(t, 3*800, taken, "who cannot pay does not call")
}

func TestMemoryAndTableAreClamped(t *testing.T) {
	module := wasm(section(1, 1, 0x60, 1, 0x7f, 1, 0x7f), section(3, 2, 0, 0), section(4, 1, 0x70, 0, 1),
		section(5, 1, 0, 1), section(7, 2, sized("memory"), 0, 0, sized("table"), 0, 1),
		section(10, 2, sized(0, 0x20, 0, 0x40, 0, 0x0b), sized(0, 0xd0, 0x70, 0x20, 0, 0xfc, 0x0f, 0, 0x0b)))
	g, err := start(t, module, meter.Options{Limits: meter.Limits{Memory: 3}})
	require.NoError(t, err)
	const no = 1<<32 - 1
	for _, step := range []struct {
		name      string
		by, wants uint64
	}{
		{"memory", 3, no}, {"memory", 2, 1}, {"memory", 1, no},
		{"table", 4096, no}, {"table", 4095, 1}, {"table", 1, no},
	} {
		_, results, err := g.call(pickFuel, step.name, step.by)
		require.NoError(t, err)
		assert.Equal(t, step.wants, results[0], "%v", step)
	}
}

func TestCustomSectionsAreDroppedButNames(t *testing.T) {
	names := section(0, sized("name"), 0, sized(sized("module")), 1, sized(1, 0, sized("main.run")), 2, sized(0))
	module := join(function(0, 0x0b), names, section(0, sized("producers"), "xyz"))
	out, err := meter.Rewrite(module, meter.Options{})
	require.NoError(t, err)
	assert.Contains(t, string(out), "main.run")
	assert.NotContains(t, string(out), "module")
	assert.NotContains(t, string(out), "producers")

	bad := section(0, sized("name"), 1, sized(1, 0, sized("\xff")))
	out, err = meter.Rewrite(append(function(0, 0x0b), bad...), meter.Options{})
	require.NoError(t, err)
	assert.NotContains(t, string(out), "name")
}

// A host may call with fuel, and be given back what is left.
func TestCallsThatTakeFuel(t *testing.T) {
	module := wasm(section(1, 1, 0x60, 1, 0x7f, 1, 0x7f), section(3, 1, 0), section(7, 1, sized("run"), 0, 0),
		section(10, 1, sized(0, 0x03, 0x40, 0x20, 0, 0x41, 1, 0x6b, 0x22, 0, 0x0d, 0, 0x0b, 0x41, 7, 0x0b)))
	g, err := start(t, module, meter.Options{Calls: []string{"run", "walk"}})
	require.NoError(t, err)
	f := g.ExportedFunction(meter.Fuelled("run"))
	results, err := f.Call(context.Background(), 50, 1000)
	require.NoError(t, err)
	assert.Equal(t, []uint64{7, 1000 - 3 - 50}, results)
	_, err = f.Call(context.Background(), 50, 52)
	require.ErrorContains(t, err, "unreachable")
	assert.EqualValues(t, -1, int64(g.fuel.Get()))
	assert.Nil(t, g.ExportedFunction(meter.Fuelled("walk")))
}
