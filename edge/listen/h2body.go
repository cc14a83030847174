package listen

import (
	"io"
	"os"
	"slices"
	"time"

	"github.com/wedge-lb/wedge/edge/http1"
	"github.com/wedge-lb/wedge/edge/http2"
)

// An h2Body is the body of an h2 request: what has come waits in memory, bounded by the stream's window, and
// is given back to the client's window as it is read. It gives io.EOF only for a body that the client ended,
// and that is of its declared length. Its fields are guarded by the connection's mu.
type h2Body struct {
	st       *h2Stream
	in       h2Inbox
	credit   http2.Credit
	left     int64 // of the declared length; Unknown = not declared
	unsized  bool  // it was not declared
	lent     bool  // what is in was given back to the window already
	ended    bool  // by the client
	closed   bool  // by who read
	fault    error // why there is no more
	pace     pace
	since    time.Time // when a Read began to wait; zero = none does
	trailers http1.Fields
	whole    wholeBody
	memory   []byte // of a whole body that did not fit into one piece
	readable chan struct{}
}

// start begins a request, as if it had no body.
func (b *h2Body) start(l *Limits) {
	b.credit.Start(http2.DefaultWindow)
	b.left, b.ended, b.closed, b.fault, b.trailers = 0, false, false, nil, b.trailers[:0]
	b.unsized, b.lent = false, false
	b.pace, b.since = newPace(l.BodyTimeout, l.MinRate), time.Time{}
	drainWake(b.readable)
}

// giveBack forgets a whole body.
func (b *h2Body) giveBack() {
	if b.memory != nil {
		putBuffer(b.memory)
	}
	b.memory, b.whole.left = nil, nil
}

// takeLocked takes data that came. An error is the stream's, which has taken nothing then.
func (b *h2Body) takeLocked(h http2.Header, data []byte) *http2.Error {
	if !b.credit.Take(h.Length) {
		return errH2FlowOf
	}
	ends := h.Has(http2.FlagEndStream)
	if b.left >= 0 && !b.st.tunneled {
		if int64(len(data)) > b.left || ends && int64(len(data)) < b.left {
			return errH2Length
		}
		b.left -= int64(len(data))
	}
	unread := h.Length - len(data) // padding
	if b.closed {
		unread = h.Length
	} else {
		b.in.put(data)
	}
	b.ended = ends
	b.returnLocked(unread)
	wake(b.readable)
	return nil
}

// endLocked takes trailers, behind which the body has ended.
func (b *h2Body) endLocked(trailers http1.Fields) *http2.Error {
	if b.left > 0 && !b.st.tunneled {
		return errH2Length
	}
	slices.SortStableFunc(trailers, func(x, y http1.Field) int { return slices.Compare(x.Name, y.Name) })
	b.trailers, b.ended = trailers, true
	wake(b.readable)
	return nil
}

// returnLocked lets the client send n more bytes.
func (b *h2Body) returnLocked(n int) {
	if n == 0 {
		return
	}
	c := b.st.c
	c.returnLocked(n)
	if more := b.credit.Return(n); more > 0 && !b.ended && !b.st.gone {
		c.room()
		c.out = http2.AppendWindowUpdate(c.out, b.st.id, more)
	}
}

// dropLocked drops what was not read.
func (b *h2Body) dropLocked() {
	if n := b.in.drop(); !b.lent {
		b.returnLocked(n)
	}
}

// offer makes what there is of a body the request's. One that has come whole can be sent on in one piece, and
// again.
func (b *h2Body) offer() {
	c, q := b.st.c, &b.st.x.Request
	c.mu.Lock()
	defer c.mu.Unlock()
	n := b.in.len()
	switch {
	case q.Length == 0:
	case b.ended && n == 0 && len(b.trailers) == 0:
		q.Length = 0
	case b.ended && n <= bodySize && q.Length > 0:
		q.Buffered = b.gather(n)
		b.whole.left, q.Body = q.Buffered, &b.whole
	default:
		q.Body, q.Trailers = b, &b.trailers
	}
}

