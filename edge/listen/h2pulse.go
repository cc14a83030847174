package listen

import (
	"os"
	"time"

	"github.com/wedge-lb/wedge/edge/http2"
)

var (
	errH2Idle     = &http2.Error{Code: http2.NoError, Reason: "idle"}
	errH2Drained  = &http2.Error{Code: http2.NoError, Reason: "shutting down"}
	errH2Silent   = &http2.Error{Code: http2.NoError, Reason: "no answer to a ping"}
	errH2Late     = &http2.Error{Code: http2.SettingsTimeout, Reason: "settings not answered"}
	errH2SlowHead = &http2.Error{Code: http2.EnhanceYourCalm, Reason: "frame too slow"}
)

// h2LastID is the last stream there can be.
const h2LastID = 1<<31 - 1

// h2Pulse is what a connection knows of time, guarded by the connection's mu. No deadline is set and no timer
// runs: the sweep over all connections looks.
type h2Pulse struct {
	begun   time.Time
	came    time.Time // when something was last read
	rested  time.Time // when the last request ended
	pinged  time.Time // zero = no answer is awaited
	acked   bool      // the client has acknowledged our settings
	partial time.Time // when what has come in part began to come; zero = nothing has
	wholes  uint64    // frames, and field blocks, that have come whole
	partOf  uint64    // how many there were then
	going   uint8     // GOAWAYs of a drain
	gone    time.Time // when the first was sent
	served  uint32    // the last stream that is served, after the second
	leaving *http2.Error
}

func (p *h2Pulse) start(now time.Time) { p.begun, p.came, p.rested = now, now, now }

// heardLocked notes that something came.
func (c *h2Conn) heardLocked() {
	c.came, c.pinged = c.now, time.Time{}
	b := c.in.Unread()
	switch {
	case !c.block.Open() && (len(b) == 0 || len(b) > 3 && http2.Kind(b[3]) == http2.Data):
		c.partial = time.Time{} // that of a body has a pace of its own
	case c.partial.IsZero() || c.partOf != c.wholes:
		c.partial, c.partOf = c.now, c.wholes
	}
}

// restedLocked notes the end of a request.
func (c *h2Conn) restedLocked() {
	if c.running == 0 {
		c.rested = time.Now()
	}
}

// goingAway tells whether a stream is beyond those that are served.
func (c *h2Conn) goingAway(id uint32) bool { return c.going == 2 && id > c.served }

// look ends what takes too long, and asks after clients that are silent. Any goroutine may call it.
func (c *h2Conn) look(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over || c.leaving != nil {
		return
	}
	l := c.limits
	switch {
	case !c.acked && now.Sub(c.begun) > l.HeaderTimeout:
		c.leaveLocked(errH2Late)
	case !c.partial.IsZero() && now.Sub(c.partial) > l.HeaderTimeout:
		c.server.counters.timedOut.Add(1)
		c.leaveLocked(errH2SlowHead)
	case c.running == 0 && now.Sub(c.rested) > l.IdleTimeout:
		c.leaveLocked(errH2Idle)
	case !c.pinged.IsZero() && now.Sub(c.pinged) > l.HeaderTimeout:
		c.leaveLocked(errH2Silent)
	case c.pinged.IsZero() && now.Sub(c.came) > h2PingAfter:
		c.pinged = now
		c.room()
		c.out = http2.AppendPing(c.out, []byte("wedge-h2"), false)
	}
	c.lookAtStreams(now)
	if c.going > 0 {
		c.drainLocked(now)
	}
	c.startLocked()
}

// lookAtStreams ends those whose client keeps them waiting.
func (c *h2Conn) lookAtStreams(now time.Time) {
	for i := 0; i < len(c.waiting); {
		st := c.waiting[i]
		if st.stalled.IsZero() || now.Sub(st.stalled) <= max(st.pace.left, 0) {
			i++
			continue
		}
		c.server.counters.timedOut.Add(1)
		c.loseLocked(st, os.ErrDeadlineExceeded) // it waits no more
		c.dropLocked(st.id, http2.InternalError)
	}
	for _, st := range c.streams.Values() {
		if st.body.lookLocked(now) {
			c.server.counters.timedOut.Add(1)
		}
	}
}

// leaveLocked has the connection ended by the goroutine that reads.
func (c *h2Conn) leaveLocked(why *http2.Error) {
	c.leaving = why
	c.conn.socket.Interrupt()
}

// drain ends the connection once its requests are answered. It is called again until then.
func (c *h2Conn) drain() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.over && c.leaving == nil {
		c.drainLocked(time.Now())
		c.startLocked()
	}
}

// drainLocked tells the client twice: first that the end is near, then which request was the last (RFC 9113
// 6.8).
func (c *h2Conn) drainLocked(now time.Time) {
	switch {
	case c.going == 0:
		c.going, c.gone = 1, now
		c.room()
		c.out = http2.AppendGoAway(c.out, h2LastID, http2.NoError, "")
	case c.going == 1 && now.Sub(c.gone) >= drainWarn:
		c.going, c.served = 2, c.streams.Last()
		c.room()
		c.out = http2.AppendGoAway(c.out, c.served, http2.NoError, "")
	case c.going == 2 && c.running == 0 && !c.writing && len(c.out) == 0:
		c.leaveLocked(errH2Drained)
	}
}
