package balance

import (
	"errors"
	"time"
)

// Why a request did not get room.
var (
	ErrQueueFull    = errors.New("no room, and as many requests wait as may")
	ErrQueueTimeout = errors.New("no room in time")
	ErrLeft         = errors.New("left the queue") // by Interrupt
)

// A Waiter is the place of one request in the queue of a Gate. The zero value is ready, and again after Reset.
// One goroutine uses it, but for Interrupt: Enter or Begin, and if that is true Await. Then Err, Entered and
// Granted tell how it went.
type Waiter struct {
	Err     error    // ErrQueueFull, ErrQueueTimeout or ErrLeft; then nothing is held
	Entered bool     // a place of the pool is held, as by Gate.Enter
	Granted *Backend // the request is counted in there, as by Backend.Begin

	gate   *Gate
	seq    uint64 // by which the first come first; 0 = it has not waited yet
	due    time.Time
	pinned bool
	places bool          // it wants a backend as well, not a place of the pool alone
	at     *Load         // of the backend that it is pinned to; nil = any
	woken  chan struct{} // has room for one
	timer  *time.Timer

	in         *line
	prev, next *Waiter
}

// Reset makes w ready for another request.
func (w *Waiter) Reset() { w.Err, w.Entered, w.Granted, w.gate, w.seq = nil, false, nil, nil, 0 }

// Enter asks for a place of the pool. If it is true, w is in the queue.
func (w *Waiter) Enter(g *Gate, pinned bool) bool {
	w.pinned, w.places, w.at = pinned, false, nil
	return g.join(w)
}

// Begin asks for a place of the pool and for room at a backend: at b for a request that is pinned there, at any
// open one if b is nil. If it is true, w is in the queue. A w that ends up without an error and without anything
// else should choose anew: the backends have changed.
func (w *Waiter) Begin(g *Gate, b *Backend) bool {
	w.pinned, w.places, w.at = b != nil, true, nil
	if b != nil {
		w.at = b.load
	}
	return g.join(w)
}

// Await waits in the queue: for Limits.Wait in all, however often.
func (w *Waiter) Await() {
	left := time.Until(w.due)
	if w.timer == nil {
		w.timer = time.NewTimer(left)
	} else {
		w.timer.Reset(left)
	}
	select {
	case <-w.woken:
	case <-w.timer.C:
		w.gate.drop(w, ErrQueueTimeout)
		<-w.woken
	}
	w.timer.Stop()
}

// Interrupt takes w out of the queue: its client has left. It may be called from any goroutine once w is in the
// queue, and until Await has returned.
func (w *Waiter) Interrupt() { w.gate.drop(w, ErrLeft) }

// join gives w room, or refuses it, or puts it into the queue: then it is true.
func (g *Gate) join(w *Waiter) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	w.gate, w.Err, w.Entered, w.Granted = g, nil, false, nil
	if g.admitLocked(w, nil) { // nobody in the queue could take that room
		return false
	}
	b := g.bounds.Load()
	if g.queue.length >= b.Queue && !g.makeWayLocked(w, b) {
		w.Err = ErrQueueFull
		return false
	}
	if w.woken == nil {
		w.woken = make(chan struct{}, 1)
	}
	if w.seq == 0 {
		g.queue.last++
		w.seq, w.due = g.queue.last, time.Now().Add(b.Wait)
	}
	g.queue.add(w)
	g.waiting.Store(int64(g.queue.length))
	g.grantLocked(nil) // room may have come free before anyone knew of w
	return true
}

// makeWayLocked sheds the new session that came last for a pinned request, if there is a reserve for those.
func (g *Gate) makeWayLocked(w *Waiter, b *bounds) bool {
	if !w.pinned || b.Reserve == 0 || b.Queue == 0 {
		return false
	}
	last := later(g.queue.entering[0].last, g.queue.anywhere.last)
	if last == nil {
		return false
	}
	g.wakeLocked(last, ErrQueueFull)
	return true
}

func later(a, b *Waiter) *Waiter {
	if a == nil || b != nil && b.seq > a.seq {
		return b
	}
	return a
}

