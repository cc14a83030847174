package listen

import (
	"errors"
	"io"
	"net"
	"os"
	"sync/atomic"
	"time"
)

// errInterrupted is what a read gives after Interrupt.
var errInterrupted = errors.New("listen: interrupted")

// A socket is the client's end of a TCP connection, below TLS if there is any. It sees to deadlines: reads
// end at one that its owner sets (readBy), or keep to a pace while a body is read; writes always keep to a
// pace. One goroutine may read while another writes.
type socket struct {
	net.Conn
	bare        *bare
	in, out     pace
	pacing      bool        // reads keep to in
	patient     atomic.Bool // a paced read may wait for long instead: the body is half of a conversation
	patience    time.Duration
	fixed       bool        // neither direction is paced: a deadline for all was set (handshake)
	interrupted atomic.Bool // no read may block any more
	inside      atomic.Bool // stand's step runs
	shut        atomic.Bool // closed meanwhile
	readUntil   time.Time   // deadlines that are armed
	writeUntil  time.Time
	ahead       []byte // came behind a PROXY header; only where bare is nil
}

func newSocket(c net.Conn, l *Limits) *socket {
	s := &socket{Conn: c}
	s.setPace(l)
	s.bare = newBare(s)
	return s
}

func (s *socket) setPace(l *Limits) {
	s.in = newPace(l.BodyTimeout, l.MinRate)
	s.out, s.patience = s.in, l.TunnelTimeout
}

// bound sets one deadline for both directions until release.
func (s *socket) bound(t time.Time) error {
	s.fixed = true
	return s.SetDeadline(t)
}

// release ends what bound began. The deadlines stay until they are replaced.
func (s *socket) release() { s.fixed = false }

// readBy lets reads wait until about d from now: timers are not moved for less than 1/32 of d.
func (s *socket) readBy(now time.Time, d time.Duration) {
	if want := now.Add(d); moves(s.readUntil, want, d) {
		s.readUntil = want
		s.Conn.SetReadDeadline(want) // fails on a closed connection only, as the read then will
	}
}

func (s *socket) writeBy(now time.Time, d time.Duration) {
	if want := now.Add(d); moves(s.writeUntil, want, d) {
		s.writeUntil = want
		s.Conn.SetWriteDeadline(want)
	}
}

// moves tells whether a deadline armed for then must be replaced by want, which is d away.
func moves(then, want time.Time, d time.Duration) bool {
	return then.After(want) || want.Sub(then) >= d/32
}

// SetDeadline, SetReadDeadline and SetWriteDeadline are for those that take a socket for a net.Conn.
func (s *socket) SetDeadline(t time.Time) error {
	s.readUntil, s.writeUntil = t, t
	return s.Conn.SetDeadline(t)
}

func (s *socket) SetReadDeadline(t time.Time) error {
	s.readUntil = t
	return s.Conn.SetReadDeadline(t)
}

func (s *socket) SetWriteDeadline(t time.Time) error {
	s.writeUntil = t
	return s.Conn.SetWriteDeadline(t)
}

// pace makes reads keep to the minimum rate from now on, or to the deadline again.
func (s *socket) pace(on bool) {
	if on && !s.pacing {
		s.in.refill()
	}
	if !on && s.patient.Load() {
		s.patient.Store(false)
	}
	s.pacing = on
}

// Interrupt makes reads fail, the one that waits too. It may be called by any goroutine.
func (s *socket) Interrupt() {
	s.interrupted.Store(true)
	s.Conn.SetReadDeadline(time.Unix(1, 0))
}

// firstByte waits for a stream to send and gives a buffer with what came first: a byte, as streams cannot
// wait without reading.
func firstByte(stream io.Reader, one *[1]byte) ([]byte, int, error) {
	n, err := stream.Read(one[:])
	if n == 0 {
		return nil, 0, err
	}
	buf := getBuffer()
	buf[0] = one[0]
	return buf, n, nil
}

// Read reads once.
func (s *socket) Read(p []byte) (int, error) {
	if s.interrupted.Load() {
		return 0, errInterrupted
	}
	if !s.paced() {
		return s.readOnce(p)
	}
	var since time.Time
	for {
		n, err := s.readOnce(p)
		if n > 0 || !s.patient.Load() || !timedOut(err) {
			return n, err
		}
		if since.IsZero() {
			since = time.Now().Add(-s.in.full)
		}
		if time.Since(since) >= s.patience {
			return n, err
		}
		s.in.refill()
	}
}

// readPlain reads by way of net.
func (s *socket) readPlain(p []byte) (int, error) {
	if len(s.ahead) > 0 {
		n := copy(p, s.ahead)
		s.ahead = s.ahead[n:]
		return n, nil
	}
	if !s.paced() {
		return s.Conn.Read(p)
	}
	start := time.Now()
	if err := s.mayRead(start); err != nil {
		return 0, err
	}
	n, err := s.Conn.Read(p)
	s.in.moved(n, time.Since(start))
	return n, err
}

func (s *socket) paced() bool { return s.pacing && !s.fixed }

// mayRead sets the deadline for a paced read that is about to wait.
func (s *socket) mayRead(now time.Time) error {
	if s.in.left <= 0 {
		return os.ErrDeadlineExceeded
	}
	s.readBy(now, s.in.left)
	if s.interrupted.Load() { // after readBy, which may have undone the interrupter's deadline
		return errInterrupted
	}
	return nil
}

// mayWrite sets the deadline for a write that is about to wait.
func (s *socket) mayWrite(now time.Time) error {
	if s.out.left <= 0 {
		return os.ErrDeadlineExceeded
	}
	s.writeBy(now, s.out.left)
	if s.shut.Load() { // after writeBy, which may have undone what Close did
		return net.ErrClosed
	}
	return nil
}

// Close closes the connection. Within stand's step, which a real close would have to wait for, it makes all
// calls fail and leaves the close to the owner. It may be called by any goroutine.
func (s *socket) Close() error {
	if !s.inside.Load() {
		return s.Conn.Close()
	}
	s.shut.Store(true)
	s.interrupted.Store(true)
	return s.Conn.SetDeadline(time.Unix(1, 0))
}

// writePlain writes all of p by way of net, as long as the peer takes it at the minimum rate.
func (s *socket) writePlain(p []byte) (int, error) {
	if s.fixed {
		return s.Conn.Write(p)
	}
	for done := 0; ; {
		start := time.Now()
		if err := s.mayWrite(start); err != nil {
			return done, err
		}
		n, err := s.Conn.Write(p[done:])
		done += n
		s.out.moved(n, time.Since(start))
		if err == nil || n == 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			return done, err
		}
	}
}

// CloseWrite ends our direction only.
func (s *socket) CloseWrite() error {
	if c, ok := s.Conn.(interface{ CloseWrite() error }); ok {
		return c.CloseWrite()
	}
	return nil
}

// linger reads and drops what the peer still sends until it closes or d has passed: a connection closed with
// unread bytes is reset, which can destroy the answer on its way (RFC 9112 9.6).
func (s *socket) linger(d time.Duration) {
	s.pacing = false
	s.SetReadDeadline(time.Now().Add(d))
	io.Copy(io.Discard, onlyReader{s.Conn})
}

// onlyReader hides the rest of a connection, which io.Copy would try to splice.
type onlyReader struct{ io.Reader }
