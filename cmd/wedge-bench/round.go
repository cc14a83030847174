package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Before a window everything warms up, and the load goes on a little after it.
const (
	lead  = 700 * time.Millisecond
	after = 600 * time.Millisecond
	grace = 5 * time.Second // for a load to end by itself
)

// figures are what one round measured; an absent one is 0.
type figures struct {
	CPU    float64  `json:"cpu_us_per_request,omitempty"`
	Rate   float64  `json:"requests_per_second,omitempty"`
	P50    float64  `json:"p50_ms,omitempty"`
	P99    float64  `json:"p99_ms,omitempty"`
	Allocs *float64 `json:"allocations_per_request,omitempty"`
	Memory float64  `json:"kib_per_connection,omitempty"`
	Others float64  `json:"others_share"` // of the proxy's processor that others used, 0 to 1
}

// snapshot is what is read at both ends of a window.
type snapshot struct {
	at       time.Time
	requests uint64
	cpu      time.Duration // of the proxy
	busy     time.Duration // of its processor, for anybody
	objects  float64       // heap objects that the edge made
	sockets  []string      // of the load
}

// window measures one round of a load.
func (a *arena) window(ctx context.Context, s *scenario, r *running) (figures, error) {
	t := target{
		site: r.site, dir: a.dir, cookie: r.given, program: a.program,
		lead: lead, length: lead + a.opt.duration + after,
	}
	l, err := s.load.command(t)
	if err != nil {
		return figures{}, err
	}
	p, err := startProcess(l, a.opt.loadCPU)
	if err != nil {
		return figures{}, err
	}
	defer p.stop()
	from, to, err := a.ends(ctx, r, p)
	if err == nil {
		err = p.end(ctx)
	}
	if dead := r.ended(); dead != nil {
		return figures{}, dead
	}
	if err != nil {
		return figures{}, err
	}
	saw, err := s.load.result(t, p.out.String())
	if err != nil {
		return figures{}, err
	}
	if err := unbroken(from.sockets, to.sockets, s.load.connections()); err != nil {
		return figures{}, err
	}
	return from.until(to, saw, r.metrics != nil)
}

// ends takes the snapshots of a window. Metrics are read outside of it: that costs the proxy time.
func (a *arena) ends(ctx context.Context, r *running, load *process) (from, to snapshot, err error) {
	if err = pause(ctx, lead); err != nil {
		return from, to, err
	}
	open, err := sockets(load.group())
	if err != nil {
		return from, to, err
	}
	before, err := r.objects(ctx)
	if err != nil {
		return from, to, err
	}
	if from, err = a.snapshot(ctx, r); err != nil {
		return from, to, err
	}
	if err = pause(ctx, a.opt.duration); err != nil {
		return from, to, err
	}
	still, err := sockets(load.group())
	if err != nil {
		return from, to, err
	}
	if to, err = a.snapshot(ctx, r); err != nil {
		return from, to, err
	}
	from.objects, from.sockets, to.sockets = before, open, still
	to.objects, err = r.objects(ctx)
	return from, to, err
}

func (r *running) objects(ctx context.Context) (float64, error) {
	if r.metrics == nil {
		return 0, nil
	}
	return r.metrics.value(ctx, heapObjects)
}

// snapshot asks a few times if the answer is late, and takes the one that came soonest: it is as of a moment
// that is not known better than the time the answer took.
func (a *arena) snapshot(ctx context.Context, r *running) (snapshot, error) {
	const soon, late = 5 * time.Millisecond, after / 4
	var best snapshot
	least := time.Duration(-1)
	for begin := time.Now(); least < 0 || least > soon && time.Since(begin) < late; {
		before, err := a.look(r)
		if err != nil {
			return best, err
		}
		n, err := a.requests(ctx)
		if err != nil {
			return best, fmt.Errorf("backends: %w", err)
		}
		now, err := a.look(r)
		if err != nil {
			return best, err
		}
		if took := now.at.Sub(before.at); least < 0 || took < least {
			best, least = before.middle(now), took
			best.requests = n
		}
	}
	return best, nil
}

// look reads what /proc knows.
func (a *arena) look(r *running) (s snapshot, err error) {
	s.at = time.Now()
	if s.cpu, err = groupCPU(r.group()); err != nil {
		return s, err
	}
	s.busy, err = processorBusy(a.opt.proxyCPU)
	return s, err
}

// middle is halfway between two looks.
func (s snapshot) middle(to snapshot) snapshot {
	s.at = s.at.Add(to.at.Sub(s.at) / 2)
	s.cpu += (to.cpu - s.cpu) / 2
	s.busy += (to.busy - s.busy) / 2
	return s
}

// until is what happened between two snapshots.
func (s snapshot) until(to snapshot, saw loadResult, objects bool) (figures, error) {
	took := to.at.Sub(s.at)
	n := float64(to.requests) - float64(s.requests)
	if n < 1 || saw.Done == 0 {
		return figures{}, errors.New("no request reached a backend")
	}
	used := to.cpu - s.cpu
	f := figures{
		CPU: float64(used.Microseconds()) / n, Rate: n / took.Seconds(),
		P50: float64(saw.P50.Microseconds()) / 1e3, P99: float64(saw.P99.Microseconds()) / 1e3,
		Others: min(1, max(0, float64(to.busy-s.busy-used)/float64(took))),
	}
	if objects {
		allocs := (to.objects - s.objects) / n
		f.Allocs = &allocs
	}
	return f, nil
}

// end waits for a load to end by itself. h2load never does if connections keep breaking at its end.
func (p *process) end(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, grace)
	defer cancel()
	select {
	case <-p.done:
	case <-ctx.Done():
		return fmt.Errorf("%s did not end: %w", p.name, ctx.Err())
	}
	if p.err != nil {
		return fmt.Errorf("%s: %w: %s", p.name, p.err, p.log.String())
	}
	return nil
}
