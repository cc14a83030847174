package affinity

import (
	"sync/atomic"
	"time"
)

// A Loss is why a pinned client cannot have its backend.
type Loss uint8

const (
	Unknown Loss = iota // the configuration does not have it, or has it no more
	Down                // it is there and cannot serve
	losses
)

var lossNames = [...]string{"unknown", "down"}

// lossReasons are what a decision says of a loss, by policy.
var lossReasons = [...][losses]string{
	Repin:  {"repin_unknown", "repin_down"},
	Borrow: {"repin_unknown", "borrow_down"}, // no pin can stay with a backend that is not there
	Fail:   {"pinned_backend_unknown", "pinned_backend_down"},
}

// tally counts losses by reason. It outlives configurations.
type tally [len(lossReasons)][losses]atomic.Uint64

// Lose counts that a request's backend was lost.
func (a *Affinity) Lose(l Loss) { a.lost[a.onLoss][l].Add(1) }

// Reason is what the log says of a loss.
func (a *Affinity) Reason(l Loss) string { return lossReasons[a.onLoss][l] }

// EachLoss gives how often clients lost their backends: action is repin, borrow or fail, cause unknown or
// down.
func (a *Affinity) EachLoss(emit func(action, cause string, n uint64)) {
	for l, cause := range lossNames {
		repinned := a.lost[Repin][l].Load()
		if Loss(l) == Unknown {
			repinned += a.lost[Borrow][l].Load()
		} else {
			emit("borrow", cause, a.lost[Borrow][l].Load())
		}
		emit("repin", cause, repinned)
		emit("fail", cause, a.lost[Fail][l].Load())
	}
}

// Honoured notes that the client of a valid token was served by the backend that the token names.
func (a *Affinity) Honoured(t *Token, now time.Time) {
	if a != nil {
		a.census.seen(t, now)
	}
}

// Pins is the number of clients that are pinned to a backend: those that came back to it with a token within
// the idle time, estimated (see Recent), and the sessions of the table. A client that was only given a token
// does not count yet.
func (a *Affinity) Pins(backend string, now time.Time) int {
	if a == nil {
		return 0
	}
	n := a.census.count(backend, now)
	if a.sessions != nil {
		n += a.sessions.table.Count(backend)
	}
	return n
}
