package listen

import (
	"runtime"
	"slices"
	"time"

	"github.com/wedge-lb/wedge/edge/http2"
)

const (
	h2OutRoom = bodySize  // of what waits to be written; more than that waits with its stream
	h2Record  = 16 << 10  // of large answers that is written in one piece
	h2OutMost = 256 << 10 // of answers to frames that move nothing, whose client does not take them
	h2Rounds  = 2         // of writes that a worker does when it has nothing to send itself any more
)

// errH2Gone is when a stream, or its connection, is no more.
var errH2Gone = &http2.Error{Code: http2.StreamClosed, Stream: true, Reason: "stream is closed"}

// h2Out is what a connection is to send, guarded by the connection's mu. Frames gather in out. Whoever adds
// to it while nobody writes becomes the writer; it lets others that are about to answer run first, so that
// what they send goes with it, in one record and one system call.
type h2Out struct {
	out     []byte // whole frames
	spare   []byte
	first   bool // a field block has been sent
	writing bool
	window  http2.Window
	initial int32 // of the client's streams' windows
	waiting []*h2Stream
	aware   bool // the client tells priorities
	over    bool // nothing more is taken
	broken  bool // writing has failed
	quiet   chan struct{}
}

// h2Message is what a stream has to send: a head, data in two pieces, trailers; then it may end.
type h2Message struct {
	block []byte
	data  [2][]byte
	tail  []byte
	ends  bool
}

func (m *h2Message) size() int { return len(m.data[0]) + len(m.data[1]) }

// room makes sure that out has memory.
func (o *h2Out) room() {
	if o.out == nil {
		if o.out, o.spare = o.spare, nil; o.out == nil {
			o.out = getBody()[:0]
		}
	}
}

// send sends m on st, and waits until it is on its way.
func (c *h2Conn) send(st *h2Stream, m h2Message) error {
	c.mu.Lock()
	if c.over || st.gone {
		c.mu.Unlock()
		return errH2Gone
	}
	st.message = m
	c.room()
	if m.size() > answerBuffer || !c.advance(st, h2OutRoom) {
		st.waits = true
		c.waiting = append(c.waiting, st)
	}
	leads, waits := !c.writing, st.waits
	c.writing = true
	c.mu.Unlock()
	if leads {
		c.write(st)
	}
	if !waits {
		return nil
	}
	return c.sent(st)
}

// sent waits until nothing of st waits any more.
func (c *h2Conn) sent(st *h2Stream) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for st.waits {
		c.mu.Unlock()
		<-st.writable
		c.mu.Lock()
	}
	if c.broken || st.gone {
		return errH2Gone
	}
	return nil
}

// startLocked has what is there written by a worker, if there is anything and nobody writes.
func (c *h2Conn) startLocked() {
	if c.writing || len(c.out) == 0 && c.pick() == nil {
		return
	}
	c.writing = true
	c.work.Add(1)
	w := c.workers.take()
	w.stream.writes = c
	w.start()
}

// write writes until there is nothing that can be. own is the stream of who writes, nil if that has nothing
// else to do; for others it does not go on for long.
func (c *h2Conn) write(own *h2Stream) {
	runtime.Gosched()
	c.mu.Lock()
	defer c.mu.Unlock()
	for round := 0; ; round++ {
		c.fill()
		if len(c.out) == 0 || c.broken {
			c.writing = false
			c.restLocked()
			return
		}
		if own != nil && !own.waits && round >= h2Rounds {
			c.writing = false
			c.startLocked()
			return
		}
		out := c.out
		c.out = nil
		c.mu.Unlock()
		_, err := c.stream.Write(out)
		c.mu.Lock()
		if c.spare == nil {
			c.spare = out[:0]
		}
		if err != nil {
			c.breakLocked(err)
		}
	}
}

// restLocked gives memory back that is not needed before there is something to send.
func (c *h2Conn) restLocked() {
	if c.out != nil {
		putBuffer(c.out)
	}
	if c.spare != nil {
		putBuffer(c.spare)
	}
	c.out, c.spare = nil, nil
	if c.quiet != nil {
		close(c.quiet)
		c.quiet = nil
	}
}

// quietLocked is closed once nobody writes.
func (c *h2Conn) quietLocked() <-chan struct{} {
	quiet := make(chan struct{})
	if !c.writing {
		close(quiet)
		return quiet
	}
	c.quiet = quiet
	return quiet
}

// breakLocked notes that the client cannot be reached.
func (c *h2Conn) breakLocked(err error) {
	if timedOut(err) && !c.broken {
		c.server.counters.timedOut.Add(1)
	}
	c.broken, c.over = true, true
	c.out = c.out[:0]
	for len(c.waiting) > 0 {
		c.releaseLocked(c.waiting[0])
	}
	for _, st := range c.streams.Values() {
		st.abandonLocked()
	}
	c.conn.socket.Interrupt()
}

// releaseLocked takes a stream out of those that wait.
func (c *h2Conn) releaseLocked(st *h2Stream) {
	if !st.waits {
		return
	}
	st.waits = false
	i := slices.Index(c.waiting, st)
	c.waiting = slices.Delete(c.waiting, i, i+1)
	wake(st.writable)
}

