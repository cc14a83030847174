package proxy

import (
	"io"
	"sync/atomic"
	"time"

	"github.com/wedge-lb/wedge/edge/balance"
	"github.com/wedge-lb/wedge/edge/http1"
	"github.com/wedge-lb/wedge/edge/observe"
)

// account counts the exchange that has ended and notes it in the access log.
func (x *Exchange) account(log *observe.AccessLog) {
	if x.Ended.IsZero() {
		x.Ended = time.Now()
	}
	elapsed := x.Ended.Sub(x.start)
	metrics := x.gen.Unrouted
	if x.route != nil {
		metrics = x.route.Metrics
	}
	metrics.Done(x.Shard, x.Protocol, x.status, elapsed)
	if log == nil {
		return
	}
	r := observe.Record{
		Time: x.start, RequestID: x.id, TraceID: observe.TraceID(x.trace),
		Strategy: x.decision.Strategy, Plugin: x.decision.Digest,
		Protocol: x.Protocol, ClientIP: x.pick.ClientIP, Attempts: x.attempts(),
		Method: x.Request.Method, Host: x.Request.Authority, Path: x.Request.Path, Query: x.Request.Query,
		Status: x.status, In: x.received(), Out: x.out, Head: x.result.Head, Duration: elapsed, Error: x.reason,
	}
	r.UserAgent, _ = x.Request.Fields.Get("user-agent")
	if x.route != nil {
		r.Site, r.Route, r.Pool = x.route.Site, x.route.Name, x.route.Pool.Name()
		r.Outcome, r.Reason, r.Decision = x.decision.Outcome.String(), x.decision.Reason, x.decision.Elapsed
	}
	if x.backend != nil {
		r.Backend = x.backend.ID
	}
	log.Log(x.Shard, &r)
}

// sample is how many requests share one measurement of the pick, unless the access log wants each.
const sample = 16

// timed tells whether this request's pick is measured.
func (x *Exchange) timed() bool {
	x.turn++
	return x.gen.Log != nil || x.turn%sample == 0
}

// decided counts the decision. What a relief decided is its own, and a fallback to the strategy that could not.
func (x *Exchange) decided() {
	if x.decision.Reason == balance.OnFault {
		relief := x.route.Reliefs[x.decision.Strategy]
		relief.Decided(x.Shard, x.decision.Outcome.String(), x.decision.Elapsed)
		x.route.Decided.Decided(x.Shard, balance.Fallback.String(), 0)
		return
	}
	x.route.Decided.Decided(x.Shard, x.decision.Outcome.String(), x.decision.Elapsed)
}

// received is the number of body bytes that came from the client.
func (x *Exchange) received() int64 {
	if x.Request.Length == http1.Unknown {
		return x.body.n.Load()
	}
	return max(x.in, x.Request.Length)
}

// counted is a body whose length nobody told. The sender of the body reads it.
type counted struct {
	io.Reader
	n atomic.Int64
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.n.Add(int64(n))
	return n, err
}

// Close ends a Read that waits for the client, if the front's body can.
func (c *counted) Close() error {
	if closer, ok := c.Reader.(io.Closer); ok {
		return closer.Close()
	}
	return nil
}

// count puts a counter before a body of unknown length.
func (x *Exchange) count() {
	if r := &x.Request; r.Length == http1.Unknown && r.Body != nil {
		x.body.Reader = r.Body
		x.body.n.Store(0)
		r.Body = &x.body
	}
}
