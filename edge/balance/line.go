package balance

// A queue is who waits at a Gate, in lines of those that want the same. Its owner's mu guards it.
type queue struct {
	entering [2]line         // for a place of the pool: new requests, and pinned ones
	anywhere line            // for a backend
	pinned   map[*Load]*line // for the one backend
	length   int
	last     uint64 // that was given as a seq
	turn     int    // where the next look for any room begins
}

func newQueue() queue { return queue{pinned: map[*Load]*line{}} }

// A line is waiters by their seq.
type line struct {
	first, last *Waiter
	at          *Load // of the one backend they wait for
}

// fits tells whether the backend has room for a pinned request.
func (l *line) fits(b *bounds) bool { return l.at.InFlight() < b.backend[class(true)] }

// add puts w where it belongs: mostly last, but one that waits again keeps its place.
func (q *queue) add(w *Waiter) {
	l := q.lineOf(w)
	after := l.last
	for after != nil && after.seq > w.seq {
		after = after.prev
	}
	w.in, w.prev = l, after
	if after == nil {
		w.next, l.first = l.first, w
	} else {
		w.next, after.next = after.next, w
	}
	if w.next == nil {
		l.last = w
	} else {
		w.next.prev = w
	}
	q.length++
}

func (q *queue) lineOf(w *Waiter) *line {
	switch {
	case !w.places:
		return &q.entering[class(w.pinned)]
	case w.at == nil:
		return &q.anywhere
	}
	l := q.pinned[w.at]
	if l == nil {
		l = &line{at: w.at}
		q.pinned[w.at] = l
	}
	return l
}

// remove takes w out.
func (q *queue) remove(w *Waiter) {
	l := w.in
	if w.prev == nil {
		l.first = w.next
	} else {
		w.prev.next = w.next
	}
	if w.next == nil {
		l.last = w.prev
	} else {
		w.next.prev = w.prev
	}
	w.in, w.prev, w.next = nil, nil, nil
	q.length--
	if l.first == nil && l.at != nil {
		delete(q.pinned, l.at)
	}
}

// latest is who came last: of the new requests, or of the pinned if there are no others.
func (q *queue) latest() *Waiter {
	if w := later(q.entering[0].last, q.anywhere.last); w != nil {
		return w
	}
	w := q.entering[1].last
	for _, l := range q.pinned {
		w = later(w, l.last)
	}
	return w
}

// earlier is who came first; nil is nobody.
func earlier(a, b *Waiter) *Waiter {
	if a == nil || b != nil && b.seq < a.seq {
		return b
	}
	return a
}
