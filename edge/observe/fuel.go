package observe

import "github.com/prometheus/client_golang/prometheus"

// A FuelEmit gives what the picks of a strategy used: picks[k] of them fewer than 1<<k units and not fewer
// than half of that, the last as many or more; and the units of all of them.
type FuelEmit func(strategy string, picks []uint64, units uint64)

// WatchFuel adds the work that picks of strategies take; read is called at each scrape.
func (m *Metrics) WatchFuel(read func(FuelEmit)) error {
	d := desc("wedge_plugin_fuel_used", "Units of work that a pick of a strategy's plugin took.", "strategy")
	return m.registry.Register(collector{d, func(out chan<- prometheus.Metric) {
		read(func(strategy string, picks []uint64, units uint64) {
			buckets := make(map[float64]uint64, len(picks))
			var count uint64
			for k, n := range picks {
				if count += n; k < len(picks)-1 {
					buckets[float64(uint64(1)<<k-1)] = count
				}
			}
			out <- prometheus.MustNewConstHistogram(d, count, float64(units), buckets, strategy)
		})
	}})
}