// drop takes w out of the queue, if it is still there.
func (g *Gate) drop(w *Waiter, why error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if w.in != nil {
		g.wakeLocked(w, why)
	}
}

// wakeLocked takes w out of the queue and wakes it.
func (g *Gate) wakeLocked(w *Waiter, err error) {
	g.queue.remove(w)
	g.waiting.Store(int64(g.queue.length))
	w.Err = err
	w.woken <- struct{}{}
}

// grantLocked gives room to those who wait, the first come first, as long as one fits. at is where room has
// come free; nil = there may be room anywhere.
func (g *Gate) grantLocked(at *Backend) {
	for g.queue.length > 0 {
		w := g.fitsLocked(at)
		if w == nil {
			return
		}
		if g.admitLocked(w, at) {
			g.wakeLocked(w, nil)
		} // or else another was faster: look again
	}
}

// fitsLocked is the first in the queue for whom there is room.
func (g *Gate) fitsLocked(at *Backend) (first *Waiter) {
	q, b := &g.queue, g.bounds.Load()
	var room [2]bool
	for i := range room {
		if room[i] = g.inFlight.Load() < b.pool[i]; room[i] {
			first = earlier(first, q.entering[i].first)
		}
	}
	if room[0] && q.anywhere.first != nil && g.anyLocked(at) != nil {
		first = earlier(first, q.anywhere.first)
	}
	if !room[1] {
		return first
	}
	if at != nil && b.Limits.Pool == 0 { // nothing has changed elsewhere
		if l := q.pinned[at.load]; l != nil && l.fits(b) {
			first = earlier(first, l.first)
		}
		return first
	}
	for _, l := range q.pinned {
		if l.fits(b) {
			first = earlier(first, l.first)
		}
	}
	return first
}

// anyLocked is an open backend with room for a new request: at, or else any if the pool's bound may have kept a
// request from it.
func (g *Gate) anyLocked(at *Backend) *Backend {
	s := g.pool.Set()
	if at != nil {
		row := s.Find(at.ID)
		if row != nil && row.load == at.load && s.Available(row, false) && !row.Full(false) {
			return row
		}
		if g.bounds.Load().Limits.Pool == 0 {
			return nil
		}
	}
	n := len(s.open)
	for i := range n {
		if b := &s.Backends[s.open[(g.queue.turn+i)%n]]; !b.Full(false) {
			g.queue.turn = (g.queue.turn + i + 1) % n
			return b
		}
	}
	return nil
}

// admitLocked takes for w what it wants, all or nothing.
func (g *Gate) admitLocked(w *Waiter, at *Backend) bool {
	if !g.enter(w.pinned) {
		return false
	}
	w.Entered = true
	if !w.places {
		return true
	}
	var b *Backend
	if w.at != nil {
		b = g.pool.Set().row(w.at)
	} else {
		b = g.anyLocked(at)
	}
	if b != nil && g.begin(b, w.pinned) {
		w.Granted = b
		return true
	}
	g.inFlight.Add(-1)
	w.Entered = false
	return false
}

// row is the row with that load, nil if there is none.
func (s *Set) row(l *Load) *Backend {
	for i := range s.Backends {
		if s.Backends[i].load == l {
			return &s.Backends[i]
		}
	}
	return nil
}

// reexamine looks at all who wait again: limits or backends have changed.
func (g *Gate) reexamine() {
	g.mu.Lock()
	defer g.mu.Unlock()
	s := g.pool.Set()
	for load, l := range g.queue.pinned {
		if b := s.row(load); b == nil || !s.Available(b, true) {
			g.wakeAllLocked(l)
		}
	}
	if len(s.open) == 0 {
		g.wakeAllLocked(&g.queue.anywhere)
	}
	g.grantLocked(nil)
	for over := g.queue.length - g.bounds.Load().Queue; over > 0; over-- {
		g.wakeLocked(g.queue.latest(), ErrQueueFull)
	}
}

// wakeAllLocked has a line choose anew.
func (g *Gate) wakeAllLocked(l *line) {
	for l.first != nil {
		g.wakeLocked(l.first, nil)
	}
}
