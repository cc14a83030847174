package sdk

import (
	"math"
	"math/bits"
)

// logSteps is the number of steps of a logTable for one octave; between steps it is a straight
// line, which errs by less than 3 in a million.
const logSteps = 256

// logTable is log2 of 1 to 2. math.Log would cost 60 ns a call in a module.
type logTable [logSteps + 1]float64

func newLogTable() *logTable {
	var t logTable
	for i := range t {
		t[i] = math.Log2(1 + float64(i)/logSteps)
	}
	return &t
}

// negLog2 is -log2(h / 2^64), for an h of 0 as for 1. It falls as h rises.
func (t *logTable) negLog2(h uint64) float64 {
	h |= 1
	zeros := bits.LeadingZeros64(h)
	fraction := h << zeros << 1 // without its highest bit, which is the 1 of 1 to 2
	i := fraction >> 56
	between := float64(int64(fraction<<8>>11)) / (1 << 53)
	return float64(zeros+1) - t[i] - between*(t[i+1]-t[i])
}
