package abi

// Absent is the length of a span whose attribute the request does not have.
const Absent uint32 = 0xFFFFFFFF

// A span is two u32: the offset of bytes in the frame, and their length.
const (
	SpanOff  = 0
	SpanLen  = 4
	SpanSize = 8
)

// Request frame: a header, then one span for each slot, then bytes. The list of excluded
// backends is RequestExcludedCount indices, u32 each, at RequestExcludedOff.
const (
	RequestAttempt       = 0  // u32, 0 for the first try
	RequestPinned        = 4  // u32, 1 + index of the backend that a valid token names, 0 = none
	RequestExcludedOff   = 8  // u32, offset of the excluded list; any value if the count is 0
	RequestExcludedCount = 12 // u32
	RequestSlots         = 16 // u32, number of spans that follow
	RequestSpans         = 20 // the span of slot 0
	ExcludedSize         = 4  // one entry of the excluded list
)

// Backend table frame: a header, then BackendsCount records, then bytes. Rows are in the
// order of their ids, and a backend index means a row of this table.
const (
	BackendsVersion = 0 // u32, changes with every table
	BackendsCount   = 4 // u32
	BackendsRecords = 8 // the first record
)

// One record of the backend table.
const (
	RecordID      = 0  // span
	RecordAddress = 8  // span
	RecordZone    = 16 // span, length 0 = none
	RecordLabels  = 24 // span, pairs as AppendLabel writes them
	RecordWeight  = 32 // u32; 0 = no new requests while another backend can take them
	RecordState   = 36 // u32, a State
	RecordSize    = 40
)

// LabelEnd ends the key and the value of a label: key, 0, value, 0, next key, …
const LabelEnd byte = 0

// LabelWeight is a label of the host's: while any backend starts slowly, each has its configured weight there, and
// RecordWeight is what it is to get now, in a scale of the table's own. What places keys goes by the
// label, so that a slow start moves none.
const LabelWeight = "wedge.weight"

// AppendLabel appends one label in the form of RecordLabels. Neither key nor value may hold
// a zero byte.
func AppendLabel(dst []byte, key, value string) []byte {
	dst = append(append(dst, key...), LabelEnd)
	return append(append(dst, value...), LabelEnd)
}

// State is what a backend may be given.
type State uint32

// The states of a backend.
const (
	StateReady       State = 0 // anything
	StateDraining    State = 1 // pinned requests, and new ones only if no backend is ready
	StateDown        State = 2 // nothing
	StateMaintenance State = 3 // nothing
)

// String gives the state's name as in ABI.md, or "state(?)".
func (s State) String() string {
	names := [...]string{"ready", "draining", "down", "maintenance"}
	if int(s) >= len(names) {
		return "state(?)"
	}
	return names[s]
}

// Outcome frame, of a fixed size.
const (
	OutcomeBackend = 0  // u32, index in the current table
	OutcomeStatus  = 4  // u32, 0 if there was no response head
	OutcomeFlags   = 8  // u32, OutcomeFlag bits
	OutcomeAttempt = 12 // u32, as in the request that was picked
	OutcomeHead    = 16 // u64, ns to the response head
	OutcomeTotal   = 24 // u64, ns to the end of the response
	OutcomeSize    = 32
)

// OutcomeFlag says how a request failed.
type OutcomeFlag uint32

// The flags of an outcome; none is set for a response that ended well.
const (
	OutcomeConnectFailed OutcomeFlag = 1
	OutcomeTimedOut      OutcomeFlag = 2
	OutcomeReset         OutcomeFlag = 4
)
