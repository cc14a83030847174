package observe

import (
	"math/bits"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// A scale is the bounds of a histogram's buckets and a quick way to the right one. A histogram takes width
// counters of a grid: the buckets, one more for what is over the last bound, and the sum in nanoseconds.
type scale struct {
	bounds []time.Duration // ascending; a bound is in its bucket
	first  [65]uint8       // by bit length: the first bucket that may hold a value of it
	width  int
}

func newScale(bounds ...time.Duration) *scale {
	s := &scale{bounds: bounds, width: len(bounds) + 2}
	for n := range s.first {
		least := uint64(1) << max(n-1, 0)
		for int(s.first[n]) < len(bounds) && uint64(bounds[s.first[n]]) < least {
			s.first[n]++
		}
	}
	return s
}

// index is the bucket of a value.
func (s *scale) index(d time.Duration) int {
	i := int(s.first[bits.Len64(uint64(d))])
	for i < len(s.bounds) && d > s.bounds[i] {
		i++
	}
	return i
}

// metric reads the histogram at the counters from at on, nil if it is empty.
func (s *scale) metric(g *grid, at int, desc *prometheus.Desc, labels ...string) prometheus.Metric {
	buckets := make(map[float64]uint64, len(s.bounds))
	var count uint64
	for i, b := range s.bounds {
		count += g.sum(at + i)
		buckets[b.Seconds()] = count
	}
	if count += g.sum(at + len(s.bounds)); count == 0 {
		return nil
	}
	sum := time.Duration(g.sum(at + s.width - 1)).Seconds()
	return prometheus.MustNewConstHistogram(desc, count, sum, buckets, labels...)
}

// observe adds a value to the histogram that row begins with.
func (s *scale) observe(row []counter, d time.Duration) {
	d = max(d, 0)
	row[s.index(d)].Add(1)
	row[s.width-1].Add(uint64(d))
}
