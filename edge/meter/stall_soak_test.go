//go:build soak

package meter_test

import (
	"context"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/wedge-lb/wedge/edge/meter"
)

// stallTime is how long a goroutine that has nothing to do with a guest may be held up.
const stallTime = 10 * time.Millisecond

// With a collection of garbage every 20 ms, which waits for every guest that runs, hostile guests hold up nobody
// else for long. Others use this machine too: of several rounds the calmest counts, and what is as long without
// any guest is not the guest's.
func TestHostileGuestsHoldUpNobody(t *testing.T) {
	for name, wasm := range files(t, "hostile_*") {
		t.Run(name, func(t *testing.T) {
			g, err := start(t, wasm, meter.Options{Fuel: pickFuel})
			if err != nil {
				t.Log(err) // refused, or ended at its start
				return
			}
			limit := stallTime
			if name == "hostile_strided_loads" {
				limit *= 20 // a load that no cache serves takes as long as hundreds of instructions
			}
			quiet, shortest := longestStall(func() {}), time.Hour
			for round := 0; round < 10 && shortest > limit; round++ {
				quiet = min(quiet, longestStall(func() {}))
				shortest = min(shortest, longestStall(func() { _, _, _ = g.call(pickFuel, "wedge_pick", 0) }))
			}
			t.Logf("%s, without a guest %s", shortest, quiet)
			assert.LessOrEqual(t, shortest, limit+quiet)
		})
	}
}

// longestStall is how long somebody is held up at most while a guest decides again and again for 200 ms.
func longestStall(decide func()) (longest time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()
	var wg sync.WaitGroup
	wg.Go(func() {
		for ctx.Err() == nil {
			decide()
			runtime.Gosched()
		}
	})
	wg.Go(func() {
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for ctx.Err() == nil {
			<-tick.C
			runtime.GC()
		}
	})
	for last := time.Now(); ctx.Err() == nil; {
		time.Sleep(100 * time.Microsecond)
		now := time.Now()
		longest = max(longest, now.Sub(last))
		last = now
	}
	wg.Wait()
	return longest
}
