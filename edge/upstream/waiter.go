package upstream

import (
	"errors"
	"time"

	"github.com/wedge-lb/wedge/edge/balance"
	"github.com/wedge-lb/wedge/edge/http1"
)

// A waiter stands in the queue of a backend whose connections are all in use.
type waiter struct {
	got        chan *conn    // has room for one: a connection, or nil = the place to make one
	gone       chan struct{} // closed when the client has left
	prev, next *waiter
	queued     bool
}

func newWaiter() *waiter { return &waiter{got: make(chan *conn, 1), gone: make(chan struct{})} }

// Interrupt ends the wait.
func (w *waiter) Interrupt() { close(w.gone) }

// A queue is the waiters of one backend, the first come first. Its owner's mu guards it.
type queue struct {
	first, last *waiter
	length      int
}

func (q *queue) add(w *waiter) {
	w.prev, w.queued = q.last, true
	if q.last == nil {
		q.first = w
	} else {
		q.last.next = w
	}
	q.last = w
	q.length++
}

// take takes the first out, nil if there is none.
func (q *queue) take() *waiter {
	w := q.first
	if w != nil {
		q.remove(w)
	}
	return w
}

// remove takes w out. It is false if w was out already.
func (q *queue) remove(w *waiter) bool {
	if !w.queued {
		return false
	}
	if w.prev == nil {
		q.first = w.next
	} else {
		w.prev.next = w.next
	}
	if w.next == nil {
		q.last = w.prev
	} else {
		w.next.prev = w.prev
	}
	w.prev, w.next, w.queued = nil, nil, false
	q.length--
	return true
}

var (
	errBusy  = errors.New("upstream: all connections are in use")
	errQueue = errors.New("upstream: all connections are in use, and so many requests wait as may")
)

func (b *backend) wait(w *waiter, r *http1.Request, s *Settings) (*conn, *balance.Failure) {
	if !r.Abort.Attach(w) {
		b.giveUp(w)
		return nil, clientGone(false)
	}
	defer r.Abort.Detach()
	timer := time.NewTimer(patient(s.QueueTimeout, r))
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
	left := b.waiting.remove(w)
	b.mu.Unlock()
	if left {
		return
	}
	if c := <-w.got; c != nil {
		b.give(c, b.t.now())
	} else {
		b.leave()
	}
}
