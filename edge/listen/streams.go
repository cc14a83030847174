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
	local netip.AddrPort // our end; of QUIC its IP may be unspecified
	shard uint32
	sni   string
	guard proxy.Guard
}

// streams is the http.Handler of one h2 connection. It turns requests into exchanges, and knows when the last
// has ended.
type streams struct {
	server *Server
	limits *Limits
	alt    []byte // value of Alt-Svc; nil = none
	client

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
	st := newStream(ss, ss.limits, w, r)
	if err := st.fill(); err != nil {
		ss.server.refuse(&st.x, refusal(err))
		st.giveBack()
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
