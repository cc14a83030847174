package health

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"
)

// target is where and how to probe.
type target struct {
	probe           *Probe
	scheme, address string
}

// A prober probes one backend, one request at a time.
type prober struct {
	subject
	opt     *Options
	target  atomic.Pointer[target]
	changed chan struct{} // the interval may be another
	stop    context.CancelFunc
	done    chan struct{}

	// Of the running goroutine:
	down      bool
	good, bad int // probes in a row
}

func newProber(s subject, o *Options) *prober {
	return &prober{subject: s, opt: o, changed: make(chan struct{}, 1), done: make(chan struct{})}
}

// set tells how to probe from now on; counts are kept.
func (p *prober) set(t target) {
	old := p.target.Swap(&t)
	if old == nil || old.probe.Interval == t.probe.Interval {
		return
	}
	select {
	case p.changed <- struct{}{}:
	default: // it is told already
	}
}

// end stops p and takes its word back, if the backend is still there.
func (p *prober) end() {
	p.stop()
	<-p.done
	p.tell(true, "")
}

// maxSpread is the longest time to the first probe.
const maxSpread = 5 * time.Second

func (p *prober) run(ctx context.Context) {
	defer close(p.done)
	// The first probes are spread, so that many backends are not asked at once.
	spread := min(p.target.Load().probe.Interval, maxSpread)
	timer := time.NewTimer(time.Duration(p.opt.Random() % uint64(spread)))
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-p.changed:
		case <-timer.C:
			p.note(ctx, p.probe(ctx))
		}
		timer.Reset(p.opt.jitter(p.target.Load().probe.Interval))
	}
}

// probe asks once; nil is a healthy answer.
func (p *prober) probe(ctx context.Context) error {
	t := p.target.Load()
	ctx, stop := context.WithTimeoutCause(ctx, t.probe.Timeout, errSlow)
	defer stop()
	url := t.scheme + "://" + t.address + t.probe.Path
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return fmt.Errorf("probe %s: %w", url, err)
	}
	r.Host = t.probe.Host
	r.Header.Set("User-Agent", "wedge-health")
	a, err := t.probe.Transport.RoundTrip(r)
	if err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return fmt.Errorf("probe %s: %w", url, err)
	}
	a.Body.Close() // its error says nothing that the head did not
	if !t.probe.healthy(a.StatusCode) {
		return fmt.Errorf("probe %s: status %d", url, a.StatusCode)
	}
	return nil
}

var errSlow = errors.New("no answer in time")

// note counts the result of a probe. The pool is told at each one beyond the limit, not only at the first:
// the backend may have left and come back in between.
func (p *prober) note(ctx context.Context, err error) {
	if ctx.Err() != nil {
		return // we stopped it ourselves
	}
	rules := p.target.Load().probe
	if err == nil {
		p.good, p.bad = min(p.good+1, rules.HealthyAfter), 0
		if p.good == rules.HealthyAfter || !p.down {
			p.tell(true, "")
		}
		return
	}
	p.good, p.bad = 0, min(p.bad+1, rules.UnhealthyAfter)
	if p.bad == rules.UnhealthyAfter || p.down {
		p.tell(false, err.Error())
	}
}

func (p *prober) tell(up bool, reason string) {
	if p.pool.SetUp(p.id, up) != nil {
		return // it has left; this prober is about to be stopped
	}
	if p.down == !up {
		return
	}
	p.down = !up
	e := Event{Pool: p.pool.Name(), Backend: p.id, Change: Up, Reason: reason}
	if p.down {
		e.Change = Down
	}
	p.opt.Notify(e)
}
