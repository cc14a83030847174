package sdk_test

import (
	"fmt"
	"testing"

	"github.com/wedge-lb/wedge/sdk"
	"github.com/wedge-lb/wedge/sdk/sdktest"
)

// BenchmarkPick is a pick without the border to the host. It must not grow with the pool, but
// for rendezvous, and must not allocate.
func BenchmarkPick(b *testing.B) {
	for _, n := range []int{2, 2_000} {
		list := even(n)
		for _, name := range sdk.BalancerNames() {
			bench(b, fmt.Sprint(name, "/", n), balancing(b, name, list...))
		}
		for _, name := range sdk.PlacerNames() {
			bench(b, fmt.Sprint(name, "/", n), placing(b, name, list...))
		}
	}
}

func bench(b *testing.B, name string, h *sdktest.Host) {
	pick := h.Prepare(keyed(1))
	b.Run(name, func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			pick()
		}
	})
}

// BenchmarkUpdate is a table of 2,000 backends: the first, and one in which only states changed.
func BenchmarkUpdate(b *testing.B) {
	table := sdktest.Table(even(2_000)...)
	for _, name := range sdk.PlacerNames() {
		b.Run(name+"/first", func(b *testing.B) {
			for b.Loop() {
				p, _ := sdk.NewPlacer("algorithm", name)
				p.Update(table)
			}
		})
		b.Run(name+"/again", func(b *testing.B) {
			p, _ := sdk.NewPlacer("algorithm", name)
			for b.Loop() {
				p.Update(table)
			}
		})
	}
}
