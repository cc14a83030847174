package proxy

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/wedge-lb/wedge/edge/balance"
	"github.com/wedge-lb/wedge/edge/http1"
)

// place finds x a backend with room and counts it in there; while there is none it waits in the pool's queue. It
// is false if the exchange was answered instead.
func (p *Proxy) place(x *Exchange) bool {
	for {
		if !p.enter(x) {
			return false
		}
		full, ok := p.choose(x)
		switch {
		case full:
			if !p.queue(x) {
				return false
			}
			if x.backend != nil {
				x.decided()
				return true
			}
		case !ok:
			return false
		case x.backend.Begin(x.pick.PinnedTo(x.backend)):
			x.decided()
			return true
		} // others were faster, or the backends have changed: look again
	}
}

// enter takes a place of the pool, if that has limits.
func (p *Proxy) enter(x *Exchange) bool {
	g := x.route.Pool.Gate()
	if g == nil || x.gate != nil {
		return true
	}
	set := x.route.Pool.Set()
	home, _ := x.pinned(set)
	pinned := home != nil && set.Available(home, true)
	if g.Enter(pinned) {
		x.gate = g
		return true
	}
	return p.await(x, g, x.waiter.Enter(g, pinned))
}

// queue waits for a backend: for the one that x is pinned to, if the decision names it, or for any.
func (p *Proxy) queue(x *Exchange) bool {
	g := x.route.Pool.Gate()
	to := x.decision.Backend
	x.backend = nil
	x.leave()
	if !p.await(x, g, x.waiter.Begin(g, to)) {
		return false
	}
	x.backend = x.waiter.Granted
	x.decision.Backend = x.backend
	return true
}

// await waits, if x is in the queue, and takes over what it got.
func (p *Proxy) await(x *Exchange, g *balance.Gate, queued bool) bool {
	w := &x.waiter
	if queued {
		x.queued = true
		start := time.Now()
		x.wait(w)
		x.route.Waits.Waited(x.Shard, time.Since(start))
	}
	if w.Entered {
		x.gate = g
	}
	if w.Err == nil {
		return true
	}
	p.shed(x, g, w.Err)
	return false
}

// wait ends when w has what it waits for, or x is aborted.
func (x *Exchange) wait(w *balance.Waiter) {
	if watcher, ok := x.Reply.(Watcher); ok {
		watcher.Watch(true)
		defer watcher.Watch(false)
	}
	if !x.Abort.Attach(w) {
		w.Interrupt()
	}
	w.Await()
	x.Abort.Detach()
}

// shed answers x, for which there is no room.
func (p *Proxy) shed(x *Exchange, g *balance.Gate, err error) {
	left, kind := errors.Is(err, balance.ErrLeft), balance.ClientGone
	reason := "queue_full"
	switch {
	case left && x.expired():
		reason, kind = "route_timeout", balance.TimedOut
	case left:
		reason = "client_gone"
	case errors.Is(err, balance.ErrQueueTimeout):
		reason = "queue_timeout"
	}
	x.decision.Reset()
	x.decision.Outcome, x.decision.Reason = balance.Rejected, reason
	x.decided()
	x.route.Waits.Shed(x.Shard, reason)
	if left {
		p.refuse(x, &balance.Failure{Kind: kind, Err: err})
		return
	}
	seconds := strconv.AppendInt(nil, int64(g.RetryAfter()), 10)
	p.problem(x, http.StatusServiceUnavailable, reason, http1.Field{Name: nameRetryAfter, Value: seconds})
}

// leave gives the place of the pool back.
func (x *Exchange) leave() {
	if g := x.gate; g != nil {
		x.gate = nil
		g.Leave(x.backend)
	}
}
