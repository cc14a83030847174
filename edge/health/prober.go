package health

import (
	"context"
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
	record  *record
	target  atomic.Pointer[target]
	changed chan struct{} // the interval may be another
	stop    context.CancelFunc
	done    chan struct{}
}

func newProber(s subject, r *record, o *Options) *prober {
	return &prober{subject: s, record: r, opt: o, changed: make(chan struct{}, 1), done: make(chan struct{})}
}

// set tells how to probe from now on; counts are kept.
func (p *prober) set(probe *Probe) {
	old := p.target.Swap(&target{probe: probe, scheme: p.scheme, address: p.address})
	if old == nil || old.probe.Interval == probe.Interval {
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
			p.note(ctx, p.target.Load().ask(ctx))
		}
		timer.Reset(p.opt.jitter(p.target.Load().probe.Interval))
	}
}

// note counts the result of a probe. The pool is told at each one beyond the limit, not only at the first:
// the backend may have left and come back in between.
func (p *prober) note(ctx context.Context, err error) {
	if ctx.Err() != nil {
		return // we stopped it ourselves
	}
	failure := ""
	if err != nil {
		failure = err.Error()
	}
	p.pool.Probed(p.id, failure)
	if up, told := p.record.note(err == nil, p.target.Load().probe); told {
		p.tell(up, failure)
	}
}

func (p *prober) tell(up bool, reason string) {
	if p.pool.SetUp(p.id, up) != nil {
		return // it has left; this prober is about to be stopped
	}
	if !p.record.turn(up) {
		return
	}
	e := Event{Pool: p.pool.Name(), Backend: p.id, Change: Up, Reason: reason}
	if !up {
		e.Change = Down
	}
	p.opt.Notify(e)
}
