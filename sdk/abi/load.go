package abi

// Load is one record for loads: the guest names the backend, the host fills in the rest. In a guest
// built from Go its layout in memory is that of the record.
type Load struct {
	Backend  uint32
	InFlight int32 // as the import inflight gives it
	Latency  int64 // as the import latency gives it
}

// Load record.
const (
	LoadBackend  = 0 // u32
	LoadInFlight = 4 // i32
	LoadLatency  = 8 // i64
	LoadSize     = 16
)
