package listen

import (
	"context"
	"crypto/rand"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/quic-go/quic-go"
)

const (
	h3StreamWindow    = 64 << 10
	h3StreamWindowMax = 512 << 10
	h3ConnWindow      = 128 << 10
	h3ConnWindowMax   = 1 << 20
	h3KeepAlive       = 30 * time.Second
	h3UniStreams      = 8 // control and two for QPACK, and some that are of no use

	h3Protocol = "h3"
	h3Look     = 50 * time.Millisecond
	h3Sweep    = 100 * time.Millisecond // between two looks for clients that have left
)

var errTooMany = errors.New("listen: connection over a limit")

// A quicFront is one UDP listener with its connections, served by quic-go.
type quicFront struct {
	server    *Server
	packets   net.PacketConn
	transport *quic.Transport
	listener  *quic.Listener
	workers   *workers[*h3Stream]
	conns     sync.WaitGroup
	pending   atomic.Int64 // handshakes in progress
	running   atomic.Int64 // requests

	draining context.Context // done when no more connections are accepted
	quit     context.CancelFunc
	ending   context.Context // done when what is left is to be cut
	end      context.CancelFunc
}

func newQUICFront(s *Server, c net.PacketConn) (*quicFront, error) {
	f := &quicFront{server: s, packets: c, workers: newWorkers(newH3Stream)}
	f.ending, f.end = context.WithCancel(context.Background())
	f.draining, f.quit = context.WithCancel(f.ending)
	f.transport = &quic.Transport{
		Conn:                c,
		StatelessResetKey:   (*quic.StatelessResetKey)(orRandom(s.opt.ResetKey)),
		TokenGeneratorKey:   (*quic.TokenGeneratorKey)(orRandom(s.opt.TokenKey)),
		VerifySourceAddress: f.verify,
		ConnContext:         f.admit,
	}
	var err error
	h3TLS := withProtocols(s.opt.QUIC, []string{h3Protocol})
	f.listener, err = f.transport.Listen(h3TLS, f.config(nil))
	return f, err
}

func orRandom(k *[32]byte) *[32]byte {
	if k == nil {
		k = new([32]byte)
		rand.Read(k[:]) // never fails
	}
	return k
}

// config is QUIC's for connections that begin now.
func (f *quicFront) config(*quic.ClientInfo) *quic.Config {
	l := f.server.limits.Load()
	return &quic.Config{
		GetConfigForClient:             f.configFor,
		HandshakeIdleTimeout:           l.HandshakeTimeout / 2, // quic-go gives up at twice this
		MaxIdleTimeout:                 l.IdleTimeout,
		InitialStreamReceiveWindow:     h3StreamWindow,
		MaxStreamReceiveWindow:         h3StreamWindowMax,
		InitialConnectionReceiveWindow: h3ConnWindow,
		MaxConnectionReceiveWindow:     h3ConnWindowMax,
		MaxIncomingStreams:             int64(l.Streams),
		MaxIncomingUniStreams:          h3UniStreams,
		KeepAlivePeriod:                min(l.IdleTimeout/3, h3KeepAlive), // for quiet streams
	}
}

func (f *quicFront) configFor(info *quic.ClientInfo) (*quic.Config, error) {
	return f.config(info), nil
}

// verify asks a client to prove its address when many handshakes are in progress.
func (f *quicFront) verify(net.Addr) bool {
	return f.pending.Load() >= int64(f.server.limits.Load().RetryAbove)
}

// A quicConn is what a connection counts as.
type quicConn struct {
	client
	front   *quicFront
	pending atomic.Bool // its handshake is in progress
}

type quicConnKey struct{}

// admit counts a connection in when its first packet is taken.
func (f *quicFront) admit(ctx context.Context, info *quic.ClientInfo) (context.Context, error) {
	s := f.server
	limits := s.limits.Load()
	peer := addrPort(info.RemoteAddr)
	if f.pending.Load() >= int64(limits.Handshakes) || !s.gate.enter(overQUIC, peer.Addr(), limits) {
		s.counters.refused.Add(1)
		return nil, errTooMany
	}
	c := &quicConn{front: f, client: client{peer: peer, shard: s.shard.Add(1)}}
	c.pending.Store(true)
	f.pending.Add(1)
	context.AfterFunc(ctx, c.left)
	return context.WithValue(ctx, quicConnKey{}, c), nil
}

// shaken notes the end of the handshake.
func (c *quicConn) shaken() bool {
	if !c.pending.CompareAndSwap(true, false) {
		return false
	}
	c.front.pending.Add(-1)
	return true
}

// left counts the connection out.
func (c *quicConn) left() {
	s := c.front.server
	if c.shaken() {
		s.counters.handshakeErrors.Add(1)
	}
	s.gate.leave(overQUIC, c.peer.Addr())
}

// run serves until the listener is closed, and all connections have ended.
func (f *quicFront) run() error {
	done := make(chan struct{})
	var helpers sync.WaitGroup
	helpers.Go(func() { f.sweep(done) })
	err := f.accept()
	drained := f.draining.Err() != nil
	f.drain()
	helpers.Go(f.hush)
	f.conns.Wait()
	f.end()
	close(done)
	helpers.Wait()
	closed := errors.Join(f.transport.Close(), f.packets.Close())
	f.workers.end()
	if drained {
		return nil
	}
	return errors.Join(err, closed)
}

// sweep looks for clients that have left until done is closed.
func (f *quicFront) sweep(done <-chan struct{}) {
	tick := time.NewTicker(h3Sweep)
	defer tick.Stop()
	for turn := 1; ; turn++ {
		select {
		case <-done:
			return
		case <-tick.C:
		}
		f.workers.each((*h3Stream).look)
		if turn%int(workersRest*time.Second/h3Sweep) == 0 {
			f.workers.retire()
		}
	}
}

// accept starts to serve the connections whose handshake is done.
func (f *quicFront) accept() error {
	for {
		conn, err := f.listener.Accept(context.Background())
		if err != nil {
			return err
		}
		c, ok := conn.Context().Value(quicConnKey{}).(*quicConn)
		if !ok {
			conn.CloseWithError(quic.ApplicationErrorCode(h3Internal), "") // admit saw it not
			continue
		}
		c.shaken()
		state := conn.ConnectionState().TLS
		c.local = addrPort(conn.LocalAddr())
		c.sni, c.guard = serverName(&state), f.server.guard(&state, conn.LocalAddr())
		f.server.counters.h3.Add(1)
		f.conns.Go(newH3Conn(f, conn, &c.client).serve)
	}
}

// hush ends a drain when no request has been in progress for a while: GOAWAY asks clients to close the
// connection, and not all do.
func (f *quicFront) hush() {
	tick := time.NewTicker(h3Look)
	defer tick.Stop()
	quiet := time.Duration(0)
	for quiet < h3Grace {
		select {
		case <-tick.C:
		case <-f.ending.Done():
			return
		}
		if quiet += h3Look; f.running.Load() > 0 {
			quiet = 0
		}
	}
	f.end()
}

func (f *quicFront) drain() {
	if f.draining.Err() == nil {
		f.quit()
		f.listener.Close()
	}
}

func (f *quicFront) cut() {
	f.drain()
	f.end()
}
