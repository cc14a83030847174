package upstream

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/wedge-lb/wedge/edge/balance"
	"github.com/wedge-lb/wedge/edge/http1"
)

// A backend is the connections to one address.
type backend struct {
	t        *Transport
	key      key
	settings atomic.Pointer[Settings]
	dialer   *dialer
	trust    trust
	h2       *h2  // nil = HTTP/1.1
	passing  bool // for one exchange: closed from the start, which takes it nevertheless

	mu      sync.Mutex
	conns   *conn   // list of those that are open
	idle    []*conn // the one used last at the end
	waiting queue
	buffers [][]byte // of body senders, free
	open    int      // connections being made, in use and idle
	closed  bool
	reaper  *time.Timer // runs reap while idle is not empty
	dialed  uint64
	reused  uint64
}

func newBackend(t *Transport, k key, s Settings) *backend {
	b := &backend{t: t, key: k}
	b.settings.Store(&s)
	b.dialer = newDialer(k, &s)
	if s.Protocol != "h1" {
		b.h2 = newH2(b)
	}
	return b
}

// newPassing makes a backend for one exchange; nothing of it stays open behind that.
func newPassing(t *Transport, k key, s Settings) *backend {
	b := newBackend(t, k, s)
	b.passing, b.closed = true, true
	if b.h2 != nil {
		b.h2.closed = true
	}
	return b
}

// do is one exchange.
func (b *backend) do(r *http1.Request, a *http1.Response) *balance.Failure {
	if b.h2 != nil {
		return b.h2.do(r, a)
	}
	fresh := false
	for {
		c, f := b.take(r, fresh)
		if f != nil {
			return f
		}
		reused := c.reused
		if f = c.exchange(r, a); !reused {
			b.first(f, r)
		}
		if f == nil {
			return nil
		}
		if !reused || f.Kind != balance.Reset || c.answered || f.Sent && !repeats(r) {
			return f
		}
		fresh = f.Sent // one that nothing was sent on may be followed by another pooled one
	}
}

// first notes how the first exchange on a connection went.
func (b *backend) first(f *balance.Failure, r *http1.Request) {
	if f == nil {
		b.trusted()
		return
	}
	b.judge(f, r)
}

// repeats tells whether r is sent again though the backend may have seen it.
func repeats(r *http1.Request) bool { return repeatable(r) && (r.Again == nil || r.Again()) }

// repeatable tells whether r may be sent again though the backend may have seen it.
func repeatable(r *http1.Request) bool {
	if r.Length != 0 && r.Buffered == nil || r.Upgrade != nil {
		return false
	}
	switch string(r.Method) {
	case "GET", "HEAD", "OPTIONS", "PUT", "DELETE":
		return true
	}
	return false
}

// take gives a connection for r: a pooled one unless it must be fresh, a new one, or the next that comes
// free.
func (b *backend) take(r *http1.Request, fresh bool) (*conn, *balance.Failure) {
	s := b.settings.Load()
	now := b.t.now()
	b.mu.Lock()
	for len(b.idle) > 0 && !fresh {
		c := b.popLocked()
		b.reused++
		b.mu.Unlock()
		if c.fits(now, s) {
			c.sock.recent = now
			return c, nil
		}
		c.discard()
		b.mu.Lock()
	}
	switch {
	case b.closed && !b.passing:
		b.mu.Unlock()
		return nil, &balance.Failure{Kind: balance.ConnectFailed, Err: errClosed}
	case b.open < s.MaxConnections:
		b.open++
		b.mu.Unlock()
		return b.dial(r, s)
	case len(b.idle) > 0: // all idle, but one that is fresh is wanted
		old := b.popLocked()
		b.unlinkLocked(old)
		b.mu.Unlock()
		old.closeSocket()
		return b.dial(r, s) // in its place
	}
	if b.waiting.length >= s.Queue {
		b.mu.Unlock()
		return nil, &balance.Failure{Kind: balance.Busy, Err: errQueue}
	}
	w := newWaiter()
	b.waiting.add(w)
	b.mu.Unlock()
	return b.wait(w, r, s)
}

