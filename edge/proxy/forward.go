package proxy

import (
	"errors"
	"net/http"
	"os"
	"time"

	"github.com/wedge-lb/wedge/edge/balance"
	"github.com/wedge-lb/wedge/edge/http1"
)

// forward sends x to one backend after the other until one answers or no more may be tried.
func (p *Proxy) forward(x *Exchange) {
	x.prepare()
	stop := x.limit(x.route.Timeout)
	defer stop()
	for attempt := uint32(0); ; attempt++ {
		if !p.choose(x, attempt) {
			return
		}
		failure := p.try(x)
		if failure == nil {
			return
		}
		if !p.again(x, failure, attempt) {
			p.refuse(x, failure)
			return
		}
		x.route.Metrics.Retried(x.Shard)
	}
}

// again tells whether another backend may be tried: nothing of the request was sent, or an operator ended the
// exchange and the request can be repeated, and there is one left.
func (p *Proxy) again(x *Exchange, f *balance.Failure, attempt uint32) bool {
	if f.Sent && !(f.Kind == balance.Severed && x.repeatable()) || f.Kind == balance.ClientGone || f.Kind == balance.BadRequestBody || x.expired() {
		return false
	}
	pool := x.route.Pool
	return attempt+1 < x.route.Attempts && len(x.tried) < len(pool.Set().Backends) &&
		pool.Retry(x.route.Budget, time.Now())
}

// repeat tells whether the backend may get the request again that it may have seen, on another connection, and
// counts it if so: it is a retry like those at another backend.
func (x *Exchange) repeat() bool {
	if !x.route.Pool.Retry(x.route.Budget, time.Now()) {
		return false
	}
	x.backend.Load().Repeated()
	x.route.Metrics.Retried(x.Shard)
	return true
}

// repeatable tells whether the request is idempotent and at hand whole (RFC 9110 9.2.2).
func (x *Exchange) repeatable() bool {
	r := &x.Request
	if r.Length != 0 && r.Buffered == nil || r.Upgrade != nil {
		return false
	}
	switch string(r.Method) {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodPut, http.MethodDelete:
		return true
	}
	return false
}

func (p *Proxy) refuse(x *Exchange, f *balance.Failure) {
	status := statusOf[f.Kind]
	switch {
	case x.expired():
		status = http.StatusGatewayTimeout
	case f.Kind == balance.BadRequestBody:
		status = statusOfBody(f.Err)
	}
	if status == 0 {
		x.reason = f.Kind.String()
		x.status = statusClientGone
		x.Reply.Cut()
		return
	}
	if f.Kind == balance.Busy || f.Kind == balance.Severed {
		p.problem(x, status, f.Kind.String(), retrySoon)
		return
	}
	p.problem(x, status, f.Kind.String())
}

// statusOfBody is the answer to a request whose body could not be read: it came too slowly (RFC 9110 15.5.9), or
// is not what its head says.
func statusOfBody(err error) int {
	var bad *http1.Error
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return http.StatusRequestTimeout
	case errors.As(err, &bad):
		return bad.Status
	}
	return http.StatusBadRequest
}

// statusClientGone stands in the log for a request whose client left before an answer.
const statusClientGone = 499

// choose decides on x.backend. It is false if the exchange was answered instead.
func (p *Proxy) choose(x *Exchange, attempt uint32) bool {
	set := x.route.Pool.Set()
	if attempt > 0 && x.spare(set) {
		return true
	}
	x.pick.Attempt, x.pick.Excluded = attempt, x.tried
	if attempt == 0 && x.pinLost(set) {
		p.problem(x, http.StatusServiceUnavailable, "pinned_backend_unavailable", retrySoon)
		x.decision.Reset()
		x.decision.Outcome = balance.Rejected
		return false
	}
	err := p.chooser.Choose(x.route.Picker, &x.pick, set, &x.decision)
	x.decided()
	if err != nil {
		p.problem(x, http.StatusServiceUnavailable, x.decision.Reason, retrySoon)
		return false
	}
	switch x.decision.Verdict {
	case balance.Reject:
		p.problem(x, x.decision.Status, "rejected", x.added()...)
		return false
	case balance.Respond:
		p.respond(x)
		return false
	}
	x.backend = x.decision.Backend
	return true
}

var retrySoon = http1.Field{Name: nameRetryAfter, Value: []byte("1")}

// pinLost tells that the client's backend may not be used and its pool wants such requests refused.
func (x *Exchange) pinLost(set *balance.Set) bool {
	b := x.pick.Pinned
	return x.token.Valid && x.route.Affinity.FailsUnavailable() && (b == nil || !set.Available(b, true))
}

// spare takes the next of the strategy's spares that can be used.
func (x *Exchange) spare(set *balance.Set) bool {
	for len(x.decision.Spares) > 0 {
		b := set.Find(x.decision.Spares[0].ID)
		x.decision.Spares = x.decision.Spares[1:]
		if b != nil && set.Available(b, false) && !x.wasTried(b) {
			x.backend, x.decision.Backend, x.decision.Reason = b, b, "spare"
			return true
		}
	}
	return false
}

func (x *Exchange) wasTried(b *balance.Backend) bool {
	for _, t := range x.tried {
		if t.ID == b.ID {
			return true
		}
	}
	return false
}

// respond sends the answer that the strategy made.
func (p *Proxy) respond(x *Exchange) {
	f := append(x.fields[:0], x.added()...)
	if len(x.decision.ContentType) > 0 {
		f.Add(nameContentType, x.decision.ContentType)
	}
	x.reason = "responded"
	p.answer(x, x.decision.Status, f, x.decision.Body)
}

// added are the fields that the strategy adds to the answer.
func (x *Exchange) added() http1.Fields {
	var f http1.Fields
	for _, h := range x.decision.Header {
		f.Add(h.Name, h.Value)
	}
	return f
}

// try sends x to x.backend and, if it answers, the answer to the client. The request counts on the backend
// until its stream has ended.
func (p *Proxy) try(x *Exchange) *balance.Failure {
	b := x.backend
	load := b.Load()
	load.Begin()
	defer load.End()
	x.tried = append(x.tried, b)
	x.response.Reset()
	start := x.start // routing and picking take no time to speak of
	if len(x.tried) > 1 {
		start = time.Now()
	}
	err := p.opt.Upstream.Do(b, &x.Request, &x.response)
	x.result = balance.Result{Backend: b, Attempt: uint32(len(x.tried) - 1)}
	failure := failureOf(err)
	if failure != nil {
		x.result.Kind = failure.Kind
		b.Metrics.Failed(x.Shard, failure.Kind.String())
	} else {
		x.result.Status = x.response.Status
		x.result.Head = time.Since(start)
		load.Answered(x.result.Head)
		p.relay(x)
		b.Metrics.Answered(x.Shard, x.response.Status)
	}
	x.result.Total = time.Since(start)
	x.Ended = start.Add(x.result.Total)
	x.result.Ended = x.Ended
	p.report(x)
	return failure
}

// failureOf is err as what the balancing knows; nil for nil.
func failureOf(err error) *balance.Failure {
	if err == nil {
		return nil
	}
	var f *balance.Failure
	if !errors.As(err, &f) {
		f = &balance.Failure{Kind: balance.BadAnswer, Sent: true, Err: err}
	}
	return f
}

// report tells the pool's health and the strategy how the attempt went.
func (p *Proxy) report(x *Exchange) {
	x.route.Pool.Report(x.backend, &x.result)
	if x.route.Observer != nil {
		x.route.Observer.Observe(&x.result)
	}
}
