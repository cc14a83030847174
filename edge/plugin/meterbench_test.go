package plugin_test

import (
	"slices"
	"testing"
	"time"

	"github.com/wedge-lb/wedge/edge/balance"
	"github.com/wedge-lb/wedge/edge/plugin"
)

// BenchmarkMetering is what metering adds to a pick: the same guest as it is and metered, in turns, each time in
// new instances, since where their memory lies makes as much of a difference. The bounds are 2 ns on the empty
// guest and, at the mean of the built-ins, 10 %.
func BenchmarkMetering(b *testing.B) {
	for _, bb := range []struct{ name, plugin, options string }{
		{"empty", "", ""},
		{"round_robin", "stateless", `{"algorithm":"round_robin"}`},
		{"p2c", "stateless", `{"algorithm":"p2c"}`},
		{"least_load", "stateless", `{"algorithm":"least_load"}`},
		{"ip-affinity", "ip-affinity", `{}`},
		{"cookie-sticky", "cookie-sticky", `{"source":"cookie:sid"}`},
		{"maglev", "consistent-hash", `{"key":["client_ip"]}`},
	} {
		b.Run(bb.name, func(b *testing.B) {
			wasm := wat(b, "route0")
			if bb.plugin != "" {
				wasm = builtin(b, bb.plugin)
			}
			pool := newPool(10)
			bound := plugin.Binding{Set: pool.Set(), Options: []byte(bb.options), Instances: 1}
			o := plugin.Options{Seed: noSeed{}}
			plain, metered := load(b, newHost(b, plugin.Unmetered(o)), wasm), load(b, newHost(b, o), wasm)
			var without, with []float64
			for range 9 {
				x, y := alternate(b, bind(b, plain, bound), bind(b, metered, bound), pool.Set())
				without, with = append(without, x), append(with, y)
			}
			slices.Sort(without)
			slices.Sort(with)
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(without[4], "ns-plain")
			b.ReportMetric(with[4], "ns-metered")
			b.ReportMetric(with[4]-without[4], "ns-more")
			b.ReportMetric(100*(with[4]/without[4]-1), "%-more")
		})
	}
}

// alternate gives the shortest time of a pick of each.
func alternate(b *testing.B, plain, metered *plugin.Guests, set *balance.Set) (without, with float64) {
	without, with = 1e9, 1e9
	for range 40 {
		without, with = min(without, picks(b, plain, set)), min(with, picks(b, metered, set))
	}
	return without, with
}

// picks is the time of a pick, in nanoseconds, of 200 in a row.
func picks(b *testing.B, g *plugin.Guests, set *balance.Set) float64 {
	const n = 200
	r := request()
	r.Header = &oneHeader{[]byte("cookie"), []byte("theme=dark; sid=0123456789abcdef0123456789abcdef")}
	var d balance.Decision
	began := time.Now()
	for range n {
		d.Reset()
		if err := g.Pick(r, set, &d); err != nil {
			b.Fatal(err)
		}
	}
	return float64(time.Since(began).Nanoseconds()) / n
}