func (b *backend) popLocked() *conn {
	n := len(b.idle) - 1
	c := b.idle[n]
	b.idle[n] = nil
	b.idle = b.idle[:n]
	return c
}

// give takes a connection back that is ready for another request.
func (b *backend) give(c *conn, now int64) {
	s := b.settings.Load()
	c.idleSince = now
	if c.severed.Load() || c.settings.Announce {
		c.discard()
		return
	}
	b.mu.Lock()
	if w := b.waiting.take(); w != nil {
		b.mu.Unlock()
		w.got <- c
		return
	}
	if b.closed || len(b.idle) >= s.MaxIdle || now-c.born > int64(s.Lifetime) {
		b.mu.Unlock()
		c.discard()
		return
	}
	b.idle = append(b.idle, c)
	if len(b.idle) == 1 {
		b.remindLocked(s.IdleTimeout)
	}
	b.mu.Unlock()
}

// drop counts c out, which is closed.
func (b *backend) drop(c *conn) {
	b.mu.Lock()
	b.unlinkLocked(c)
	b.mu.Unlock()
	b.leave()
}

// leave counts a connection out that was closed or never came to be.
func (b *backend) leave() {
	b.mu.Lock()
	if w := b.waiting.take(); w != nil {
		b.mu.Unlock()
		w.got <- nil // its place is the waiter's
		return
	}
	b.open--
	last := b.closed && b.open == 0
	b.mu.Unlock()
	if last && b.h2 == nil {
		b.t.departed.remove(b)
	}
}

// remindLocked has reap called in d.
func (b *backend) remindLocked(d time.Duration) {
	if b.reaper == nil {
		b.reaper = time.AfterFunc(d, b.reap)
		return
	}
	b.reaper.Reset(d)
}

// reap closes the connections that have waited too long: they are at the front.
func (b *backend) reap() {
	s := b.settings.Load()
	now := b.t.now()
	b.mu.Lock()
	n := 0
	for n < len(b.idle) && now-b.idle[n].idleSince >= int64(s.IdleTimeout) {
		n++
	}
	old := append([]*conn(nil), b.idle[:n]...)
	kept := copy(b.idle, b.idle[n:])
	clear(b.idle[kept:])
	b.idle = b.idle[:kept]
	if kept > 0 && !b.closed {
		b.remindLocked(s.IdleTimeout - time.Duration(now-b.idle[0].idleSince))
	}
	b.mu.Unlock()
	for _, c := range old {
		c.discard()
	}
}

// close ends the connections that wait; those in use follow when they are given back.
func (b *backend) close() {
	b.mu.Lock()
	b.closed = true
	idle := b.idle
	b.idle = nil
	if b.reaper != nil {
		b.reaper.Stop()
	}
	b.mu.Unlock()
	for _, c := range idle {
		c.discard()
	}
	if b.h2 != nil {
		b.h2.close()
	}
}

func (b *backend) stat() Stat {
	b.mu.Lock()
	defer b.mu.Unlock()
	return Stat{Pool: b.key.pool.Name(), Address: b.key.address, Open: b.open, Idle: len(b.idle), Waiting: b.waiting.length,
		Dialed: b.dialed, Reused: b.reused}
}

const senderBuffer = 32 << 10

// buffer gives a buffer for a body sender.
func (b *backend) buffer() []byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	if n := len(b.buffers); n > 0 {
		buf := b.buffers[n-1]
		b.buffers = b.buffers[:n-1]
		return buf
	}
	return make([]byte, senderBuffer)
}

// maxFreeBuffers bounds what is kept for later.
const maxFreeBuffers = 64

func (b *backend) giveBuffer(buf []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.buffers) < maxFreeBuffers {
		b.buffers = append(b.buffers, buf)
	}
}
