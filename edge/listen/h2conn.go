package listen

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/wedge-lb/wedge/edge/http2"
	"github.com/wedge-lb/wedge/edge/proxy"
)

const (
	h2ConnWindow = 1 << 20 // bytes of bodies that a client may send ahead, of all its streams
	h2PingAfter  = 30 * time.Second
)

// client is what all requests of one h2 or h3 connection have in common.
type client struct {
	peer  netip.AddrPort
	local netip.AddrPort // our end; of QUIC its IP may be unspecified
	shard uint32
	sni   string
	guard proxy.Guard
}

// An h2Conn is one connection after its handshake. The goroutine that calls serve reads; each request in
// progress has a worker, and whoever has something to send writes for all (see h2out.go).
type h2Conn struct {
	client
	conn    *tcpConn
	server  *Server
	limits  *Limits
	stream  net.Conn // TLS over the socket
	workers *workers[*h2Stream]

	// Of the goroutine that reads.
	in      http2.Reader
	one     [1]byte
	decoder http2.Decoder
	block   http2.Block
	verdict http2.Verdict        // on the stream whose block is being read
	fault   *http2.Error         // with it
	begins  []*worker[*h2Stream] // of requests that have come with what is being read
	now     time.Time            // when that came
	preface int                  // bytes of it that have come
	settled bool                 // the client's first SETTINGS have come
	cause   error                // why it ends
	onStep  func() (more bool)   // step, bound once
	onGrow  func(int32) *http2.Error

	mu      sync.Mutex
	streams http2.Streams[*h2Stream]
	running int // workers that were started, and have not ended their streams
	credit  http2.Credit
	budget  http2.Budget
	h2Out
	h2Pulse
	work sync.WaitGroup // workers
}

func newH2Conn(c *tcpConn, t *tls.Conn) *h2Conn {
	s := c.front.server
	state := t.ConnectionState()
	h := &h2Conn{conn: c, server: s, limits: c.limits, stream: t, workers: c.front.workers}
	h.client = client{peer: c.peer, local: addrPort(t.LocalAddr()), shard: c.shard, sni: serverName(&state)}
	h.guard = s.guard(&state, t.LocalAddr())
	h.streams.Most = h.limits.Streams
	h.credit.Start(http2.DefaultWindow)
	h.window, h.initial = http2.DefaultWindow, http2.DefaultWindow
	h.onStep, h.onGrow = h.step, h.growAll
	h.h2Pulse.start(time.Now())
	return h
}

// serve returns when the connection and all its requests have ended.
func (c *h2Conn) serve() {
	c.server.counters.h2.Add(1)
	defer c.work.Wait()
	defer c.finish()
	c.conn.h2.Store(c)
	c.conn.socket.SetDeadline(time.Time{}) // from here on look sees to the time, and writes keep their pace
	c.hello()
	if c.conn.socket.stands() {
		if err := c.conn.socket.stand(c.onStep); err != nil && c.cause == nil {
			c.cause = err
		}
		return
	}
	for c.step() {
	}
}

// hello sends our settings, and opens the connection's window.
func (c *h2Conn) hello() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.room()
	c.out = http2.AppendSettings(c.out,
		[2]uint32{http2.SettingStreams, uint32(c.limits.Streams)},
		[2]uint32{http2.SettingListSize, uint32(c.limits.HeaderBytes)},
		[2]uint32{http2.SettingConnectProtocol, 1},
		[2]uint32{http2.SettingNoPriorities, 1})
	c.out = http2.AppendWindowUpdate(c.out, 0, h2ConnWindow-http2.DefaultWindow)
	c.credit.Start(h2ConnWindow)
	c.startLocked()
}

// step reads what has come and takes it. It is false at the end, whose cause it keeps. Where the socket
// stands, it is called when there is something to read; else it waits for that.
func (c *h2Conn) step() (more bool) {
	for {
		if err := c.receive(); err != nil {
			if c.conn.socket.stands() && timedOut(err) {
				return true
			}
			c.cause = err
			return false
		}
		if err := c.take(); err != nil {
			c.cause = err
			return false
		}
		if !c.conn.socket.stands() {
			c.release()
			return true
		}
	}
}

// receive reads once. There is no buffer while there is nothing to read.
func (c *h2Conn) receive() error {
	if c.in.Buffer() == nil {
		if !c.conn.socket.stands() {
			return c.receiveFirst()
		}
		c.in.SetBuffer(getRecord()[:recordSize])
	}
	n, err := c.stream.Read(c.in.Space())
	c.in.Filled(n)
	if n == 0 {
		c.release()
		return err
	}
	return nil
}

