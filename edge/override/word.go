package override

import (
	"errors"
	"fmt"
	"time"

	"github.com/wedge-lb/wedge/edge/balance"
)

// A Word is an operator's word about one backend, which may be one that the configuration does not have now.
type Word struct {
	Pool     string    `json:"pool"`
	Backend  string    `json:"backend"`
	State    string    `json:"state,omitempty"`   // as balance.ParseCondition has it; "" = the configured one
	Weight   uint32    `json:"weight,omitempty"`  // 0 = the configured one
	Since    time.Time `json:"since"`             // last changed
	Until    time.Time `json:"until,omitzero"`    // ends by itself; zero = when it is taken back
	Deadline time.Time `json:"deadline,omitzero"` // the backend's streams end; zero = they need not
	Absent   time.Time `json:"absent,omitzero"`   // since when there is no such backend
}

// A Change is what an operator wants changed. A state brings its own times; without one they stay.
type Change struct {
	State    string         // "" = as it is
	Weight   *uint32        // nil = as it is; 0 = the configured one
	TTL      time.Duration  // 0 = as it is
	Deadline *time.Duration // nil = as it is
}

const (
	absentFor = 24 * time.Hour // a word without a time to live is kept for a backend that left
	maxWeight = 1000
	maxName   = 1024 // bytes
)

// ErrDeadline is when a deadline is wanted for a backend that is not told to drain, nor in maintenance.
var ErrDeadline = errors.New("a deadline is of drain and maintenance only")

func (w *Word) change(c Change, now time.Time) error {
	w.Since = now
	if c.State != "" {
		w.State, w.Until, w.Deadline = c.State, time.Time{}, time.Time{}
	}
	if c.Weight != nil {
		w.Weight = *c.Weight
	}
	if c.TTL != 0 {
		w.Until = now.Add(c.TTL)
	}
	if c.Deadline != nil {
		w.Deadline = now.Add(*c.Deadline)
	}
	if w.empty() {
		return nil
	}
	return w.check()
}

// empty tells whether nothing is left of w.
func (w *Word) empty() bool { return w.State == "" && w.Weight == 0 }

func (w *Word) check() error {
	c, known := balance.ParseCondition(w.State)
	switch {
	case w.Pool == "" || w.Backend == "" || len(w.Pool) > maxName || len(w.Backend) > maxName:
		return fmt.Errorf("pool and backend: want names of at most %d bytes", maxName)
	case w.empty():
		return errors.New("neither state nor weight")
	case w.State != "" && !known:
		return fmt.Errorf("state %q is none", w.State)
	case w.Weight > maxWeight:
		return fmt.Errorf("weight %d: at most %d", w.Weight, maxWeight)
	case !w.Deadline.IsZero() && (w.State == "" || c == balance.Ready):
		return ErrDeadline
	}
	return nil
}

// balance is what w says at a time: past the deadline nothing is sent any more, whoever is pinned.
func (w *Word) balance(now time.Time) balance.Override {
	o := balance.Override{Weight: w.Weight}
	if c, ok := balance.ParseCondition(w.State); ok {
		if w.late(now) {
			c = balance.Maintenance
		}
		o.Condition = &c
	}
	return o
}

// late tells whether the deadline has passed.
func (w *Word) late(now time.Time) bool { return !w.Deadline.IsZero() && !now.Before(w.Deadline) }

// over tells why w has ended, "" if it has not.
func (w *Word) over(now time.Time) string {
	switch {
	case !w.Until.IsZero() && !now.Before(w.Until):
		return "its time to live is over"
	case w.Until.IsZero() && !w.Absent.IsZero() && now.Sub(w.Absent) >= absentFor:
		return "its backend left long ago"
	}
	return ""
}

// came notes whether there is such a backend; it is true if that has changed.
func (w *Word) came(present bool, now time.Time) bool {
	switch {
	case present && !w.Absent.IsZero():
		w.Absent = time.Time{}
	case !present && w.Absent.IsZero():
		w.Absent = now
	default:
		return false
	}
	return true
}
