package observe

import (
	"math/bits"
	"runtime"
	"sync/atomic"
)

// A grid is a row of counters per shard, so that processors that count at once rarely share a cache line.
type grid struct {
	cells  []atomic.Uint64
	stride uint32 // cells of a row, a multiple of a cache line
	mask   uint32
}

const lineCells = 8 // counters of a 64-byte cache line

// shardsFor is the number of rows that n processors want, a power of two.
func shardsFor(n int) uint32 {
	return 1 << bits.Len(uint(min(max(n, 1), 64)-1))
}

func newGrid(width int) grid {
	shards := shardsFor(runtime.GOMAXPROCS(0))
	stride := (width + lineCells - 1) / lineCells * lineCells
	return grid{cells: make([]atomic.Uint64, int(shards)*stride), stride: uint32(stride), mask: shards - 1}
}

// row is the counters of a shard; any number is one.
func (g *grid) row(shard uint32) []atomic.Uint64 {
	start := (shard & g.mask) * g.stride
	return g.cells[start : start+g.stride]
}

// sum is the value of a counter over all shards.
func (g *grid) sum(i int) (total uint64) {
	for ; i < len(g.cells); i += int(g.stride) {
		total += g.cells[i].Load()
	}
	return total
}
