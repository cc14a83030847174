package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// An arena is where contenders meet: backends, certificate, folder.
type arena struct {
	opt      options
	dir      string
	program  string // this one
	pair     keyPair
	backends []string                                  // host:port
	requests func(ctx context.Context) (uint64, error) // that they were sent up to now
	calm     time.Duration                             // without memory given back: then it is at rest
	notices  io.Writer                                 // what goes on
}

// calm is longer than the edge may take to give memory back once a burst is over (edge.keepMemory): ten seconds
// since the last time, and a few to see that it is quiet.
const calm = 13 * time.Second

// openArena starts what all scenarios share, and gives what ends it.
func openArena(ctx context.Context, o options, notices io.Writer) (*arena, func() error, error) {
	nginx, err := find(contender{program: "nginx"})
	if err == nil {
		_, err = exec.LookPath("h2load")
	}
	if err != nil {
		return nil, nil, fmt.Errorf("backends and load: %w; make tools installs them", err)
	}
	a := &arena{opt: o, calm: calm, notices: notices}
	if a.program, err = os.Executable(); err != nil {
		return nil, nil, err
	}
	if err := pinSelf(o.loadCPU); err != nil {
		return nil, nil, err
	}
	if a.dir, err = os.MkdirTemp("", "wedge-bench-"); err != nil {
		return nil, nil, err
	}
	remove := func() error { return os.RemoveAll(a.dir) }
	if a.pair, err = newKeyPair(a.dir); err != nil {
		return nil, nil, errors.Join(err, remove())
	}
	b, err := startBackends(ctx, nginx, filepath.Join(a.dir, "backends"), o.loadCPU)
	if err != nil {
		return nil, nil, errors.Join(err, remove())
	}
	a.backends, a.requests = b.addresses, b.requests
	return a, func() error { b.stop(); return remove() }, nil
}

func (a *arena) tell(format string, args ...any) {
	fmt.Fprintf(a.notices, "%s  %s\n", time.Now().Format(time.TimeOnly), fmt.Sprintf(format, args...))
}

// A seat is a contender in a scenario, with what it has to show.
type seat struct {
	*running
	*entry
}

// play runs a scenario: its contenders take turns.
func (a *arena) play(ctx context.Context, s *scenario, list []contender) (*outcome, error) {
	o := &outcome{Letter: s.letter, Title: s.title, baseline: s.strategies}
	seats, err := a.seat(ctx, s, list, o)
	defer func() {
		for _, at := range seats {
			at.stop()
		}
	}()
	if err != nil {
		return o, err
	}
	for n := range a.opt.rounds {
		for _, at := range seats {
			f, err := a.round(ctx, s, at.running)
			if ctx.Err() != nil {
				return o, ctx.Err()
			}
			if err != nil {
				a.tell("%s %s: round %d refused: %v", s.letter, at.Name, n+1, err)
			}
			at.add(f, err)
		}
	}
	o.conclude()
	return o, nil
}

// seat starts the contenders. One that does not serve is left out, and that is told.
func (a *arena) seat(ctx context.Context, s *scenario, list []contender, o *outcome) ([]seat, error) {
	var seats []seat
	for _, c := range list {
		r, err := a.start(ctx, s, c)
		switch {
		case ctx.Err() != nil:
			return seats, ctx.Err()
		case err != nil && c.edge():
			return seats, err // without the edge there is nothing to compare
		case err != nil:
			o.Notes = append(o.Notes, "left out: "+err.Error())
			a.tell("%s left out: %v", s.letter, err)
			continue
		}
		if s.load == nil {
			r.stop() // each round starts another
		}
		e := &entry{Name: c.name, Version: versionOf(c), edge: c.edge()}
		o.Entries = append(o.Entries, e)
		seats = append(seats, seat{r, e})
	}
	return seats, nil
}

// round measures one contender once.
func (a *arena) round(ctx context.Context, s *scenario, r *running) (figures, error) {
	if s.load != nil {
		return a.window(ctx, s, r)
	}
	fresh, err := a.start(ctx, s, r.contender)
	if err != nil {
		return figures{}, err
	}
	defer fresh.stop()
	return a.memory(ctx, fresh, idleConnections)
}
