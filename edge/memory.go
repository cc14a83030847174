package edge

import (
	"context"
	"runtime/debug"
	"runtime/metrics"
	"syscall"
	"time"
)

const (
	memoryEvery = time.Second
	quietTime   = 100 * time.Millisecond // of a processor, in memoryEvery, below which the edge is quiet
	slackBytes  = 16 << 20               // that the process may hold without use, beside a quarter of what it uses
	memoryPause = 10 * time.Second
)

// keepMemory gives back what a burst has left, once it is quiet: the collector runs when the heap has doubled,
// which after a wave of handshakes is long after the wave, and idle connections are what an edge has most of.
// It does so twice: stacks that one collection shrinks, and what is only then of no use, the next gives back.
func keepMemory(ctx context.Context) error {
	tick := time.NewTicker(memoryEvery)
	defer tick.Stop()
	var seen time.Duration
	var last time.Time
	again := false
	for {
		select {
		case <-ctx.Done():
			return nil
		case now := <-tick.C:
			used := busy()
			quiet := used-seen < quietTime
			if seen = used; quiet && now.Sub(last) >= memoryPause && (again || slack()) {
				debug.FreeOSMemory()
				last, again = now, !again
			}
		}
	}
}

// busy is the processor time that the process has used; 0 if the system does not tell.
func busy() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// slack tells whether much of the heap is of no use.
func slack() bool {
	samples := []metrics.Sample{
		{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/memory/classes/heap/unused:bytes"},
		{Name: "/memory/classes/heap/free:bytes"}, {Name: "/gc/heap/live:bytes"},
	}
	metrics.Read(samples)
	var held uint64
	for _, m := range samples[:3] {
		held += m.Value.Uint64()
	}
	live := samples[3].Value.Uint64()
	return held > live+live/4+slackBytes
}
