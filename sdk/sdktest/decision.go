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
	b := h.table[backend]
	switch {
	case slices.Contains(r.Excluded, b.ID):
		return "excluded"
	case b.State == abi.StateReady:
		return ""
	case b.State == abi.StateDraining && (r.Pinned == b.ID || !h.anyReady()):
		return ""
	}
	return "not available: " + b.State.String()
}

func (h *Host) anyReady() bool {
	return slices.ContainsFunc(h.table, func(b Backend) bool { return b.State == abi.StateReady })
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