// wake lets one who waits go on, now or when it comes to wait.
func wake(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// fill takes of what waits as much as the windows, and one record, let it.
func (c *h2Conn) fill() {
	if len(c.waiting) == 0 {
		return
	}
	now := time.Now()
	c.room()
	for len(c.out) < h2Record {
		st := c.pick()
		if st == nil {
			break
		}
		before := len(c.out)
		done := c.advance(st, h2Record)
		if n := len(c.out) - before; n > 0 {
			st.moved(now, n)
		}
		if done {
			c.releaseLocked(st)
			continue
		}
		if len(c.out) == before {
			break // it needs more room than is left
		}
		c.turn(st)
	}
	for _, st := range c.waiting {
		if st.stalled.IsZero() && !c.ready(st) {
			st.stalled = now
		}
	}
}

// ready tells whether something of a stream that waits could be sent.
func (c *h2Conn) ready(st *h2Stream) bool {
	return st.message.block != nil || st.message.size() == 0 || st.window > 0 && c.window > 0
}

// pick gives the stream that is ready and comes before the others (RFC 9218 10); the first of several.
func (c *h2Conn) pick() (best *h2Stream) {
	for _, st := range c.waiting {
		if c.ready(st) && (best == nil || c.before(st, best)) {
			best = st
		}
	}
	return best
}

// before tells whether one stream comes before another: it is more urgent, or both are of use only whole and it
// was asked for first.
func (c *h2Conn) before(st, other *h2Stream) bool {
	if st.urgency != other.urgency {
		return st.urgency < other.urgency
	}
	return c.aware && !st.incremental && !other.incremental && st.id < other.id
}

// turn lets others go first that are as urgent: always, where the client does not tell what it can use in
// parts.
func (c *h2Conn) turn(st *h2Stream) {
	if c.aware && !st.incremental {
		return
	}
	i := slices.Index(c.waiting, st)
	c.waiting = append(slices.Delete(c.waiting, i, i+1), st)
}

// advance moves of st's message to out what fits into limit bytes and the windows. It is true if that is all.
func (c *h2Conn) advance(st *h2Stream, limit int) (done bool) {
	m := &st.message
	if m.block != nil {
		if len(c.out) > 0 && len(c.out)+len(m.block)+2*http2.HeaderSize > limit {
			return false
		}
		if c.head(st); m.block == nil && m.size() == 0 && m.tail == nil {
			return true // what ends, has ended with the head
		}
	}
	for m.size() > 0 {
		if !c.piece(st, limit) {
			return false
		}
	}
	return c.close(st, limit)
}

// head moves the head.
func (c *h2Conn) head(st *h2Stream) {
	m := &st.message
	ends := m.ends && m.size() == 0 && m.tail == nil
	c.out = http2.AppendHeaders(c.out, st.id, m.block, ends, !c.first)
	c.first, m.block = true, nil
	if ends {
		m.ends = false
		c.endedLocked(st)
	}
}

// piece moves one frame of data. It is false if there is no room, or no window.
func (c *h2Conn) piece(st *h2Stream, limit int) bool {
	m := &st.message
	n := min(m.size(), limit-len(c.out)-http2.HeaderSize, http2.MaxPayload-http2.HeaderSize,
		int(st.window), int(c.window))
	if n <= 0 {
		return false
	}
	h := http2.Header{Length: n, Kind: http2.Data, Stream: st.id}
	if n == m.size() && m.ends && m.tail == nil {
		h.Flags, m.ends = http2.FlagEndStream, false
	}
	c.out = http2.AppendHeader(c.out, h)
	for i := range m.data {
		part := min(n, len(m.data[i]))
		c.out = append(c.out, m.data[i][:part]...)
		m.data[i] = m.data[i][part:]
		n -= part
	}
	st.window -= http2.Window(h.Length)
	c.window -= http2.Window(h.Length)
	c.budget.Useful()
	if h.Flags != 0 {
		c.endedLocked(st)
	}
	return true
}

// close moves the trailers, or an end that came alone.
func (c *h2Conn) close(st *h2Stream, limit int) bool {
	m := &st.message
	switch {
	case !m.ends:
		return true
	case m.tail != nil && len(c.out) > 0 && len(c.out)+len(m.tail)+http2.HeaderSize > limit:
		return false
	case m.tail != nil:
		c.out = http2.AppendHeaders(c.out, st.id, m.tail, true, false)
	default:
		h := http2.Header{Kind: http2.Data, Flags: http2.FlagEndStream, Stream: st.id}
		c.out = http2.AppendHeader(c.out, h)
	}
	m.ends = false
	c.endedLocked(st)
	return true
}

// endedLocked notes that our side of a stream has ended. What the client still sends is not wanted then, but
// of a tunnel.
func (c *h2Conn) endedLocked(st *h2Stream) {
	if c.streams.LocalEnd(st.id) == http2.HalfLocal && !st.tunneled {
		c.dropLocked(st.id, http2.NoError)
	}
}