// gather gives a whole body in one piece.
func (b *h2Body) gather(n int) []byte {
	b.returnLocked(n)
	b.lent = true
	if piece := b.in.peek(); len(piece) == n {
		return piece // stays where it is until drop
	}
	b.memory = getBody()
	for got := 0; got < n; {
		got += b.in.read(b.memory[got:n])
	}
	return b.memory[:n]
}

// Read waits for the client only as long as its pace allows.
func (b *h2Body) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	c := b.st.c
	c.mu.Lock()
	defer c.mu.Unlock()
	for b.in.len() == 0 && !b.ended && !b.closed && b.fault == nil && !b.st.gone {
		b.since = time.Now()
		c.mu.Unlock()
		<-b.readable
		c.mu.Lock()
	}
	n := b.in.read(p)
	b.paced(n)
	b.returnLocked(n)
	c.startLocked()
	switch {
	case b.fault != nil:
		return n, b.fault
	case b.closed, b.st.gone && !b.ended:
		return n, errH2Gone
	case b.ended && b.in.len() == 0:
		return n, io.EOF
	}
	return n, nil
}

// paced accounts for the wait before n bytes.
func (b *h2Body) paced(n int) {
	waited := time.Duration(0)
	if !b.since.IsZero() && !b.converses() {
		waited = time.Since(b.since)
	}
	b.since = time.Time{}
	b.pace.moved(n, waited)
}

// converses tells whether body and answer are a conversation, in which a client may be silent as it may in a
// tunnel.
func (b *h2Body) converses() bool {
	return b.st.tunneled || b.unsized && b.st.answered
}

// lookLocked ends a Read that the client lets wait for too long.
func (b *h2Body) lookLocked(now time.Time) (late bool) {
	if b.since.IsZero() {
		return false
	}
	most := max(b.pace.left, 0)
	if b.converses() {
		most = b.st.limits.TunnelTimeout
	}
	if now.Sub(b.since) <= most {
		return false
	}
	b.fault = os.ErrDeadlineExceeded
	wake(b.readable)
	return true
}

// Close makes a Read that waits, and all later ones, fail.
func (b *h2Body) Close() error {
	c := b.st.c
	c.mu.Lock()
	defer c.mu.Unlock()
	b.closed = true
	b.dropLocked()
	c.startLocked()
	wake(b.readable)
	return nil
}

// h2Pieces is how many buffers hold a whole window, of which the first may be read in part.
const h2Pieces = http2.DefaultWindow/bufferSize + 2

// An h2Inbox is what has come of a body and was not read, in buffers that are only taken for it.
type h2Inbox struct {
	pieces [h2Pieces][]byte // full but for the last
	n      int
	at     int // in the first
}

func (i *h2Inbox) len() int {
	total := -i.at
	for _, p := range i.pieces[:i.n] {
		total += len(p)
	}
	return total
}

func (i *h2Inbox) put(data []byte) {
	for len(data) > 0 {
		if i.n == 0 || len(i.pieces[i.n-1]) == bufferSize {
			i.pieces[i.n] = getBuffer()[:0]
			i.n++
		}
		last := &i.pieces[i.n-1]
		part := min(len(data), bufferSize-len(*last))
		*last = append(*last, data[:part]...)
		data = data[part:]
	}
}

// peek gives what is in the first piece.
func (i *h2Inbox) peek() []byte {
	if i.n == 0 {
		return nil
	}
	return i.pieces[0][i.at:]
}

func (i *h2Inbox) read(p []byte) (n int) {
	for i.n > 0 && n < len(p) {
		part := copy(p[n:], i.peek())
		n += part
		if i.at += part; i.at == len(i.pieces[0]) {
			i.shift()
		}
	}
	return n
}

// shift drops the first piece.
func (i *h2Inbox) shift() {
	putBuffer(i.pieces[0])
	copy(i.pieces[:], i.pieces[1:i.n])
	i.n--
	i.pieces[i.n] = nil
	i.at = 0
}

// drop drops all, and gives how much that was.
func (i *h2Inbox) drop() int {
	n := i.len()
	for i.n > 0 {
		i.shift()
	}
	return n
}
