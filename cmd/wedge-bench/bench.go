package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

// A bout is a scenario with those that take part in it.
type bout struct {
	*scenario
	list  []contender
	notes []string
}

// bench measures what o asks for and writes a report. The error says what cannot be relied on.
func bench(ctx context.Context, o options, out, notices io.Writer) (err error) {
	if o.wedge != "" {
		if _, err := os.Stat(o.wedge); err != nil {
			return fmt.Errorf("%w; make build builds it", err)
		}
	}
	bouts, err := bouts(o)
	if err != nil {
		return err
	}
	if o.duration == 0 {
		o.duration = windowFor(bouts, o.rounds, o.within)
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, o.within+slack, errOverdue)
		defer cancel()
	}
	r := &report{Machine: thisMachine(), Rounds: o.rounds, Window: o.duration.Seconds()}
	a, closeArena, err := openArena(ctx, o, notices)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeArena()) }()
	if !o.json {
		r.writeHead(out)
	}
	faults := a.playAll(ctx, bouts, r, out)
	if o.json {
		faults = errors.Join(faults, r.writeJSON(out))
	}
	return faults
}

// playAll plays one bout after the other; text is written as it comes.
func (a *arena) playAll(ctx context.Context, bouts []bout, r *report, out io.Writer) error {
	var faults []error
	for _, b := range bouts {
		a.tell("%s  %s", b.letter, b.title)
		o, err := a.play(ctx, b.scenario, b.list)
		if ctx.Err() != nil {
			return errors.Join(append(faults, fmt.Errorf("scenario %s: %w", b.letter, context.Cause(ctx)))...)
		}
		o.Notes = append(o.Notes, b.notes...)
		r.Scenarios = append(r.Scenarios, o)
		if err == nil {
			err = o.fault()
		} else {
			err = fmt.Errorf("scenario %s: %w", b.letter, err)
		}
		faults = append(faults, err)
		if !a.opt.json {
			o.write(out)
		}
	}
	return errors.Join(faults...)
}

func bouts(o options) ([]bout, error) {
	var all []bout
	for _, letter := range o.scenarios {
		s := findScenario(letter)
		list, notes, err := contenders(s, o)
		if err != nil {
			return nil, err
		}
		if len(list) > 0 {
			all = append(all, bout{s, list, notes})
		}
	}
	if all == nil {
		return nil, errors.New("nobody to measure: no edge, and none of the peers is installed")
	}
	return all, nil
}

// What things take besides windows, roughly.
const (
	startCost  = time.Second            // a contender's start and end
	loadCost   = 200 * time.Millisecond // a load's start and end, and reading what it wrote
	memoryCost = 26 * time.Second       // a round of the scenario that measures memory
	slack      = 30 * time.Second       // by which within may be exceeded before everything ends
)

var errOverdue = errors.New("not done in time; ask for fewer scenarios or rounds, or a shorter -duration")

// windowFor is the longest window with which everything fits into within.
func windowFor(bouts []bout, rounds int, within time.Duration) time.Duration {
	var fixed time.Duration
	windows := 0
	for _, b := range bouts {
		n := len(b.list) * rounds
		fixed += time.Duration(len(b.list)) * startCost
		if b.load == nil {
			fixed += time.Duration(n) * memoryCost
			continue
		}
		windows += n
		fixed += time.Duration(n) * (lead + after + loadCost)
	}
	if windows == 0 {
		return maxWindow
	}
	fits := (within - fixed) / time.Duration(windows)
	return min(maxWindow, max(minWindow, fits.Truncate(100*time.Millisecond)))
}
