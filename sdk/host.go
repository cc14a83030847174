package sdk

import (
	"time"

	"github.com/wedge-lb/wedge/sdk/abi"
)

// Host is what a strategy may ask of the edge. Config, Backends and Request carry it; use it
// only through them, during the call they came with. Each method is one call out of the
// sandbox, some tens of nanoseconds.
type Host struct {
	imports
}

// InFlight is the number of requests that this edge has in flight to a backend, 0 for a row
// that the table does not have.
func (h Host) InFlight(backend int) int { return int(max(h.inFlight(uint32(backend)), 0)) }

// Latency is the moving average of a backend's time to the response head; 0 = none yet.
func (h Host) Latency(backend int) time.Duration {
	return time.Duration(max(h.latency(uint32(backend)), 0))
}

// Load is what a backend carries: requests in flight and the moving average of the time to the
// response head in ns, each -1 for a row that the table does not have.
type Load = abi.Load

// Loads fills in the load of each backend that list names, of at most 64. One call for several
// costs little more than InFlight of one.
func (h Host) Loads(list []Load) { h.loads(list) }

// Utilization is the moving average of what a backend reports of its load, in parts per million of
// what it can do; it may be over a million. ok is false if it reported nothing of late, or the table does not
// have the row.
func (h Host) Utilization(backend int) (ppm int, ok bool) {
	n := h.utilization(uint32(backend))
	return int(n), n >= 0
}

// Random is 64 random bits, seeded by the host. Rand makes many out of one.
func (h Host) Random() uint64 { return uint64(h.random()) }

// Now is the host's clock. A replay sets it.
func (h Host) Now() time.Time { return time.Unix(0, h.now()) }

// CounterAdd adds to one of the strategy's 64 counters, which all its instances share and which
// survive a swap. It returns the new value.
func (h Host) CounterAdd(counter int, delta int64) int64 { return h.counterAdd(uint32(counter), delta) }

// StoreGet copies the value of key into val and returns its length, which may be more than fits.
func (h Host) StoreGet(key string, val []byte) (n int, ok bool) {
	got := h.storeGet(key, val)
	if got < 0 {
		return 0, false
	}
	return int(got), true
}

// StorePut keeps a value for all instances for about ttl, and reports whether it was taken.
// The host bounds the bytes of a strategy: the oldest entries go first.
func (h Host) StorePut(key string, val []byte, ttl time.Duration) bool {
	return h.storePut(key, val, ttl.Milliseconds()) == abi.StoreOK
}

// StoreDelete removes a value.
func (h Host) StoreDelete(key string) { h.storeDelete(key) }

// Log writes a line to the edge's log. The host bounds its length and how many are kept.
func (h Host) Log(level abi.Level, text string) { h.log(uint32(level), text) }
