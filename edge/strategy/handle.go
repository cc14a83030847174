package strategy

import (
	"errors"

	"github.com/wedge-lb/wedge/edge/balance"
	"github.com/wedge-lb/wedge/edge/plugin"

	"sync/atomic"
)

// ErrNotServing is when no generation of the strategy serves the pool.
var ErrNotServing = errors.New("strategy does not serve the pool")

// ErrQuarantined is when the strategy failed too often and is not asked for a while.
var ErrQuarantined = errors.New("strategy quarantined")

// A Handle picks for one pool by whatever generation of the strategy serves. It implements balance.Picker,
// balance.Observer and balance.Blamed.
type Handle struct {
	serving atomic.Pointer[serving]
	owner   *Strategy
	outage  *quarantine
}

// serving is what a pick needs to know of the generation that serves.
type serving struct {
	guests   *plugin.Guests
	name     string
	digest   string
	observes bool
}

// Pick asks the generation that serves.
func (h *Handle) Pick(r *balance.Request, set *balance.Set, d *balance.Decision) error {
	for {
		now := h.serving.Load()
		if now == nil {
			return ErrNotServing
		}
		if h.outage.active.Load() {
			return ErrQuarantined
		}
		err := now.guests.Pick(r, set, d)
		if err == nil {
			now.sign(d)
			return nil
		}
		if !errors.Is(err, plugin.ErrClosed) || h.serving.Load() == now {
			return err
		} // it was swapped out between the load and the pick: the next one serves
	}
}

// sign puts the strategy's name to a decision that is one.
func (v *serving) sign(d *balance.Decision) {
	if d.Verdict != balance.Abstain && (d.Verdict != balance.Route || d.Backend != nil) {
		d.Strategy, d.Digest = v.name, v.digest
	}
}

// Observe tells the generation that serves how a request went, if it wants to know.
func (h *Handle) Observe(r *balance.Result) {
	if now := h.serving.Load(); now != nil && now.observes && !h.outage.active.Load() {
		now.guests.Observe(r)
	}
}

// Observes tells whether Observe does anything at present.
func (h *Handle) Observes() bool {
	now := h.serving.Load()
	return now != nil && now.observes
}

// BadPick counts a choice that could not be taken as a fault of the plugin.
func (h *Handle) BadPick() {
	h.owner.fault(&plugin.Fault{Kind: plugin.BadPick, Step: "pick", Text: badPick})
}

const badPick = "chose a backend that is out of range, not available or tried already"
