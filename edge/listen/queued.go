package listen

import (
	"sync"
	"time"
)

const (
	queuedEvery = 100 * time.Millisecond // between two looks
	queuedMost  = 1000                   // connections that one look spends a system call on
)

// queued is the h1 connections whose exchange waits in a queue. Their clients are looked after more often than
// others: one that has left keeps a place from one that has not. The zero value is ready; it is safe for
// concurrent use.
type queued struct {
	mu    sync.Mutex
	conns map[*tcpConn]struct{}
	some  []*tcpConn // of look alone
}

// watch has c looked at, or no more.
func (q *queued) watch(c *tcpConn, on bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case !on:
		delete(q.conns, c)
	case q.conns == nil:
		q.conns = map[*tcpConn]struct{}{c: {}}
	default:
		q.conns[c] = struct{}{}
	}
}

// look ends those whose client is gone: of very many, a part each time. One goroutine calls it. A connection
// that has left the queue meanwhile is looked at for nothing.
func (q *queued) look() {
	q.mu.Lock()
	for c := range q.conns { // begins anywhere
		if q.some = append(q.some, c); len(q.some) == queuedMost {
			break
		}
	}
	q.mu.Unlock()
	for _, c := range q.some {
		c.lookAtOnce()
	}
	clear(q.some)
	q.some = q.some[:0]
}
