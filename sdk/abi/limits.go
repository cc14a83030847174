package abi

// Bounds of the host. Those that an operator can change are defaults.
const (
	MaxModuleSize  = 16 << 20    // bytes of a module
	MaxMemory      = 16 << 20    // bytes of memory of an instance, by default
	PickFuel       = 200_000     // units of work of one pick, by default
	SetupFuel      = 200_000_000 // units of work of configure and of backends, by default
	MaxRequest     = 64 << 10    // bytes of a request frame; longer attributes are cut
	MaxSlots       = 64          // attributes of one strategy
	MaxNameLen     = 256         // bytes of an attribute's name
	MaxBackends    = 65_535      // rows of a table
	MaxCounters    = 64          // counters of one strategy, 0 to 63
	MaxLoads       = 64          // records of one call of loads
	MaxSpares      = 8           // spares of one pick; more are ignored
	MaxFailLen     = 1 << 10     // bytes of the text of fail; longer is cut
	MaxLogLen      = 1 << 10     // bytes of a log message; longer is cut
	MaxStoreKey    = 256         // bytes of a key of the store
	MaxStoreValue  = 4 << 10     // bytes of a value of the store
	MaxSetHeaders  = 16          // response headers that one pick may add
	MaxHeaderBytes = 4 << 10     // bytes of names and values of those headers
	MaxRespondBody = 64 << 10    // bytes of the body of a respond
)

// Level is how much a log line of a guest matters.
type Level uint32

// The levels of log.
const (
	LevelDebug Level = 0
	LevelInfo  Level = 1
	LevelWarn  Level = 2
	LevelError Level = 3
)

// Results of imports.
const (
	NoUtilization int32 = -1 // utilization: not known
	StoreAbsent   int32 = -1 // store_get: there is no such key
	StoreOK       int32 = 0  // store_put: stored; anything else is a refusal
	NeedRefused   int32 = -1 // need: not granted, unknown, or one too many
)
