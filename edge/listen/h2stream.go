package listen

import (
	"time"

	"github.com/wedge-lb/wedge/edge/http2"
	"github.com/wedge-lb/wedge/edge/proxy"
)

// An h2Stream serves one request of an h2 connection after the other, on the goroutine of its worker, and
// keeps its memory over them. What others change of it is guarded by the connection's mu.
type h2Stream struct {
	h2Reply
	c      *h2Conn
	writes *h2Conn // for which the worker is to write, and no more
	id     uint32
	limits *Limits
	mem    []byte // what the request's slices alias
	names  sectionHead
	bad    error // why it is no request
	body   h2Body
	x      proxy.Exchange
	opened time.Time

	// Guarded by the connection's mu.
	started     bool
	gone        bool // the stream is no more, or its connection
	answered    bool // the answer has begun
	tunneled    bool
	window      http2.Window
	urgency     int8
	incremental bool
	message     h2Message
	waits       bool      // among those that wait to be sent
	stalled     time.Time // since when its window is closed; zero = it is not
	pace        pace      // of what the client takes
	writable    chan struct{}
}

func newH2Stream() *h2Stream {
	st := &h2Stream{writable: make(chan struct{}, 1)}
	st.body.readable = make(chan struct{}, 1)
	st.h2Reply.st, st.body.st = st, st
	return st
}

// begin makes st the stream of a request whose fields are to be read. The connection's mu is held.
func (st *h2Stream) begin(c *h2Conn, id uint32) {
	l := c.limits
	st.c, st.id, st.limits, st.opened = c, id, l, c.now
	st.started, st.gone, st.answered, st.tunneled, st.waits = false, false, false, false, false
	st.stalled, st.message, st.bad = time.Time{}, h2Message{}, nil
	st.window, st.urgency, st.incremental = http2.Window(c.initial), defaultUrgency, false
	st.pace = newPace(l.BodyTimeout, l.MinRate)
	drainWake(st.writable)
	st.h2Reply.start()
	st.body.start(l)
	x := &st.x
	x.Reset()
	x.Protocol, x.Secure, x.SNI, x.Guard = proxy.H2, true, c.sni, c.guard
	x.Peer, x.Local, x.Shard, x.Reply = c.peer, c.local, c.shard, &st.h2Reply
	x.Begun = c.now
}

// drainWake forgets a wake that nobody waited for.
func drainWake(c chan struct{}) {
	select {
	case <-c:
	default:
	}
}

// readFields makes the exchange's request of a block, but for what Check does; bad is what is wrong with it.
// An error is the connection's.
func (st *h2Stream) readFields(block []byte) *http2.Error {
	c, q, h := st.c, &st.x.Request, &st.names
	*h = sectionHead{}
	d := &c.decoder
	d.Mem = st.mem[:0]
	d.Begin(block, st.limits.HeaderBytes)
	for {
		more, err := d.More()
		if err != nil {
			return err
		}
		if !more {
			break
		}
		name, value, fits, err := d.Next()
		switch {
		case err != nil:
			return err
		case st.bad != nil:
			d.Mem = d.Mem[:0] // the block is decoded to its end
		case !fits:
			st.bad = errSection
		default:
			st.bad = h.take(q, name, value, st.limits.HeaderFields)
		}
	}
	st.mem, d.Mem = d.Mem, nil
	if st.bad == nil {
		st.bad = st.finishFields()
	}
	return nil
}

func (st *h2Stream) finishFields() error {
	q, h := &st.x.Request, &st.names
	if h.cookies > 1 {
		q.Fields, st.mem = joinCookies(q.Fields, st.mem)
	}
	if h.priority != nil {
		st.c.aware = true
		st.urgency, st.incremental = parsePriority(h.priority)
	}
	if err := h.target(q, true); err != nil {
		return err
	}
	if h.protocol != nil {
		return st.upgrade()
	}
	if err := q.Check(st.limits.wire()); err != nil {
		return err
	}
	st.body.left, st.body.unsized = q.Length, q.Length < 0
	return nil
}

// serve answers the request, or writes for a connection.
func (st *h2Stream) serve() {
	if c := st.writes; c != nil {
		st.writes = nil
		c.write(nil)
		c.work.Done()
		return
	}
	c := st.c
	defer c.work.Done()
	defer st.end()
	if st.bad != nil {
		c.server.refuse(&st.x, refusal(st.bad))
		return
	}
	if !st.tunneled {
		st.body.offer()
	}
	if !c.server.handle(&st.x) && st.state != replyEnded {
		st.state = replyCut
	}
}

// abandonLocked aborts the exchange, and wakes who waits for the client.
func (st *h2Stream) abandonLocked() {
	st.gone = true
	if st.started {
		st.x.Abort.Abort()
	}
	st.c.releaseLocked(st)
	wake(st.body.readable)
}

// end forgets the request. A stream that has not ended is reset.
func (st *h2Stream) end() {
	c := st.c
	c.mu.Lock()
	c.releaseLocked(st)
	if _, open := c.streams.Get(st.id); open {
		c.closeLocked(st)
	}
	c.running--
	st.forgetLocked()
	c.restedLocked()
	c.startLocked()
	c.mu.Unlock()
}

// closeLocked ends the stream of a request that was served, so that nothing knows of st any more.
func (c *h2Conn) closeLocked(st *h2Stream) {
	switch {
	case st.gone:
		c.streams.Drop(st.id)
	case st.tunneled && st.state == replyEnded:
		c.dropLocked(st.id, http2.Cancel)
	default:
		c.dropLocked(st.id, http2.InternalError)
	}
}

// h2MemoryKept is the most of a head that is kept for the next.
const h2MemoryKept = 16 << 10

// forgetLocked lets another request use st.
func (st *h2Stream) forgetLocked() {
	st.gone, st.message = true, h2Message{}
	st.body.dropLocked()
	st.h2Reply.giveBack()
	st.body.giveBack()
	st.x.Reset()
	st.x.SNI, st.x.Guard = "", nil
	if cap(st.mem) > h2MemoryKept {
		st.mem = nil
	}
	st.c, st.limits = nil, nil
}

// moved notes that the client let n bytes be sent.
func (st *h2Stream) moved(now time.Time, n int) {
	waited := time.Duration(0)
	if !st.stalled.IsZero() {
		waited = now.Sub(st.stalled)
		st.stalled = time.Time{}
	}
	st.pace.moved(n, waited)
}
