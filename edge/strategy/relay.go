package strategy

import "github.com/wedge-lb/wedge/edge/balance"

// A Relay is a Handle with another picker behind it, for the requests that the strategy faults at and for the time
// of its quarantine.
type Relay struct {
	*Handle
	relief balance.Picker
}

// RelievedBy gives a picker that is h, and p where h cannot decide.
func (h *Handle) RelievedBy(p balance.Picker) *Relay { return &Relay{h, p} }

// Relief implements balance.Relieved.
func (r *Relay) Relief() balance.Picker { return r.relief }

// Observe tells the strategy how a request went, or who decides while it is in quarantine.
func (r *Relay) Observe(result *balance.Result) {
	if !r.outage.active.Load() {
		r.Handle.Observe(result)
		return
	}
	if o, ok := r.relief.(balance.Observer); ok {
		o.Observe(result)
	}
}
