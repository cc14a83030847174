package proxy

import (
	"errors"
	"io"
	"net/http"
	"os"
	"sync"

	"github.com/wedge-lb/wedge/edge/balance"
	"github.com/wedge-lb/wedge/edge/http1"
)

// relay sends the backend's answer to the client.
func (p *Proxy) relay(x *Exchange) {
	x.answering()
	x.replay.settle()
	x.status = x.response.Status
	f := p.answerFields(x)
	if x.response.Conn != nil {
		p.tunnel(x, f)
		return
	}
	defer x.response.Body.Close()
	if err := x.Reply.Head(x.response.Status, f, x.response.Length); err != nil {
		x.clientLeft()
		return
	}
	if bodiless(x) {
		_ = x.Reply.End(nil) // the client has left: there is nobody to tell
		return
	}
	if x.response.Length == http1.Unknown && !arrived(x.response.Body) && x.Reply.Flush() != nil {
		x.clientLeft()
		return
	}
	p.copyBody(x)
}

// An arriving body can tell whether some of it, or its end, has come.
type arriving interface{ Arrived() bool }

// arrived tells whether the head of an answer of unknown length need not go ahead of its body: the first event
// of a stream may be long in coming.
func arrived(body io.Reader) bool {
	b, ok := body.(arriving)
	return ok && b.Arrived()
}

// bodiless tells whether the answer has no body whatever its fields say (RFC 9112 6.3).
func bodiless(x *Exchange) bool {
	s := x.response.Status
	return s == http.StatusNoContent || s == http.StatusNotModified || string(x.Request.Method) == http.MethodHead
}

const (
	smallBody = 32 << 10
	largeBody = 256 << 10
	largest   = 64 // large buffers in use at a time: slow readers must not hold more
)

// smallBuffers and largeBuffers are for bodies; taken by a request in progress only, so that idle connections
// hold none. Of a large body, each system call should carry as much as the kernel has.
var (
	smallBuffers = sync.Pool{New: func() any { return new([smallBody]byte) }}
	largeBuffers = sync.Pool{New: func() any { return new([largeBody]byte) }}
)

func (p *Proxy) copyBody(x *Exchange) {
	if x.response.Length > 2*smallBody && p.takeLarge() {
		defer p.large.Add(-1)
		buf := largeBuffers.Get().(*[largeBody]byte)
		defer largeBuffers.Put(buf)
		p.copyThrough(x, buf[:])
		return
	}
	buf := smallBuffers.Get().(*[smallBody]byte)
	defer smallBuffers.Put(buf)
	p.copyThrough(x, buf[:])
}

// takeLarge tells whether one more large buffer may be used, and counts it if so.
func (p *Proxy) takeLarge() bool {
	if p.large.Add(1) <= largest {
		return true
	}
	p.large.Add(-1)
	return false
}

// copyThrough streams: what has arrived is sent on before more is waited for.
func (p *Proxy) copyThrough(x *Exchange, buf []byte) {
	for {
		n, err := x.response.Body.Read(buf)
		if n > 0 {
			wrote, werr := x.Reply.Write(buf[:n])
			x.out += int64(wrote)
			if werr == nil && err == nil {
				werr = x.Reply.Flush()
			}
			if werr != nil {
				x.clientLeft()
				return
			}
		}
		if err != nil {
			p.endBody(x, err)
			return
		}
	}
}

// endBody completes the answer, or cuts it if the backend's was cut short: a part must not look whole.
func (p *Proxy) endBody(x *Exchange, err error) {
	if !errors.Is(err, io.EOF) {
		if p.replace(x, err) {
			return
		}
		x.result.Kind = balance.Reset
		if f := (*balance.Failure)(nil); errors.As(err, &f) {
			x.result.Kind = f.Kind
		}
		x.reason = "answer_cut_short"
		x.Reply.Cut()
		return
	}
	var trailers http1.Fields
	if x.response.Trailers != nil {
		trailers = *x.response.Trailers
		trailers.Del(balance.ReportName)
		x.reserve(&trailers)
	}
	if x.Reply.End(trailers) != nil {
		x.clientLeft()
	}
}

// replace answers with an error page instead of what cannot be completed, if the client has seen nothing of it.
func (p *Proxy) replace(x *Exchange, err error) bool {
	r, ok := x.Reply.(Retractor)
	if !ok || x.Abort.Aborted() || !r.Retract() {
		return false
	}
	f := &balance.Failure{Kind: balance.Reset, Sent: true, Err: err}
	var bad *http1.Error
	switch {
	case errors.As(err, &bad):
		f.Kind = balance.BadAnswer
	case errors.Is(err, os.ErrDeadlineExceeded):
		f.Kind = balance.TimedOut
	}
	x.result.Kind, x.out = f.Kind, 0
	x.backend.Metrics.Failed(x.Shard, f.Kind.String())
	p.refuse(x, f)
	return true
}

func (x *Exchange) clientLeft() {
	x.result.Kind = balance.ClientGone
	x.reason = balance.ClientGone.String()
}

// tunnel joins the two raw streams of a protocol switch.
func (p *Proxy) tunnel(x *Exchange, f http1.Fields) {
	protocol := x.Request.Upgrade
	client, err := x.Reply.Switch(protocol, f)
	if err != nil {
		x.response.Conn.Close()
		x.clientLeft()
		return
	}
	x.in, x.out = p.opt.Tunnel(client, x.response.Conn)
}

// answerFields are the backend's fields and what the edge and the strategy add. Only the edge tells a token.
func (p *Proxy) answerFields(x *Exchange) http1.Fields {
	f := append(x.fields[:0], x.response.Fields...)
	if x.response.Status == http.StatusUpgradeRequired && x.Protocol != H1 {
		f.Del("upgrade") // only HTTP/1.1 has it (RFC 9113 8.2.2, RFC 9114 4.2)
	}
	if _, ok := f.Get("date"); !ok {
		f.Add(nameDate, p.clock.at(x.start))
	}
	for _, h := range x.decision.Header {
		f.Add(h.Name, h.Value)
	}
	x.reserve(&f)
	f = x.pin(f)
	x.fields = f
	return f
}

// inform passes an interim answer on.
func (x *Exchange) inform(status int, f http1.Fields) error {
	f.Del(balance.ReportName)
	x.reserve(&f)
	return x.Reply.Inform(status, f)
}
