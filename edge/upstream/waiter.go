package upstream

import (
	"errors"
	"slices"
	"time"

	"github.com/wedge-lb/wedge/edge/balance"
	"github.com/wedge-lb/wedge/edge/http1"
)

// A waiter stands in the queue of a backend whose connections are all in use.
type waiter struct {
	got  chan *conn    // has room for one: a connection, or nil = the place to make one
	gone chan struct{} // closed when the client has left
}

func newWaiter() *waiter { return &waiter{make(chan *conn, 1), make(chan struct{})} }

// Interrupt ends the wait.
func (w *waiter) Interrupt() { close(w.gone) }

// nextLocked takes the first waiter out of the queue, nil if there is none.
func (b *backend) nextLocked() *waiter {
	if len(b.waiting) == 0 {
		return nil
	}
	w := b.waiting[0]
	b.waiting = slices.Delete(b.waiting, 0, 1)
	return w
}

var errBusy = errors.New("upstream: all connections are in use")

func (b *backend) wait(w *waiter, r *http1.Request, s *Settings) (*conn, *balance.Failure) {
	if !r.Abort.Attach(w) {
		b.giveUp(w)
		return nil, clientGone(false)
	}
	defer r.Abort.Detach()
	timer := time.NewTimer(s.QueueTimeout)
	defer timer.Stop()
	select {
	case c := <-w.got:
		if c == nil {
			return b.dial(r, s)
		}
		if !c.handed(b.t.now(), s) {
			c.closeSocket()
			return b.dial(r, s) // in its place
		}
		return c, nil
	case <-timer.C:
		b.giveUp(w)
		return nil, &balance.Failure{Kind: balance.Busy, Err: errBusy}
	case <-w.gone:
		b.giveUp(w)
		return nil, clientGone(false)
	}
}

// giveUp leaves the queue, and passes on what may have come at the last moment.
func (b *backend) giveUp(w *waiter) {
	b.mu.Lock()
	if i := slices.Index(b.waiting, w); i >= 0 {
		b.waiting = slices.Delete(b.waiting, i, i+1)
		b.mu.Unlock()
		return
	}
	b.mu.Unlock()
	if c := <-w.got; c != nil {
		b.give(c, b.t.now())
	} else {
		b.leave()
	}
}
