package balance

import (
	"errors"
	"math/bits"
	"time"
)

// ErrNoBackend is when no backend of the pool may be used for the request.
var ErrNoBackend = errors.New("no backend available")

// ErrFull is when the backends that may be used for the request have no room for it.
var ErrFull = errors.New("no backend with room")

// A Chooser asks a Picker, holds its choice to the rules, and decides itself where the Picker cannot: power of
// two choices on requests in flight, weighted (Mitzenmacher, "The Power of Two Choices in Randomized Load
// Balancing", 2001). It cannot fail while one backend is available. It is safe for concurrent use if Random is.
type Chooser struct {
	Random func() uint64 // uniform
}

// A Blamed is a Picker that wants to hear of its bad picks: backends that are out of range, not available or
// tried already, though the table that it was given said so. BadPick is called concurrently.
type Blamed interface {
	BadPick()
}

// A Relieved is a Picker with another behind it, which is asked for the requests that the first faults at.
type Relieved interface {
	Relief() Picker // nil = none
}

// OnFault is the Reason of a choice that a Relief made.
const OnFault = "on_fault"

// Choose fills d with p's choice, or with its relief's if p fails, or with the fallback's if there is neither or
// they abstain. A backend that is full is passed over, unless the request is pinned to it. The error is nil,
// ErrNoBackend or ErrFull, with which d.Backend is the one that the request is pinned to and should wait for; nil =
// it may wait for any.
func (c *Chooser) Choose(p Picker, r *Request, s *Set, d *Decision) error {
	d.Reset()
	if p == nil {
		return c.fallback(r, s, d)
	}
	stands, err := c.ask(p, r, s, d)
	if stands || err != nil {
		return err
	}
	for p = relief(p, d); p != nil; p = relief(p, d) {
		spent := d.Elapsed
		d.Reset()
		stands, err = c.ask(p, r, s, d)
		if d.Elapsed += spent; stands && d.Reason != full {
			d.Reason = OnFault
		}
		if stands || err != nil {
			return err
		}
	}
	return c.fallback(r, s, d)
}

// relief is who is to be asked after p, whose choice did not stand.
func relief(p Picker, d *Decision) Picker {
	if r, ok := p.(Relieved); ok && (d.Reason == faulted || d.Reason == badPick) {
		return r.Relief()
	}
	return nil
}

// The reasons why a picker's choice is none.
const (
	faulted = "fault"
	badPick = "bad_pick"
)

// ask is true if d holds a choice that stands.
func (c *Chooser) ask(p Picker, r *Request, s *Set, d *Decision) (bool, error) {
	err := c.pick(p, r, s, d)
	if err != nil {
		d.Reason, d.Pin = faulted, false
		return false, nil
	}
	switch d.Verdict {
	case Route:
		if !accept(p, r, s, d) {
			return false, nil
		}
		return fit(r, s, d)
	case Reject, Respond:
		d.Outcome = Rejected
		return true, nil
	}
	d.Reason, d.Pin = "abstained", false
	return false, nil
}

// fit replaces a choice that has no room by the first spare that has. Only who is pinned waits.
func fit(r *Request, s *Set, d *Decision) (bool, error) {
	pinned := r.PinnedTo(d.Backend)
	switch {
	case !d.Backend.Full(pinned):
		return true, nil
	case pinned:
		return false, ErrFull
	}
	d.Reason = full
	for _, b := range d.Spares {
		if b = s.Find(b.ID); b != nil && s.Available(b, false) && !r.excludes(b.ID) && !b.Full(false) {
			d.Backend = b
			return true, nil
		}
	}
	return false, nil
}

// full is the reason of a choice that another had no room for.
const full = "full"

// pick looks at the clock only if it is asked to: twice that costs as much as a pick.
func (c *Chooser) pick(p Picker, r *Request, s *Set, d *Decision) error {
	if !r.Timed {
		return p.Pick(r, s, d)
	}
	start := time.Now()
	err := p.Pick(r, s, d)
	d.Elapsed = time.Since(start)
	return err
}

