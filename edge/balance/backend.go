package balance

import (
	"maps"
	"sync/atomic"
	"time"

	"github.com/wedge-lb/wedge/edge/observe"
)

// A Condition is what an operator wants of a backend.
type Condition uint8

const (
	Ready       Condition = iota // takes requests
	Drain                        // takes only the requests that are pinned to it
	Maintenance                  // takes none
)

// Spec is what the configuration says of a backend. ID is its identity: state and counters follow it.
type Spec struct {
	ID        string
	Address   string // host:port to dial
	Scheme    string // http or https
	Weight    uint32 // share of the new requests beside the others'; at least 1
	Zone      string
	Labels    map[string]string
	Metrics   *observe.Backend // counts the attempts; nil = nobody does
	Condition Condition        // the configured one; an operator's override comes before it
}

func (s Spec) equal(o Spec) bool {
	return s.ID == o.ID && s.Address == o.Address && s.Scheme == o.Scheme && s.Weight == o.Weight &&
		s.Zone == o.Zone && s.Metrics == o.Metrics && s.Condition == o.Condition && maps.Equal(s.Labels, o.Labels)
}

// State is what a row can be used for.
type State uint8

const (
	StateReady       State = iota // any request
	StateDraining                 // pinned requests, or any if no other is left
	StateDown                     // none: its probes fail or it was ejected
	StateMaintenance              // none: an operator took it out
)

var stateNames = [...]string{"ready", "draining", "down", "maintenance"}

func (s State) String() string { return stateNames[s] }

// A Backend is one row of a Set. It is immutable but for Load, which all rows of its id share.
type Backend struct {
	Spec
	Index uint32 // the row's place in its Set
	State State
	// Effective is the weight that new requests are shared by, in the Set's Scale: less than Weight × Scale
	// while the backend starts slowly. What places keys goes by Weight, which stays put.
	Effective uint32
	Pool      *Pool

	load          *Load
	condition     Condition // that is in force
	down, ejected bool
	twentieths    uint32 // of its weight that it has by now
}

// Load is what is in progress and how it went, by backend id.
func (b *Backend) Load() *Load { return b.load }

// Load counts what a backend is doing. It is safe for concurrent use.
type Load struct {
	inFlight atomic.Int64
	begun    atomic.Uint64
	latency  atomic.Int64  // moving average of time to the response head, ns
	report   atomic.Uint64 // of its utilization; see fresh
	_        [32]byte      // a backend's counters stay on a cache line of their own
}

// InFlight is the number of requests in progress, streams included until they end.
func (l *Load) InFlight() int64 { return l.inFlight.Load() }

// Begin counts a request in; End must follow once it has ended.
func (l *Load) Begin() {
	l.inFlight.Add(1)
	l.begun.Add(1)
}

// Repeated counts one more attempt of a request that is in progress.
func (l *Load) Repeated() { l.begun.Add(1) }

// Begun is the number of attempts that ever began.
func (l *Load) Begun() uint64 { return l.begun.Load() }

// End counts a request out.
func (l *Load) End() { l.inFlight.Add(-1) }

// Latency is the moving average of the time to a response head; 0 = no answer yet.
func (l *Load) Latency() time.Duration { return time.Duration(l.latency.Load()) }

// Answered notes the time that a backend took to the head of its answer. The average moves by 1/8 of the
// difference (RFC 6298's smoothing); an update lost to a concurrent one is of no weight.
func (l *Load) Answered(d time.Duration) {
	old := l.latency.Load()
	next := int64(d)
	if old != 0 {
		next = old + (int64(d)-old)/8
	}
	l.latency.CompareAndSwap(old, max(next, 1))
}
