package listen

//lint:file-ignore SA1019 x/net's server takes a connection that is in our hands already, and blocks
// as long as it serves it; net/http's wants to accept it itself.

import (
	"context"
	"crypto/tls"
	"io"
	"log"
	"net/http"
	"sync"
	"time"

	"golang.org/x/net/http2"
)

const (
	h2ReadFrame    = 16 << 10
	h2StreamWindow = 64 << 10
	h2ConnWindow   = 1 << 20
	h2PingAfter    = 30 * time.Second // without a frame
)

// An h2Front serves HTTP/2 on connections whose handshake chose it, by golang.org/x/net.
type h2Front struct {
	server *Server

	mu   sync.Mutex
	sets []*h2Set // one for each Limits still in use; the last is the current one
}

// An h2Set is the settings of connections that began under the same Limits.
type h2Set struct {
	limits *Limits
	base   *http.Server
	http2  *http2.Server
	conns  int
}

func newH2Front(s *Server) *h2Front { return &h2Front{server: s} }

// serve blocks until the connection and all its requests have ended.
func (f *h2Front) serve(c *tcpConn, t *tls.Conn) {
	s := f.server
	s.counters.h2.Add(1)
	if s.draining.Load() {
		t.Close()
		return
	}
	c.socket.SetDeadline(time.Time{}) // from here on x/net's IdleTimeout and pings, and the socket's pace
	set := f.acquire()
	defer f.release(set)
	state := t.ConnectionState()
	streams := &streams{server: s, limits: set.limits, alt: s.altSvc}
	streams.client = client{peer: c.peer, local: addrPort(t.LocalAddr()), shard: c.shard, sni: serverName(&state)}
	streams.guard = s.guard(&state, t.LocalAddr())
	defer streams.wait()
	set.http2.ServeConn(t, &http2.ServeConnOpts{
		Context: context.Background(), BaseConfig: set.base, Handler: streams,
	})
}

// acquire gives the set for the limits of now.
func (f *h2Front) acquire() *h2Set {
	limits := f.server.limits.Load()
	f.mu.Lock()
	defer f.mu.Unlock()
	if n := len(f.sets); n == 0 || f.sets[n-1].limits != limits {
		f.sets = append(f.sets, newH2Set(limits))
	}
	set := f.sets[len(f.sets)-1]
	set.conns++
	return set
}

func (f *h2Front) release(set *h2Set) {
	f.mu.Lock()
	defer f.mu.Unlock()
	set.conns--
	kept := f.sets[:0]
	for _, s := range f.sets {
		if s.conns > 0 {
			kept = append(kept, s)
		}
	}
	clear(f.sets[len(kept):])
	f.sets = kept
}

// drain sends GOAWAY on all connections. It may be called again, for those that have come since.
func (f *h2Front) drain() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, set := range f.sets {
		set.base.Shutdown(context.Background()) // it has no listeners: this only tells the connections
	}
}

func newH2Set(l *Limits) *h2Set {
	base := &http.Server{
		MaxHeaderBytes: l.HeaderBytes,
		IdleTimeout:    l.IdleTimeout,
		ErrorLog:       log.New(io.Discard, "", 0),
	}
	conf := &http2.Server{
		MaxConcurrentStreams:         uint32(l.Streams),
		MaxReadFrameSize:             h2ReadFrame,
		MaxUploadBufferPerStream:     h2StreamWindow,
		MaxUploadBufferPerConnection: h2ConnWindow,
		IdleTimeout:                  l.IdleTimeout,
		ReadIdleTimeout:              h2PingAfter,
		PingTimeout:                  l.HeaderTimeout,
	}
	if err := http2.ConfigureServer(base, conf); err != nil {
		panic(err) // only for unusable TLS settings, and here are none
	}
	return &h2Set{limits: l, base: base, http2: conf}
}
