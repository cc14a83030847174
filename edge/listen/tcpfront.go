package listen

import (
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"sync"
	"time"
)

const (
	sweepEvery  = 250 * time.Millisecond
	askEvery    = 4           // sweeps: the system is asked for a connection in one of so many
	acceptPause = time.Second // at most, between two tries after Accept failed
)

// A tcpFront is one TCP listener with its connections.
type tcpFront struct {
	server   *Server
	listener net.Listener
	tls      *tls.Config // nil = plain

	mu      sync.Mutex
	conns   map[*tcpConn]struct{}
	severed bool

	workers *workers[*h2Stream]
	queued  queued

	quit    chan struct{} // closed when the listener is
	quitOne sync.Once
	wg      sync.WaitGroup // of connections
}

func newTCPFront(s *Server, l net.Listener, t *tls.Config) *tcpFront {
	return &tcpFront{server: s, listener: l, tls: t, conns: map[*tcpConn]struct{}{},
		workers: newWorkers(newH2Stream), quit: make(chan struct{})}
}

func (f *tcpFront) kind() kind {
	if f.tls == nil {
		return plainTCP
	}
	return tlsTCP
}

func (f *tcpFront) run() error {
	ended := make(chan struct{})
	var sweeper sync.WaitGroup
	sweeper.Go(func() { f.sweep(ended) })
	err := f.accept()
	f.wg.Wait()
	f.workers.end()
	close(ended)
	sweeper.Wait()
	return err
}

// accept takes connections until the listener is closed. When the system has none to give, it tries again
// with growing pauses: descriptors come back.
func (f *tcpFront) accept() error {
	pause := time.Duration(0)
	for {
		c, err := f.listener.Accept()
		if err == nil {
			pause = 0
			f.admit(c)
			continue
		}
		if errors.Is(err, net.ErrClosed) {
			if f.closed() {
				return nil
			}
			return err
		}
		if pause == 0 {
			f.server.opt.Logger.Warn("accept", "listener", f.listener.Addr(), "error", err)
		}
		pause = min(max(2*pause, 5*time.Millisecond), acceptPause)
		select {
		case <-time.After(pause):
		case <-f.quit:
			return nil
		}
	}
}

func (f *tcpFront) closed() bool {
	select {
	case <-f.quit:
		return true
	default:
		return false
	}
}

// admit starts to serve c if the limits let it.
func (f *tcpFront) admit(c net.Conn) {
	s := f.server
	limits := s.limits.Load()
	peer := addrPort(c.RemoteAddr())
	announces, ok := s.enter(f.kind(), peer.Addr(), limits)
	if !ok {
		s.counters.refused.Add(1)
		c.Close()
		return
	}
	conn := newTCPConn(f, c, peer, limits)
	conn.announces = announces
	if !f.add(conn) {
		conn.leave()
		c.Close()
		return
	}
	if f.tls != nil || announces {
		if oldest := s.pending.begin(conn, limits.Handshakes); oldest != nil {
			oldest.sever()
		}
	}
	f.wg.Go(conn.serve)
}

func addrPort(a net.Addr) netip.AddrPort {
	switch a := a.(type) {
	case *net.TCPAddr:
		ap := a.AddrPort()
		return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
	case *net.UDPAddr:
		ap := a.AddrPort()
		return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
	}
	return netip.AddrPort{}
}

func (f *tcpFront) add(c *tcpConn) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.severed {
		return false
	}
	f.conns[c] = struct{}{}
	return true
}

func (f *tcpFront) remove(c *tcpConn) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.conns, c)
}

func (f *tcpFront) drain() {
	f.close()
	f.mu.Lock()
	defer f.mu.Unlock()
	for c := range f.conns {
		c.dismiss()
	}
}

func (f *tcpFront) cut() {
	f.close()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.severed = true
	for c := range f.conns {
		c.sever()
	}
}

func (f *tcpFront) close() {
	f.quitOne.Do(func() {
		close(f.quit)
		f.listener.Close()
	})
}

// sweep looks from time to time for clients that left while their request is being served, or waits for that.
func (f *tcpFront) sweep(ended chan struct{}) {
	tick, soon := time.NewTicker(sweepEvery), time.NewTicker(queuedEvery)
	defer tick.Stop()
	defer soon.Stop()
	for turn := uint32(0); ; {
		select {
		case <-soon.C:
			f.queued.look()
		case now := <-tick.C:
			turn++
			f.look(now, turn)
			if turn%uint32(workersRest*time.Second/sweepEvery) == 0 {
				f.workers.retire()
			}
		case <-ended:
			return
		}
	}
}

func (f *tcpFront) look(now time.Time, turn uint32) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for c := range f.conns {
		c.look(now, (c.shard+turn)%askEvery == 0)
	}
}
