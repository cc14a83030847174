package sdktest

import (
	"encoding/binary"
	"slices"
	"time"

	"github.com/wedge-lb/wedge/sdk/abi"
)

// Decision is what a strategy decided, as the edge would understand it.
type Decision struct {
	Verdict     abi.Verdict
	Backend     string // id, of a route
	Pin         bool
	Bad         string      // why the edge would not follow a route: out of range, not available, excluded
	Status      int         // of a reject or a respond
	ContentType string      // of a respond
	Body        string      // of a respond
	Spares      []string    // ids; valid until the next pick
	Headers     [][2]string // added to the response; valid until the next pick
}

func (h *Host) decision(code abi.Decision, r *Request) Decision {
	d := h.answered
	d.Verdict = code.Verdict()
	switch d.Verdict {
	case abi.VerdictRoute:
		d.Backend, d.Pin, d.Bad = h.id(code.Backend()), code.Pin(), h.bad(code.Backend(), r)
	case abi.VerdictReject:
		if d.Status = int(code.Status()); d.Status == 0 {
			d.Status = abi.DefaultRejectStatus
		}
	}
	return d
}

// bad says why the edge would not send a request to a row; empty if it would.
func (h *Host) bad(backend uint32, r *Request) string {
	if int(backend) >= len(h.table) {
		return "out of range"
	}
	return refusal(h.table, h.table[backend], r)
}

// refusal says why the edge would not send a request to a backend of the table; empty if it would.
func refusal(table []Backend, b Backend, r *Request) string {
	switch {
	case slices.Contains(r.Excluded, b.ID):
		return "excluded"
	case open(table, b, r.Pinned == b.ID):
		return ""
	}
	return "not available: " + b.State.String()
}

// open tells whether a backend may be given a request that is pinned to it, or is not.
func open(table []Backend, b Backend, pinned bool) bool {
	switch b.State {
	case abi.StateReady:
		return true
	case abi.StateDraining:
		return pinned || !slices.ContainsFunc(table, func(b Backend) bool { return b.State == abi.StateReady })
	}
	return false
}

// Outcome is how a request ended.
type Outcome struct {
	Backend string // id
	Status  int
	Attempt int
	Flags   abi.OutcomeFlag
	Head    time.Duration
	Total   time.Duration
}

func (o Outcome) frame(index func(string) int) []byte {
	frame := make([]byte, abi.OutcomeSize)
	put32(frame, abi.OutcomeBackend, uint32(index(o.Backend)))
	put32(frame, abi.OutcomeStatus, uint32(o.Status))
	put32(frame, abi.OutcomeFlags, uint32(o.Flags))
	put32(frame, abi.OutcomeAttempt, uint32(o.Attempt))
	binary.LittleEndian.PutUint64(frame[abi.OutcomeHead:], uint64(o.Head))
	binary.LittleEndian.PutUint64(frame[abi.OutcomeTotal:], uint64(o.Total))
	return frame
}
