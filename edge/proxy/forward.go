package proxy

import (
	"errors"
	"net/http"
	"os"
	"time"

	"github.com/wedge-lb/wedge/edge/affinity"
	"github.com/wedge-lb/wedge/edge/balance"
	"github.com/wedge-lb/wedge/edge/http1"
)

// forward sends x to one backend after the other until one answers or no more may be tried.
func (p *Proxy) forward(x *Exchange) {
	x.prepare()
	stop := x.limit(x.route.Timeout)
	defer stop()
	defer x.leave()
	if !p.place(x) {
		return
	}
	x.noteLoss()
	defer x.replay.end()
	x.keepBody()
	x.Request.Patience = x.route.Retry.Timeout
	for p.try(x) {
		x.route.Metrics.Retried(x.Shard)
	}
}

func (p *Proxy) refuse(x *Exchange, f *balance.Failure) {
	if f.Kind == balance.ConnectFailed && !x.expired() && x.held() {
		p.refusePinned(x, affinity.Down)
		return
	}
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

// choose decides on x.backend for the first attempt. It is not ok if the exchange was answered instead, or full if
// all backends are, or that of the pin.
func (p *Proxy) choose(x *Exchange) (full, ok bool) {
	set := x.route.Pool.Set()
	x.pick.Attempt, x.pick.Excluded = 0, nil
	if x.queued {
		x.pick.Pinned, _ = x.pinned(set) // it may have changed meanwhile
	}
	err := p.chooser.Choose(x.route.Picker, &x.pick, set, &x.decision)
	if loss, barred := x.barred(set, err); barred {
		p.refusePinned(x, loss)
		return false, false
	}
	if err == nil && x.decision.Verdict == balance.Route {
		x.backend = x.decision.Backend
		return false, true
	}
	if err == balance.ErrFull {
		return true, false
	}
	x.decided()
	switch {
	case err != nil:
		p.problem(x, http.StatusServiceUnavailable, x.decision.Reason, retrySoon)
	case x.decision.Verdict == balance.Reject:
		p.problem(x, x.decision.Status, "rejected", x.added()...)
	default:
		p.respond(x)
	}
	return false, false
}

var retrySoon = http1.Field{Name: nameRetryAfter, Value: []byte("1")}

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

// try sends x to x.backend, in which it is counted in, and if it answers, the answer to the client. The request
// counts on the backend until its stream has ended. It is true if another attempt is due, and then x.backend is
// another.
func (p *Proxy) try(x *Exchange) (again bool) {
	b := x.backend
	defer b.End()
	x.tried = append(x.tried, b)
	x.response.Reset()
	start := x.start // routing and picking take no time to speak of
	if len(x.tried) > 1 || x.queued {
		start = time.Now()
	}
	failure := failureOf(p.opt.Upstream.Do(b, &x.Request, &x.response))
	x.result = balance.Result{Backend: b, Attempt: uint32(len(x.tried) - 1)}
	if failure == nil {
		x.result.Status = x.response.Status
		x.result.Head = time.Since(start)
		b.Load().Answered(x.result.Head)
		x.hear(b, start.Add(x.result.Head))
	} else {
		x.result.Kind = failure.Kind
		b.Metrics.Failed(x.Shard, failure.Kind.String())
	}
	switch again = p.further(x, failure); {
	case again && failure == nil:
		_ = x.response.Body.Close() // nobody reads this answer
	case again:
	case failure != nil:
		p.refuse(x, failure)
	default:
		p.relay(x)
	}
	if failure == nil {
		b.Metrics.Answered(x.Shard, x.response.Status)
	}
	x.result.Total = time.Since(start)
	x.Ended = start.Add(x.result.Total)
	x.result.Ended = x.Ended
	p.report(x, b)
	if again {
		x.replay.rewind()
	}
	return again
}

// hear takes what the backend reports of its load out of the answer: it is about the inside.
func (x *Exchange) hear(b *balance.Backend, now time.Time) {
	f := &x.response.Fields
	value, ok := f.Get(balance.ReportName)
	if !ok {
		return
	}
	if x.route.Pool.WantsReports() {
		if u, ok := balance.ParseReport(value); ok {
			b.Load().Reported(u, now)
		}
	}
	f.Del(balance.ReportName)
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
func (p *Proxy) report(x *Exchange, b *balance.Backend) {
	x.route.Pool.Report(b, &x.result)
	if x.route.Observer != nil {
		x.route.Observer.Observe(&x.result)
	}
}
