package listen

import (
	"context"
	"errors"
	"fmt"
	"net"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wedge-lb/wedge/edge/proxy"
)

// ErrClosed is when a listener is given to a Server that was shut down.
var ErrClosed = errors.New("listen: server is shut down")

// drainAgain is how often Shutdown looks for connections that became idle while it told others.
const drainAgain = 100 * time.Millisecond

// A Server accepts connections and hands their requests to its Handler. It is safe for concurrent use.
type Server struct {
	opt      Options
	altSvc   []byte // value of the field; nil = none
	limits   atomic.Pointer[Limits]
	proxies  atomic.Pointer[Proxies]
	gate     gate
	pending  handshakes
	counters counters
	shard    atomic.Uint32
	draining atomic.Bool

	mu     sync.Mutex
	fronts map[front]struct{}
	ended  chan struct{} // closed when the last front ended after Shutdown began
}

// A front is one listener in service.
type front interface {
	run() error // returns when all that it started has ended
	drain()     // ends the listener and what is idle; may be called again
	cut()       // ends everything
}

// New makes a Server that listens nowhere yet.
func New(o Options) *Server {
	s := &Server{opt: o.withDefaults(), fronts: map[front]struct{}{}, ended: make(chan struct{})}
	if o.AltPort != 0 && s.opt.Protocols&H3 != 0 {
		s.altSvc = fmt.Appendf(nil, `h3=":%d"; ma=86400`, o.AltPort)
	}
	s.SetLimits(o.Limits)
	s.SetProxies(o.Proxies)
	return s
}

// SetLimits replaces the limits for what begins from now on: connections and, on h1, requests.
func (s *Server) SetLimits(l Limits) {
	l = l.withDefaults()
	s.limits.Store(&l)
}

// ServeTCP serves h1 without TLS on l until ctx ends, which cuts its connections, or Shutdown. It closes l.
// The error is the listener's, ErrClosed or nil.
func (s *Server) ServeTCP(ctx context.Context, l net.Listener) error {
	return s.serve(ctx, newTCPFront(s, l, nil))
}

// ServeTLS is ServeTCP with TLS: h2 and h1 by ALPN. A client that offers none speaks h1; one that came for
// acme-tls/1 has what it wants once the handshake is done.
func (s *Server) ServeTLS(ctx context.Context, l net.Listener) error {
	return s.serve(ctx, newTCPFront(s, l, withProtocols(s.opt.TLS, s.opt.Protocols.TCP())))
}

// ServeQUIC serves h3 on c in the same way. It closes c.
func (s *Server) ServeQUIC(ctx context.Context, c net.PacketConn) error {
	f, err := newQUICFront(s, c)
	if err != nil {
		return errors.Join(fmt.Errorf("listen %s: %w", c.LocalAddr(), err), c.Close())
	}
	return s.serve(ctx, f)
}

func (s *Server) serve(ctx context.Context, f front) error {
	if !s.add(f) {
		f.cut()
		return errors.Join(ErrClosed, f.run())
	}
	defer s.remove(f)
	cut := make(chan struct{})
	stop := context.AfterFunc(ctx, func() { defer close(cut); f.cut() })
	err := f.run()
	if !stop() {
		<-cut
	}
	return err
}

func (s *Server) add(f front) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.draining.Load() {
		return false
	}
	s.fronts[f] = struct{}{}
	return true
}

func (s *Server) remove(f front) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.fronts, f)
	s.endLocked()
}

func (s *Server) endLocked() {
	if s.draining.Load() && len(s.fronts) == 0 {
		select {
		case <-s.ended:
		default:
			close(s.ended)
		}
	}
}

// Shutdown closes the listeners, tells clients to go (Connection: close, GOAWAY), closes what is idle, and
// returns when all requests have been answered and all Serve calls are about to return. When ctx ends before,
// what is left is cut and the error is ctx's. The Server cannot be used again.
func (s *Server) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	s.draining.Store(true)
	s.endLocked()
	s.mu.Unlock()
	tick := time.NewTicker(drainAgain)
	defer tick.Stop()
	for {
		s.each(front.drain)
		select {
		case <-s.ended:
			return nil
		case <-ctx.Done():
			s.each(front.cut)
			<-s.ended
			return ctx.Err()
		case <-tick.C:
		}
	}
}

func (s *Server) each(do func(front)) {
	s.mu.Lock()
	fronts := make([]front, 0, len(s.fronts))
	for f := range s.fronts {
		fronts = append(fronts, f)
	}
	s.mu.Unlock()
	for _, f := range fronts {
		do(f)
	}
}

// Stats counts what was seen until now.
func (s *Server) Stats() Stats {
	st := s.counters.snapshot()
	st.OpenPlain, st.OpenTLS = s.gate.open[plainTCP].Load(), s.gate.open[tlsTCP].Load()
	st.OpenQUIC = s.gate.open[overQUIC].Load()
	return st
}

// handle calls the Handler for a request of h2 or h3. It is false if that panicked, which ends this stream only.
func (s *Server) handle(x *proxy.Exchange) (ok bool) {
	defer func() {
		if cause := recover(); cause != nil {
			s.counters.panics.Add(1)
			s.opt.Logger.Error("request panicked", "cause", cause, "stack", string(debug.Stack()))
		}
	}()
	s.opt.Handler.Serve(x)
	return true
}
