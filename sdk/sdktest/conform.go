package sdktest

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"

	"github.com/wedge-lb/wedge/sdk/abi"
)

// A Subject is a strategy under test, wherever it runs: a *Host runs it natively, package plugintest of the
// edge runs a module. It may also be an io.Closer, and have the method Observe of *Host.
type Subject interface {
	Configure(options string) error
	SetBackends(list ...Backend) error
	Pick(r Request) Decision
}

// Pins is what a strategy does with a request whose client is pinned.
type Pins int

// What a strategy may do with pins.
const (
	PinsEither   Pins = iota // all of one or all of the other
	PinsHonoured             // it chooses the pinned backend whenever that may be given
	PinsIgnored              // it chooses as if there were none
)

// Traits are what a strategy promises beyond what every strategy has to. The zero value promises nothing.
type Traits struct {
	Options string // JSON for Configure

	// Client makes the request of client n, the same at each call. The default tells clients apart by address,
	// path and country, but has no header, cookie or parameter.
	Client func(n int) Request

	// Spread, if not 0, promises that each available backend gets the share of its weight of many clients, give
	// or take this part of it and what chance allows.
	Spread float64
	Even   bool // Spread is of equal shares, whatever the weights

	// Sticky promises that a client stays where it is while that backend is ready, whatever happens to others;
	// Moves is the part of the clients that may move all the same when the table changes.
	Sticky bool
	Moves  float64

	Pins Pins
}

// Conform holds a strategy to what every strategy has to do, and to its traits: one subtest for each
// property. One that fails shows the smallest counter-example found. open makes a new subject each time, as
// if it were the first: with the same random numbers.
func Conform(t *testing.T, open func(testing.TB) Subject, traits Traits) {
	t.Helper()
	for _, p := range properties() {
		if !p.promised(traits) {
			continue
		}
		t.Run(p.name, func(t *testing.T) {
			c := newConformity(func() Subject { return open(t) }, traits)
			if err := c.check(p); err != nil {
				t.Error(err)
			}
		})
	}
}

// Check is Conform without a test: the error joins one for each property that fails.
func Check(open func() Subject, traits Traits) error {
	c := newConformity(open, traits)
	var errs []error
	for _, p := range properties() {
		if p.promised(traits) {
			errs = append(errs, c.check(p))
		}
	}
	return errors.Join(errs...)
}

// conformity checks one strategy.
type conformity struct {
	open   func() Subject
	traits Traits
}

func newConformity(open func() Subject, traits Traits) *conformity {
	if traits.Client == nil {
		traits.Client = anyClient
	}
	return &conformity{open, traits}
}

// check tries a property on each of its trials; the error is of the first that fails, shrunk.
func (c *conformity) check(p property) error {
	for _, t := range p.trials(c.traits) {
		if wrong := p.holds(c, t); wrong != "" {
			t, wrong = c.shrink(p, t, wrong)
			return fmt.Errorf("%s: %s\n%s", p.name, wrong, t)
		}
	}
	return nil
}

// run puts a new subject through a trial and gives its decisions by step; wrong tells what no strategy
// may do.
func (c *conformity) run(t trial) (got [][]Decision, wrong string) {
	s := c.open()
	if closer, ok := s.(io.Closer); ok {
		defer func() {
			if err := closer.Close(); err != nil && wrong == "" {
				wrong = "close: " + err.Error()
			}
		}()
	}
	if err := s.Configure(c.traits.Options); err != nil {
		return nil, err.Error()
	}
	for n, step := range t {
		if err := s.SetBackends(step.table...); err != nil {
			return nil, fmt.Sprintf("table %d: %v", n+1, err)
		}
		list, wrong := picks(s, step)
		if wrong != "" {
			return nil, fmt.Sprintf("table %d, %s", n+1, wrong)
		}
		got = append(got, list)
	}
	return got, ""
}

// observer is a Subject that hears of outcomes.
type observer interface{ Observe(Outcome) }

func picks(s Subject, step step) (got []Decision, wrong string) {
	hears, _ := s.(observer)
	at := 0
	defer func() {
		if p := recover(); p != nil {
			wrong = fmt.Sprintf("request %d: panic: %v", at, p)
		}
	}()
	for n, r := range step.requests {
		at++
		d := s.Pick(r)
		if why := unsound(step.table, r, d); why != "" {
			return nil, fmt.Sprintf("request %d: %s", n+1, why)
		}
		d.Spares, d.Headers = nil, nil // they are valid until the next pick only
		got = append(got, d)
		if step.outcomes && hears != nil && d.Verdict == abi.VerdictRoute {
			hears.Observe(ending(n, d.Backend))
		}
	}
	return got, ""
}

// unsound tells what is wrong with a decision whatever the strategy is.
func unsound(table []Backend, r Request, d Decision) string {
	if d.Bad != "" {
		return fmt.Sprintf("%q: %s", d.Backend, d.Bad)
	}
	switch d.Verdict {
	case abi.VerdictRoute:
		i := slices.IndexFunc(table, func(b Backend) bool { return b.ID == d.Backend })
		if i < 0 {
			return fmt.Sprintf("%q: not in the table", d.Backend)
		}
		if why := refusal(table, table[i], &r); why != "" {
			return fmt.Sprintf("%q: %s", d.Backend, why)
		}
	case abi.VerdictAbstain:
	case abi.VerdictReject:
		if d.Status < 400 || d.Status > 599 {
			return fmt.Sprintf("reject with status %d", d.Status)
		}
	case abi.VerdictRespond:
		if d.Status < 200 || d.Status > 599 {
			return fmt.Sprintf("respond with status %d", d.Status)
		}
	default:
		return fmt.Sprintf("verdict %d", d.Verdict)
	}
	return ""
}
