package health

import (
	"context"
	"sync"
	"time"

	"github.com/wedge-lb/wedge/edge/balance"
)

// A Checker watches the backends of pools. It is safe for concurrent use.
type Checker struct {
	opt     Options
	changed chan struct{} // something to reconcile: settings, or a pool

	mu      sync.Mutex
	pools   map[string]*watched
	records map[subject]*record // of the probes
}

// watched is one pool under watch.
type watched struct {
	pool  *balance.Pool
	probe *Probe // nil = none
	eject *ejector
}

// New makes a Checker that watches nothing.
func New(o Options) *Checker {
	return &Checker{
		opt: o.withDefaults(), changed: make(chan struct{}, 1),
		pools: map[string]*watched{}, records: map[subject]*record{},
	}
}

// Apply replaces what is watched. What stays by pool keeps its state; a backend that was down or ejected by a
// check that is gone is given back.
func (c *Checker) Apply(configs []Config) {
	c.mu.Lock()
	defer c.mu.Unlock()
	kept := make(map[string]*watched, len(configs))
	for _, conf := range configs {
		name := conf.Pool.Name()
		w := c.pools[name]
		if w == nil || w.pool != conf.Pool {
			w = &watched{pool: conf.Pool, eject: newEjector(conf.Pool, c.opt.Notify)}
			conf.Pool.Watch(c.changed)
		}
		if w.probe = conf.Probe; w.probe != nil {
			w.probe = w.probe.withDefaults()
		}
		w.eject.apply(conf.Passive.withDefaults())
		w.pool.Tune(conf.Tuning)
		kept[name] = w
	}
	for name, w := range c.pools {
		if kept[name] != w {
			w.pool.Unwatch(c.changed)
			w.eject.apply(Passive{})
		}
	}
	c.pools = kept
	c.wake()
}

func (c *Checker) wake() {
	select {
	case c.changed <- struct{}{}:
	default: // it will look anyway
	}
}

// Run checks until ctx ends. When it returns, all that it started has ended. It is called once.
func (c *Checker) Run(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	r := &round{checker: c, probers: map[subject]*prober{}}
	defer r.wait.Wait()
	defer stop()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-c.changed:
		case <-timer.C:
		}
		r.reconcile(ctx)
		if next, ok := c.step(time.Now()); ok {
			timer.Reset(time.Until(next))
		}
	}
}

// step gives back the backends whose ejection is over, brings slow starts on, and tells when there is more
// to do.
func (c *Checker) step(now time.Time) (next time.Time, any bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, w := range c.pools {
		for _, do := range []func(time.Time) (time.Time, bool){w.eject.release, w.pool.Step} {
			if at, ok := do(now); ok && (!any || at.Before(next)) {
				next, any = at, true
			}
		}
	}
	return next, any
}

// subject is what one prober is about: by another address, another server.
type subject struct {
	pool                *balance.Pool
	id, scheme, address string
}

// round is the probers that a Run has started.
type round struct {
	checker *Checker
	probers map[subject]*prober
	wait    sync.WaitGroup
}

// reconcile starts, informs and stops probers until there is one for each backend that is to be probed.
func (r *round) reconcile(ctx context.Context) {
	wanted := r.checker.wanted()
	for s, p := range r.probers {
		if _, ok := wanted[s]; !ok {
			p.end()
			delete(r.probers, s)
		}
	}
	for s, w := range wanted {
		p := r.probers[s]
		if p == nil {
			p = newProber(s, w.record, &r.checker.opt)
			r.probers[s] = p
			p.set(w.probe)
			own, stop := context.WithCancel(ctx)
			p.stop = stop
			r.wait.Go(func() { p.run(own) })
			continue
		}
		p.set(w.probe)
	}
}

// wish is how a subject is to be probed, and what is known of it.
type wish struct {
	probe  *Probe
	record *record
}

// wanted is what is to be probed now. What is known of all else is forgotten.
func (c *Checker) wanted() map[subject]wish {
	c.mu.Lock()
	defer c.mu.Unlock()
	list, kept := map[subject]wish{}, map[subject]*record{}
	for _, w := range c.pools {
		if w.probe == nil {
			continue
		}
		set := w.pool.Set()
		for i := range set.Backends {
			s := subjectOf(w.pool, &set.Backends[i])
			kept[s] = c.recordLocked(s)
			list[s] = wish{w.probe, kept[s]}
		}
	}
	c.records = kept
	return list
}

func subjectOf(p *balance.Pool, b *balance.Backend) subject {
	return subject{p, b.ID, b.Scheme, b.Address}
}

// recordLocked is the record of a subject, a new one if there is none.
func (c *Checker) recordLocked(s subject) *record {
	r := c.records[s]
	if r == nil {
		r = &record{}
		c.records[s] = r
	}
	return r
}
