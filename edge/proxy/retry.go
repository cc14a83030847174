package proxy

import (
	"net/http"
	"time"

	"github.com/wedge-lb/wedge/edge/balance"
)

// Conditions are what is tried again, on another backend.
type Conditions uint16

// The conditions. All but OnConnectError are for idempotent methods only, and for bodies that were kept.
const (
	OnConnectError Conditions = 1 << iota // nothing of the request was written; or a kept connection was stale
	OnReset                               // the connection ended before the answer's head
	OnTimeout                             // the answer's head did not come in time
	On500
	On502
	On503
	On504
)

// Retry says when a request that got no good answer is sent again: only before the head of an answer has been
// sent to the client, only to a backend that was not tried yet, the strategy's spares first, and only within the
// pool's budget. A kept connection that ends without a byte of an answer says nothing of its backend (RFC 9112
// 9.3.1): an idempotent request goes to the same one again, on a new connection; with OnConnectError alone, once.
// The zero value never sends again.
type Retry struct {
	Attempts  uint32 // in all
	Budget    int    // retries in percent of the pool's requests, or 10 a second if that is more; 0 = none at all
	On        Conditions
	Timeout   time.Duration // to the head of each attempt's answer; 0 = the upstream's
	BodyBytes int64         // of a body that are kept to be sent again
}

// answers tells whether a status of a backend is tried again.
func (c Conditions) answers(status int) bool {
	switch status {
	case http.StatusInternalServerError:
		return c&On500 != 0
	case http.StatusBadGateway:
		return c&On502 != 0
	case http.StatusServiceUnavailable:
		return c&On503 != 0
	case http.StatusGatewayTimeout:
		return c&On504 != 0
	}
	return false
}

// further takes another backend for x, which failed by f or got an answer, if that is worth it, safe and within
// the bounds.
func (p *Proxy) further(x *Exchange, f *balance.Failure) bool {
	return x.worth(f) && x.mayTry() && p.next(x)
}

// worth tells whether x is to be tried again by the pool's rules, and safely can be.
func (x *Exchange) worth(f *balance.Failure) bool {
	on := x.route.Retry.On
	switch {
	case f == nil:
		return on.answers(x.response.Status) && x.repeatable()
	case f.Kind == balance.ClientGone, f.Kind == balance.BadRequestBody:
		return false
	case !f.Sent:
		return on&OnConnectError != 0 && x.replay.whole()
	case f.Kind == balance.Severed: // by the edge itself
		return x.repeatable()
	case f.Kind == balance.Reset:
		return on&OnReset != 0 && x.repeatable()
	case f.Kind == balance.TimedOut:
		return on&OnTimeout != 0 && x.repeatable()
	}
	return false
}

// repeatable tells whether a backend may get the request though another may have acted on it: it is idempotent
// (RFC 9110 9.2.2) and its body is at hand.
func (x *Exchange) repeatable() bool {
	r := &x.Request
	if !x.idempotent() {
		return false
	}
	switch {
	case r.Length == 0:
		return true
	case r.Buffered != nil:
		return int64(len(r.Buffered)) <= x.route.Retry.BodyBytes
	}
	return x.replay.keeps()
}

func (x *Exchange) idempotent() bool {
	if x.Request.Upgrade != nil {
		return false
	}
	switch string(x.Request.Method) {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodPut, http.MethodDelete:
		return true
	}
	return false
}

// mayTry tells whether there is an attempt left and a backend that the client may be served by.
func (x *Exchange) mayTry() bool {
	return x.attempts() < int(x.route.Retry.Attempts) && len(x.tried) < len(x.route.Pool.Set().Backends) &&
		!x.held() && !x.Abort.Aborted()
}

// next takes a backend that was not tried yet. It does not wait for room: a retry must not keep new requests
// from their place in the queue.
func (p *Proxy) next(x *Exchange) bool {
	pool := x.route.Pool
	set := pool.Set()
	if b, at := x.spare(set); b != nil {
		if !pool.Retry(x.route.Retry.Budget, time.Now()) || !b.Begin(false) {
			return false
		}
		d := &x.decision
		x.backend, d.Backend, d.Reason, d.Spares = b, b, "spare", d.Spares[at+1:]
		x.noteLoss()
		return true
	}
	x.pick.Attempt, x.pick.Excluded = uint32(len(x.tried)), x.tried
	d := &x.another
	if p.chooser.Choose(x.route.Picker, &x.pick, set, d) != nil || d.Verdict != balance.Route {
		return false
	}
	if !pool.Retry(x.route.Retry.Budget, time.Now()) || !d.Backend.Begin(x.pick.PinnedTo(d.Backend)) {
		return false
	}
	x.decision, x.another = x.another, x.decision
	x.backend = x.decision.Backend
	x.decided()
	x.noteLoss()
	return true
}

// spare is the first of the strategy's spares that can be used, and its place; nil if there is none.
func (x *Exchange) spare(set *balance.Set) (*balance.Backend, int) {
	for i, s := range x.decision.Spares {
		b := set.Find(s.ID)
		if b != nil && set.Available(b, false) && !x.wasTried(b) && !b.Full(false) {
			return b, i
		}
	}
	return nil, 0
}

func (x *Exchange) wasTried(b *balance.Backend) bool {
	for _, t := range x.tried {
		if t.ID == b.ID {
			return true
		}
	}
	return false
}

// attempts is how often the request was sent, or was to be.
func (x *Exchange) attempts() int { return len(x.tried) + x.repeated }

// repeat tells whether the backend may get the request again that it may have seen, on a new connection, since
// a kept one ended without an answer. It counts it if so: it is a retry like those at another backend.
func (x *Exchange) repeat() bool {
	rule := &x.route.Retry
	on := rule.On&OnReset != 0 || rule.On&OnConnectError != 0 && x.repeated == 0
	if !on || x.attempts() >= int(rule.Attempts) || !x.repeatable() || !x.route.Pool.Retry(rule.Budget, time.Now()) {
		return false
	}
	x.repeated++
	x.backend.Load().Repeated()
	x.route.Metrics.Retried(x.Shard)
	return true
}
