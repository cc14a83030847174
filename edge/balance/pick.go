package balance

import (
	"net/netip"
	"time"
)

// A Picker chooses one backend of a pool for a request and writes the choice into d, which is empty. It is
// called concurrently and must not retain r or d. An error means it could not choose (the reason is for the
// log); the fallback then decides.
type Picker interface {
	Pick(r *Request, s *Set, d *Decision) error
}

// An Observer is a Picker that wants to hear how its requests went. It must not retain r.
type Observer interface {
	Observe(r *Result)
}

// Header finds a request's field by its lower-case name.
type Header interface {
	Get(name string) ([]byte, bool)
}

// A RepeatedHeader is a Header whose fields can have several lines, such as the parts of a Cookie field in
// HTTP/2 and HTTP/3 (RFC 9113, section 8.2.3).
type RepeatedHeader interface {
	Header
	// Next is the first field called name at place from or after it, and the place to go on from, which
	// is 0 if there is no such field. It starts with from 0.
	Next(name string, from int) (value []byte, next int)
}

// A Locator knows the country of an address. Pickers ask it only if they want to know: most do not.
type Locator interface {
	// Country is the ISO 3166 code; "" = it is not known. It is called concurrently.
	Country(a netip.Addr) string
}

// A Request is what a Picker may know of a request. Slices are valid during the pick only.
type Request struct {
	Attempt  uint32     // from 0
	Timed    bool       // the Decision is to tell how long it took
	Pinned   *Backend   // the backend a valid affinity token names; nil = none
	Excluded []*Backend // tried already
	ClientIP netip.Addr // after trusted proxies
	Method   []byte
	Scheme   []byte
	Path     []byte // normalised as for routing
	Query    []byte
	HasQuery bool

	Authority []byte
	Header    Header
	Protocol  string // h1, h2, h3
	SNI       string
	Country   string // ISO 3166 code; "" = ask Locator
	Locator   Locator
	Route     string // name of the route
}

// Located is the client's country; "" = it is not known.
func (r *Request) Located() string {
	if r.Country == "" && r.Locator != nil {
		return r.Locator.Country(r.ClientIP)
	}
	return r.Country
}

// PinnedTo tells whether b is the backend that the request is pinned to.
func (r *Request) PinnedTo(b *Backend) bool { return r.Pinned != nil && r.Pinned.ID == b.ID }

// excludes tells whether id was tried already.
func (r *Request) excludes(id string) bool {
	for _, b := range r.Excluded {
		if b.ID == id {
			return true
		}
	}
	return false
}

// A Verdict is what a strategy wants done.
type Verdict uint8

const (
	Route   Verdict = iota // send it to Backend
	Abstain                // let the fallback choose
	Reject                 // answer with Status
	Respond                // answer with Status and Body
)

// An Outcome classes a decision, for metrics and logs.
type Outcome uint8

const (
	New      Outcome = iota // chosen by the strategy
	Hit                     // the pin was honoured
	Repick                  // there was a pin, another was chosen
	Fallback                // chosen by the edge itself
	Rejected                // no backend: refused, answered, or none available
	outcomes
)

// Outcomes is how many outcomes there are.
const Outcomes = int(outcomes)

var outcomeNames = [...]string{"new", "hit", "repick", "fallback", "rejected"}

func (o Outcome) String() string { return outcomeNames[o] }

// A HeaderLine is a field that a strategy adds to the response.
type HeaderLine struct{ Name, Value []byte }

// A Decision is what was chosen and why. The caller owns it and reuses its memory by Reset.
type Decision struct {
	Verdict Verdict
	Backend *Backend   // for Route
	Spares  []*Backend // next best, in order
	Pin     bool       // issue or refresh the affinity token of the backend that answers
	Status  int        // for Reject and Respond

	Header      []HeaderLine // added to the answer; slices are the Decision's own memory
	ContentType []byte
	Body        []byte

	Outcome  Outcome
	Reason   string        // one of a few constants
	Strategy string        // who decided; "" = the edge itself
	Digest   string        // of the plugin that decided, short
	Elapsed  time.Duration // that the Picker took, if the Request is Timed

	mem []byte
}

// Reset empties d and keeps its memory.
func (d *Decision) Reset() {
	*d = Decision{Spares: d.Spares[:0], Header: d.Header[:0], Body: d.Body[:0], mem: d.mem[:0]}
}

// Keep copies b into memory that d owns until its next Reset.
func (d *Decision) Keep(b []byte) []byte {
	start := len(d.mem)
	d.mem = append(d.mem, b...)
	return d.mem[start:len(d.mem):len(d.mem)]
}
