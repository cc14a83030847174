package plugin

import (
	"sync/atomic"

	"github.com/wedge-lb/wedge/sdk/abi"
)

// Counters are the counters of one strategy. All its instances share them, and they outlive its
// generations. They are safe for concurrent use.
type Counters struct {
	values [abi.MaxCounters]atomic.Int64
}

// Add adds to a counter and gives its new value; false if there is no such counter.
func (c *Counters) Add(counter uint32, delta int64) (int64, bool) {
	if counter >= abi.MaxCounters {
		return 0, false
	}
	return c.values[counter].Add(delta), true
}