// receiveFirst waits for a byte without a buffer.
func (c *h2Conn) receiveFirst() error {
	n, err := c.stream.Read(c.one[:])
	if n == 0 {
		return err
	}
	c.in.SetBuffer(getRecord()[:recordSize])
	c.in.Space()[0] = c.one[0]
	c.in.Filled(1)
	return nil
}

// release gives the buffer back if nothing unread is in it.
func (c *h2Conn) release() {
	if c.in.Buffer() != nil && len(c.in.Unread()) == 0 {
		putBuffer(c.in.Buffer())
		c.in.SetBuffer(nil)
	}
}

var (
	errH2Preface = &http2.Error{Code: http2.ProtocolError, Reason: "invalid preface"}
	errH2Untaken = &http2.Error{Code: http2.EnhanceYourCalm, Reason: "answers not taken"}
)

// take takes the frames that have come whole, and starts their requests.
func (c *h2Conn) take() error {
	c.now = time.Now()
	if !c.greeted() {
		return errH2Preface
	}
	var err *http2.Error
	for err == nil && c.preface == len(http2.Preface) {
		h, payload, whole, bad := c.in.Next()
		if err = bad; err != nil || !whole {
			break
		}
		if err = c.frame(h, payload); !c.block.Open() {
			c.wholes++
		}
	}
	if err == nil {
		err = c.begin()
	}
	if err != nil {
		return err
	}
	return nil
}

// greeted reads the preface. It is false if the client says something else.
func (c *h2Conn) greeted() bool {
	for c.preface < len(http2.Preface) {
		b := c.in.Unread()
		n := min(len(b), len(http2.Preface)-c.preface)
		if string(b[:n]) != http2.Preface[c.preface:c.preface+n] {
			return false
		}
		c.in.Skip(n)
		if c.preface += n; n == len(b) {
			break
		}
	}
	return true
}

// begin starts the workers of the requests that have come, and sends what there is to say.
func (c *h2Conn) begin() *http2.Error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.out) > h2OutMost {
		return errH2Untaken
	}
	for i, w := range c.begins {
		w.stream.started = true
		c.running++
		c.work.Add(1)
		w.start()
		c.begins[i] = nil
	}
	c.begins = c.begins[:0]
	c.heardLocked()
	c.startLocked()
	return nil
}

// finish ends what is left: the client is told, its requests are aborted, the connection is closed.
func (c *h2Conn) finish() {
	last := time.AfterFunc(lingerTime, func() { c.conn.socket.Conn.Close() })
	defer last.Stop()
	c.hangUp(c.goodbye())
	c.mu.Lock()
	c.endLocked()
	c.mu.Unlock()
	if b := c.in.Buffer(); b != nil {
		putBuffer(b)
		c.in.SetBuffer(nil)
	}
}

// goodbye says why the connection ends, and waits until that is sent. It is false if there is nobody to tell.
func (c *h2Conn) goodbye() bool {
	var bad *http2.Error
	c.mu.Lock()
	if c.leaving != nil {
		bad = c.leaving
	}
	if bad == nil && !errors.As(c.cause, &bad) {
		c.endLocked()
		c.mu.Unlock()
		return false
	}
	c.room()
	c.out = http2.AppendGoAway(c.out, c.streams.Last(), bad.Code, bad.Reason)
	c.endLocked()
	c.startLocked()
	quiet := c.quietLocked()
	c.mu.Unlock()
	if bad.Code != http2.NoError {
		c.server.counters.badRequests.Add(1)
	}
	<-quiet
	return true
}

// endLocked aborts all requests, and lets no more be sent.
func (c *h2Conn) endLocked() {
	c.over = true
	for _, w := range c.begins {
		c.streams.Drop(w.stream.id)
		c.unservedLocked(w)
	}
	c.begins = nil
	for _, st := range c.streams.Values() {
		st.abandonLocked()
	}
}

// unservedLocked gives a worker back whose stream is closed, and was not served.
func (c *h2Conn) unservedLocked(w *worker[*h2Stream]) {
	w.stream.forgetLocked()
	c.workers.giveBack(w)
}

// hangUp closes the connection; told = the client should have time to read what it was told.
func (c *h2Conn) hangUp(told bool) {
	t, ok := c.stream.(interface{ CloseWrite() error })
	if told && ok && t.CloseWrite() == nil {
		c.conn.socket.CloseWrite()
		c.conn.socket.SetReadDeadline(time.Now().Add(lingerTime / 2))
		io.Copy(io.Discard, onlyReader{c.conn.socket.Conn})
	}
	c.conn.socket.Close()
}
