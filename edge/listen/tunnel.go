package listen

import (
	"sync"
	"sync/atomic"
	"time"
)

// A tunnel is what is left of an h1 connection after a 101: the raw stream, with what the client sent ahead.
// One goroutine may read while another writes; Close ends both. It ends when nothing has moved in either
// direction for TunnelTimeout.
type tunnel struct {
	h     *h1Conn
	begun time.Time
	idle  time.Duration
	moved atomic.Int64 // when something was last read or written, ns from begun
	over  chan struct{}
	once  sync.Once
}

func newTunnel(h *h1Conn) *tunnel {
	h.conn.phase.CompareAndSwap(phaseServing, phaseBusy) // half-closed is not gone here
	h.conn.socket.pace(false)
	return &tunnel{h: h, begun: time.Now(), idle: h.conn.limits.TunnelTimeout, over: make(chan struct{})}
}

// Read gives what comes from the client.
func (t *tunnel) Read(p []byte) (int, error) {
	for {
		quiet := time.Since(t.begun) - time.Duration(t.moved.Load())
		t.h.conn.socket.readBy(time.Now(), max(t.idle-quiet, time.Millisecond))
		n, err := t.h.in.Read(p)
		if n > 0 {
			t.touch()
			return n, err
		}
		if !timedOut(err) || time.Since(t.begun)-time.Duration(t.moved.Load()) >= t.idle {
			return n, err
		}
	}
}

// Write sends to the client, which must take it as it must take an answer.
func (t *tunnel) Write(p []byte) (int, error) {
	n, err := t.h.stream.Write(p)
	t.touch()
	return n, err
}

func (t *tunnel) touch() { t.moved.Store(int64(time.Since(t.begun))) }

// CloseWrite tells the client that no more comes.
func (t *tunnel) CloseWrite() error {
	if c, ok := t.h.stream.(interface{ CloseWrite() error }); ok {
		return c.CloseWrite()
	}
	return nil
}

// Close ends the connection.
func (t *tunnel) Close() error {
	err := t.h.stream.Close()
	t.once.Do(func() { close(t.over) })
	return err
}

func (t *tunnel) wait() { <-t.over }
