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

// A socket is the client's end of a TCP connection, below TLS if there is any. It sees to deadlines: reads end
// at one that its owner sets (readBy), or keep to a pace while a body is read; writes always keep to a pace.
// One goroutine may read while another writes.
type socket struct {
	net.Conn
	in, out     pace
	pacing      bool        // reads keep to in
	fixed       bool        // neither direction is paced: a deadline for all was set (handshake)
	interrupted atomic.Bool // no read may block any more
	readUntil   time.Time   // deadlines that are armed
	writeUntil  time.Time
}

func newSocket(c net.Conn, l *Limits) *socket {
	p := newPace(l.BodyTimeout, l.MinRate)
	return &socket{Conn: c, in: p, out: p}
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
	want := now.Add(d)
	if !s.readUntil.After(want) && want.Sub(s.readUntil) < d/32 {
		return
	}
	s.readUntil = want
	s.Conn.SetReadDeadline(want) // fails on a closed connection only, as the read then will
}

func (s *socket) writeBy(now time.Time, d time.Duration) {
	want := now.Add(d)
	if !s.writeUntil.After(want) && want.Sub(s.writeUntil) < d/32 {
		return
	}
	s.writeUntil = want
	s.Conn.SetWriteDeadline(want)
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
	s.pacing = on
}

// Interrupt makes reads fail, the one that waits too. It may be called by any goroutine.
func (s *socket) Interrupt() {
	s.interrupted.Store(true)
	s.Conn.SetReadDeadline(time.Unix(1, 0))
}

// Read reads once.
func (s *socket) Read(p []byte) (int, error) {
	if !s.pacing || s.fixed {
		if s.interrupted.Load() {
			return 0, errInterrupted
		}
		return s.Conn.Read(p)
	}
	start := time.Now()
	if s.in.left <= 0 {
		return 0, os.ErrDeadlineExceeded
	}
	s.readBy(start, s.in.left)
	if s.interrupted.Load() { // after readBy, which may have undone the interrupter's deadline
		return 0, errInterrupted
	}
	n, err := s.Conn.Read(p)
	s.in.moved(n, time.Since(start))
	return n, err
}

// Write writes all of p as long as the peer takes it at the minimum rate.
func (s *socket) Write(p []byte) (int, error) {
	if s.fixed {
		return s.Conn.Write(p)
	}
	done := 0
	for {
		start := time.Now()
		if s.out.left <= 0 {
			return done, os.ErrDeadlineExceeded
		}
		s.writeBy(start, s.out.left)
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
