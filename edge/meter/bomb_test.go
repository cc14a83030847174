package meter_test

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedge-lb/wedge/edge/meter"
)

// ifs is a body of n ifs that each set one of so many locals.
func ifs(locals, n int) []byte {
	body := join(1, u32(locals), 0x7f)
	for i := range n {
		local := u32(i % locals)
		body = join(body, 0x20, local, 0x04, 0x40, 0x20, u32((i+1)%locals), 0x21, local, 0x0b)
	}
	return sized(body, 0x0b)
}

// many is a module of functions () -> ().
func many(bodies ...[]byte) []byte {
	n := u32(len(bodies))
	return wasm(void(), section(3, n, make([]byte, len(bodies))), section(4, 1, 0x70, 0, 10),
		section(5, 1, 0, 1), section(10, n, bytes.Join(bodies, nil)))
}

// Modules that are small and dear to compile are refused in no time.
func TestCompileBombsAreRefused(t *testing.T) {
	ways := func(n int) []byte {
		return join(0x02, 0x40, 0x41, 0, 0x0e, u32(n), make([]byte, n+1), 0x0b)
	}
	blocks := join(0, bytes.Repeat([]byte{0x02, 0x40}, 20_000), bytes.Repeat([]byte{0x0b}, 20_001))
	item := join(0xd0, 0x70, 0x0b)
	data := section(11, u32(140_000), bytes.Repeat([]byte{1, 0}, 140_000))
	for name, tt := range map[string]struct {
		wasm []byte
		want string
	}{
		"400 locals, 3,000 ifs":   {many(ifs(400, 3000)), "units of effort to compile a function"},
		"800 locals, 8,000 ifs":   {many(ifs(800, 8000)), "units of effort to compile a function"},
		"16 locals, 10,000 ifs":   {many(ifs(16, 10_000)), "units of effort to compile a function"},
		"100 functions of ifs":    {many(slices.Repeat([][]byte{ifs(400, 1000)}, 100)...), "to compile all functions"},
		"a branch of many ways":   {many(sized(0, ways(30_000), 0x0b)), "30000 targets of a br_table"},
		"many branches":           {many(sized(0, bytes.Repeat(ways(8000), 100), 0x0b)), "targets of all br_tables"},
		"blocks in blocks":        {many(sized(blocks)), "8193 nested blocks"},
		"a large function":        {many(sized(0, bytes.Repeat([]byte{0x01}, 2<<20), 0x0b)), "bytes of a function"},
		"many functions":          {many(slices.Repeat([][]byte{sized(0, 0x0b)}, 70_000)...), "70000 functions"},
		"four billion locals":     {many(sized(1, u32(1<<32-1), 0x7e, 0x0b)), "4294967295 locals"},
		"many segments of data":   {wasm(data), "140000 segments of data"},
		"many references":         {wasm(section(9, 1, 5, 0x70, u32(140_000), bytes.Repeat(item, 140_000))), "140000 references"},
		"a count without content": {wasm(section(9, 1, 1, 0, u32(1<<31))), "2147483648 references"},
		"many types":              {wasm(section(1, u32(5000), bytes.Repeat([]byte{0x60, 0, 0}, 5000))), "5000 types"},
	} {
		t.Run(name, func(t *testing.T) {
			began := time.Now()
			_, err := meter.Rewrite(tt.wasm, meter.Options{})
			took := time.Since(began)
			require.ErrorContains(t, err, tt.want)
			assert.Contains(t, err.Error(), "at most")
			assert.Less(t, took, slower*time.Second)
		})
	}
}
