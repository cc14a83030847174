package listen

import (
	"context"
	"net/http"
	"net/netip"
	"runtime/debug"
	"sync"

	"github.com/wedge-lb/wedge/edge/proxy"
)

// client is what all requests of one h2 or h3 connection have in common.
type client struct {
	peer  netip.AddrPort
	shard uint32
	sni   string
	guard proxy.Guard
}

type clientKey struct{}

// streams is the http.Handler of one h2 connection, or of all h3 connections of a listener. It turns requests
// into exchanges, and knows when the last has ended.
type streams struct {
	server   *Server
	limits   *Limits // of the connection; nil = those of now
	protocol string
	alt      []byte // value of Alt-Svc; nil = none
	client          // of the connection; h3 requests bring theirs with their context

	mu     sync.Mutex
	active int
	closed bool
	over   chan struct{} // made by wait, closed when active falls to 0
}

// ServeHTTP answers r. It panics with http.ErrAbortHandler to have the stream reset.
func (ss *streams) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !ss.enter() {
		panic(http.ErrAbortHandler)
	}
	defer ss.leave()
	limits := ss.limits
	if limits == nil {
		limits = ss.server.limits.Load()
	}
	st := newStream(ss, limits, w, r)
	if err := st.fill(); err != nil {
		ss.server.counters.badRequests.Add(1)
		st.refuse(err)
		return
	}
	stop := context.AfterFunc(r.Context(), st.x.Abort.Abort)
	ss.handle(st)
	idle := stop()
	whole := st.state == replyEnded
	if idle {
		st.giveBack()
	}
	if !whole {
		panic(http.ErrAbortHandler)
	}
}

// handle calls the Handler; a panic of it resets this stream only.
func (ss *streams) handle(st *stream) {
	s := ss.server
	defer func() {
		if cause := recover(); cause != nil {
			s.counters.panics.Add(1)
			s.opt.Logger.Error("request panicked", "cause", cause, "stack", string(debug.Stack()))
			st.state = replyCut
		}
	}()
	s.opt.Handler.Serve(&st.x)
}

// of gives what is known of r's client.
func (ss *streams) of(r *http.Request) *client {
	if c, ok := r.Context().Value(clientKey{}).(*client); ok {
		return c
	}
	return &ss.client
}

func (ss *streams) enter() bool {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	if ss.closed {
		return false
	}
	ss.active++
	return true
}

func (ss *streams) leave() {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	if ss.active--; ss.active == 0 && ss.over != nil {
		close(ss.over)
		ss.over = nil
	}
}

func (ss *streams) running() int {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	return ss.active
}

// wait refuses requests from now on and blocks until those in progress have ended.
func (ss *streams) wait() {
	ss.mu.Lock()
	ss.closed = true
	if ss.active == 0 {
		ss.mu.Unlock()
		return
	}
	over := make(chan struct{})
	ss.over = over
	ss.mu.Unlock()
	<-over
}
