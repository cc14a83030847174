package listen

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/quicvarint"
)

const (
	// drainWarn is how long after the first GOAWAY requests are still taken, and h3Grace how long after the last
	// request the connections stay.
	drainWarn = 200 * time.Millisecond
	h3Grace   = 500 * time.Millisecond

	h3MostID = 1<<62 - 4 // of a request's stream
)

// An h3Conn is one connection after its handshake.
type h3Conn struct {
	front   *quicFront
	conn    *quic.Conn
	peer    *client
	control *quic.SendStream // ours
	aware   atomic.Bool      // the client tells priorities

	next    quic.StreamID // that the client has not opened
	idle    time.Duration
	running atomic.Int64 // requests
	since   atomic.Int64 // when the last request ended, ns from begun
	begun   time.Time
	resting *time.Timer
	streams sync.WaitGroup // the requests, and readers of the client's own streams

	critical [4]atomic.Bool // the client has opened its stream of that type
	pushes   h3Pushes

	mu     sync.Mutex
	active []*h3Stream // in service
}

func newH3Conn(f *quicFront, conn *quic.Conn, peer *client) *h3Conn {
	return &h3Conn{front: f, conn: conn, peer: peer, begun: time.Now(), idle: f.server.limits.Load().IdleTimeout}
}

// serve returns when the connection and all its requests have ended.
func (c *h3Conn) serve() {
	defer c.streams.Wait()
	if err := c.open(); err != nil {
		closeFor(c.conn, connError(h3StreamCreation, "no control stream"))
		return
	}
	c.resting = time.AfterFunc(time.Hour, c.rest)
	c.resting.Reset(c.idle)
	defer c.resting.Stop()
	c.streams.Go(c.acceptUni)
	c.accept()
}

// The settings that matter (RFC 9114 7.2.4.1, RFC 9220, RFC 9297). We send the first alone: no dynamic table,
// no extended CONNECT, no datagrams.
const (
	settingSectionSize     = 0x6
	settingExtendedConnect = 0x8
	settingDatagram        = 0x33
)

// open opens our control stream with the SETTINGS. It is small enough not to wait for the client.
func (c *h3Conn) open() error {
	control, err := c.conn.OpenUniStream()
	if err != nil {
		return err
	}
	c.control = control
	most := uint64(c.front.server.limits.Load().HeaderBytes)
	b := []byte{streamControl, frameSettings, byte(1 + quicvarint.Len(most)), settingSectionSize}
	_, err = control.Write(quicvarint.Append(b, most))
	return err
}

// accept takes requests until the connection ends. A drain tells the client twice: first that the end is
// near, then which request was the last (RFC 9114 5.2).
func (c *h3Conn) accept() {
	f := c.front
	c.take(f.draining)
	c.goAway(h3MostID)
	warned, cancel := context.WithTimeout(f.ending, drainWarn)
	c.take(warned)
	cancel()
	c.goAway(c.next)
	for {
		str, err := c.conn.AcceptStream(f.ending)
		if err != nil {
			break
		}
		stop(str, h3RequestRejected)
	}
	closeFor(c.conn, connError(h3NoError, ""))
}

// take has streams served until ctx or the connection ends.
func (c *h3Conn) take(ctx context.Context) {
	for {
		str, err := c.conn.AcceptStream(ctx)
		if err != nil {
			return
		}
		c.next = str.StreamID() + 4
		c.running.Add(1)
		c.front.running.Add(1)
		c.streams.Add(1)
		w := c.front.workers.take()
		w.stream.c, w.stream.str = c, str
		w.start()
	}
}

// leave is the end of a request.
func (c *h3Conn) leave() {
	c.since.Store(int64(time.Since(c.begun)))
	c.running.Add(-1)
	c.front.running.Add(-1)
	c.streams.Done()
}

// add and remove keep what is in service.
func (c *h3Conn) add(st *h3Stream) {
	c.mu.Lock()
	defer c.mu.Unlock()
	st.place = len(c.active)
	c.active = append(c.active, st)
}

func (c *h3Conn) remove(st *h3Stream) {
	c.mu.Lock()
	defer c.mu.Unlock()
	last := len(c.active) - 1
	moved := c.active[last]
	c.active[st.place], c.active[last] = moved, nil
	moved.place = st.place
	c.active = c.active[:last]
}

// prefer sets the priority of a request in service.
func (c *h3Conn) prefer(id quic.StreamID, urgency int8, incremental bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, st := range c.active {
		if st.str.StreamID() == id {
			st.str.SetPriority(urgency, incremental)
		}
	}
}

// goAway tells the client that requests from id on are not served.
func (c *h3Conn) goAway(id quic.StreamID) {
	if c.conn.Context().Err() != nil {
		return
	}
	n := quicvarint.Len(uint64(id))
	c.control.Write(quicvarint.Append([]byte{frameGoAway, byte(n)}, uint64(id))) // small; the client may be gone
}

// rest closes the connection if it has been idle for long enough, or looks again when it could have been.
func (c *h3Conn) rest() {
	quiet := time.Since(c.begun) - time.Duration(c.since.Load())
	switch {
	case c.running.Load() > 0:
		c.resting.Reset(c.idle)
	case quiet < c.idle:
		c.resting.Reset(c.idle - quiet)
	default:
		closeFor(c.conn, connError(h3NoError, "idle"))
	}
}
