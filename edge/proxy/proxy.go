package proxy

import (
	"io"
	"log/slog"
	"net/netip"
	"sync/atomic"

	"github.com/wedge-lb/wedge/edge/balance"
	"github.com/wedge-lb/wedge/edge/http1"
	"github.com/wedge-lb/wedge/edge/observe"
	"github.com/wedge-lb/wedge/edge/route"
)

// Upstream sends one request to one backend and reads the head of the answer into a. An error is a
// *balance.Failure. When it is nil, a.Body must be closed, or a.Conn if the backend switched protocols.
type Upstream interface {
	Do(b *balance.Backend, r *http1.Request, a *http1.Response) error
}

// Options are what a Proxy works with for its whole life.
type Options struct {
	Upstream Upstream
	Random   func() uint64 // uniform and safe for concurrent use
	// Tunnel carries bytes both ways until both ends are done, closes both, and gives the bytes from the
	// client and to it.
	Tunnel func(client, backend io.ReadWriteCloser) (in, out int64)
	Logger *slog.Logger // default: discard
}

// A Proxy serves exchanges by the current Generation. It is safe for concurrent use.
type Proxy struct {
	opt     Options
	chooser balance.Chooser
	current atomic.Pointer[Generation]
	clock   date
	large   atomic.Int32 // large buffers in use
}

// Generation is everything that one configuration says of how requests are served. It is immutable.
type Generation struct {
	Sites   *route.Table[Route]
	Trusted []netip.Prefix // peers whose forwarding fields are believed

	Countries balance.Locator // nil = no country is known

	// Challenge answers ACME HTTP-01 requests on the plain listener; nil = none are expected.
	Challenge func(host, path []byte) (body string, ok bool)
	// SecurePort is the port that plain requests are redirected to; 0 = 443.
	SecurePort uint16
	Unrouted   *observe.Route     // counts what no route took
	Log        *observe.AccessLog // nil = none
}

// New makes a Proxy that serves g.
func New(o Options, g *Generation) *Proxy {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	p := &Proxy{opt: o, chooser: balance.Chooser{Random: o.Random}}
	p.current.Store(g)
	return p
}

// Swap makes g the generation of all requests from now on. Requests in progress end under theirs.
func (p *Proxy) Swap(g *Generation) { p.current.Store(g) }

// Serve answers x. It returns when the exchange, an upgraded stream included, has ended.
func (p *Proxy) Serve(x *Exchange) {
	x.begin(p.current.Load())
	defer p.end(x)
	if !p.admit(x) {
		return
	}
	p.forward(x)
}

// end completes the exchange's accounts; a panic of ours costs the client one request.
func (p *Proxy) end(x *Exchange) {
	if cause := recover(); cause != nil {
		p.opt.Logger.Error("request panicked", "cause", cause, "stack", stack())
		p.broken(x)
	}
	x.account(x.gen.Log)
}
