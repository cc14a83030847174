package admin

import (
	"fmt"
	"net/http"
	"time"
)

// A Change is what an operator wants of one backend.
type Change struct {
	State    string         // one of the states; "" = as it is
	Weight   *uint32        // nil = as it is; 0 = the configured one
	TTL      time.Duration  // the override ends by itself after it; 0 = when it is taken back
	Deadline *time.Duration // streams end after it, with StateDrain and StateMaintenance only; nil = they need not
}

// Override is an operator's word about one backend.
type Override struct {
	Pool     string    `json:"pool"`
	Backend  string    `json:"backend"`
	State    string    `json:"state,omitempty"`  // asked for; "" = the configured one
	Weight   uint32    `json:"weight,omitempty"` // asked for; 0 = the configured one
	Since    time.Time `json:"since"`
	Until    time.Time `json:"until,omitzero"`    // when it ends by itself; zero = when it is taken back
	Deadline time.Time `json:"deadline,omitzero"` // when the backend's streams end; zero = they need not
	Known    bool      `json:"known"`             // the configuration has the backend
	Unsaved  string    `json:"unsaved,omitempty"` // why it would not survive a restart
}

// The bounds of a Change.
const (
	minTTL      = time.Second
	maxTTL      = 8760 * time.Hour
	maxDeadline = 24 * time.Hour
	maxWeight   = 1000
)

// A wireChange is a Change in JSON.
type wireChange struct {
	State    string  `json:"state,omitempty" want:"text such as \"drain\""`
	Weight   *uint32 `json:"weight,omitempty" want:"a whole number, 1 to 1000, or 0 for the configured weight"`
	TTL      string  `json:"ttl,omitempty" want:"text such as \"1h30m\""`
	Deadline string  `json:"deadline,omitempty" want:"text such as \"30s\""`
}

func (c Change) wire() wireChange {
	w := wireChange{State: c.State, Weight: c.Weight}
	if c.TTL != 0 {
		w.TTL = c.TTL.String()
	}
	if c.Deadline != nil {
		w.Deadline = c.Deadline.String()
	}
	return w
}

// change reads w; the error lists every member that is wrong.
func (w wireChange) change() (Change, error) {
	c := Change{State: w.State, Weight: w.Weight}
	var faults []Fault
	wrong := func(place, format string, args ...any) {
		faults = append(faults, Fault{Place: place, Message: fmt.Sprintf(format, args...)})
	}
	switch w.State {
	case StateReady, StateDrain, StateMaintenance, StateConfigured:
	case "":
		if w.Weight == nil && w.TTL == "" && w.Deadline == "" {
			wrong("state", `missing, and so is weight; as in {"state": "drain"}`)
		}
	default:
		wrong("state", "%q is none: want ready, drain, maintenance or configured", w.State)
	}
	if w.Weight != nil && *w.Weight > maxWeight {
		wrong("weight", "%d: want 1 to %d, or 0 for the configured one", *w.Weight, maxWeight)
	}
	if w.TTL != "" {
		var ok bool
		if c.TTL, ok = span(w.TTL, minTTL, maxTTL); !ok {
			wrong("ttl", "%q: want 1s to 8760h, as in 1h30m", w.TTL)
		}
	}
	if w.Deadline != "" {
		d, ok := span(w.Deadline, 0, maxDeadline)
		if c.Deadline = &d; !ok {
			wrong("deadline", "%q: want 0s to 24h, as in 30s", w.Deadline)
		}
	}
	if len(faults) == 0 {
		c.combine(wrong)
	}
	return c, refusedChange(faults)
}

// combine tells which members do not go together.
func (c Change) combine(wrong func(place, format string, args ...any)) {
	if c.State == StateConfigured {
		const whole = "state configured takes the whole override back; leave it out"
		if c.Weight != nil {
			wrong("weight", whole)
		}
		if c.TTL != 0 {
			wrong("ttl", whole)
		}
	}
	if c.Deadline == nil {
		return
	}
	if c.State == StateReady || c.State == StateConfigured {
		wrong("deadline", "only with state drain or maintenance")
	}
	if c.TTL != 0 && *c.Deadline >= c.TTL {
		wrong("deadline", "%s is not before the end of the override, ttl %s", *c.Deadline, c.TTL)
	}
}

func span(text string, least, most time.Duration) (time.Duration, bool) {
	d, err := time.ParseDuration(text)
	return d, err == nil && d >= least && d <= most
}

func refusedChange(faults []Fault) error {
	if len(faults) == 0 {
		return nil
	}
	p := newProblem(http.StatusBadRequest, "the change is not taken", "mend it and try again; nothing has changed")
	p.Faults = faults
	return p
}

func (s *Server) patchBackend(r *http.Request) (any, error) {
	pool, id := r.PathValue("p"), r.PathValue("b")
	_, unknown := s.backend(r)
	kept := s.overridden(pool, id)
	if unknown != nil && !kept {
		return nil, unknown
	}
	var body wireChange
	if err := readJSON(r, &body, maxPatch, `{"state": "drain"}`); err != nil {
		return nil, err
	}
	change, err := body.change()
	switch {
	case err != nil:
		return nil, err
	case unknown != nil && change.State != StateConfigured:
		return nil, unknown
	}
	if err := s.control.Override(pool, id, change); err != nil {
		return nil, err
	}
	if unknown != nil {
		return Backend{ID: id, State: StateAbsent}, nil
	}
	return s.backend(r)
}

// overridden tells whether there is an override of the backend, which the configuration may not have.
func (s *Server) overridden(pool, id string) bool {
	for _, o := range s.control.Overrides() {
		if o.Pool == pool && o.Backend == id {
			return true
		}
	}
	return false
}

func (s *Server) overrides(*http.Request) (any, error) { return list(s.control.Overrides()), nil }