// accept holds a picker's choice to the rules.
func accept(p Picker, r *Request, s *Set, d *Decision) bool {
	b := d.Backend
	stale := b != nil && s.Row(b.Index) != b
	if stale {
		b = s.Find(b.ID) // the picker saw the table before this one
	}
	pinned := b != nil && r.PinnedTo(b)
	if b == nil || !s.Available(b, pinned) || r.excludes(b.ID) {
		if blamed, ok := p.(Blamed); ok && !stale {
			blamed.BadPick()
		}
		d.Reason, d.Pin = badPick, d.Pin && stale // the wish for a pin holds; who it is for has left
		return false
	}
	d.Backend = b
	switch {
	case pinned:
		d.Outcome, d.Reason = Hit, "pinned"
	case r.Pinned != nil:
		d.Outcome, d.Reason = Repick, "pin_not_used"
	default:
		d.Outcome, d.Reason = New, "chosen"
	}
	return true
}

func (c *Chooser) fallback(r *Request, s *Set, d *Decision) error {
	d.Verdict, d.Backend = Route, nil
	if d.Reason == "" {
		d.Reason = "no_strategy"
	}
	d.Outcome = Fallback
	if b := r.Pinned; b != nil && d.Reason != full {
		if b = s.Find(b.ID); b != nil && s.Available(b, true) && !r.excludes(b.ID) {
			if d.Backend = b; b.Full(true) {
				return ErrFull
			}
			return nil
		}
	}
	switch d.Backend = c.twoChoices(r, s); {
	case d.Backend != nil:
		return nil
	case s.anyFor(r):
		d.Reason = full
		return ErrFull
	}
	d.Outcome, d.Reason = Rejected, "no_backend"
	return ErrNoBackend
}

// anyFor tells whether a new request may go to a backend, if there were room.
func (s *Set) anyFor(r *Request) bool {
	for _, i := range s.open {
		if !r.excludes(s.Backends[i].ID) {
			return true
		}
	}
	return false
}

// twoChoices draws two distinct open backends by weight and takes the less busy for its weight.
func (c *Chooser) twoChoices(r *Request, s *Set) *Backend {
	first := c.draw(r, s, nil)
	if first == nil {
		return nil
	}
	second := c.draw(r, s, first)
	if second == nil || !busier(first, second) {
		return first
	}
	return second
}

// busier compares requests in flight for the weight. Counting the new request in would give all of the requests
// of a quiet pool to the heaviest backend; as it is, a tie leaves the weighted draw its say.
func busier(a, b *Backend) bool {
	return uint64(a.load.InFlight())*uint64(b.Effective) > uint64(b.load.InFlight())*uint64(a.Effective)
}

// draw gives a random open backend with room, by weight, that is neither tried already nor other; nil if there
// is none.
func (c *Chooser) draw(r *Request, s *Set, other *Backend) *Backend {
	const tries = 4 // a few draws keep the weights; after them any that fits
	n := len(s.open)
	if n == 0 {
		return nil
	}
	at := 0
	for range tries {
		hi, _ := bits.Mul64(c.Random(), s.weights[n-1])
		at = s.search(hi)
		if b := &s.Backends[s.open[at]]; b != other && !r.excludes(b.ID) && !b.Full(false) {
			return b
		}
	}
	for i := range n {
		b := &s.Backends[s.open[(at+i)%n]]
		if b != other && !r.excludes(b.ID) && !b.Full(false) {
			return b
		}
	}
	return nil
}

// search is the first place whose running total is over x.
func (s *Set) search(x uint64) int {
	lo, hi := 0, len(s.weights)-1
	for lo < hi {
		if mid := (lo + hi) / 2; s.weights[mid] > x {
			hi = mid
		} else {
			lo = mid + 1
		}
	}
	return lo
}
