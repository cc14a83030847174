package upstream

import (
	"io"
	"net"
	"time"
)

// A socket is the backend's end of a TCP connection, below TLS if there is any. Reads and writes wait for at
// most the time that readFor and writeFor say, or up to half longer: timers are moved seldom. One goroutine
// may read while another writes.
type socket struct {
	net.Conn
	direct
	clock      func() int64
	secure     bool          // TLS is above
	readFor    time.Duration // from the next read on, for all that follow it; 0 = as long as the armed deadline says
	writeFor   time.Duration // for each write; 0 = as long as the armed deadline says
	recent     int64         // the time, if it was looked up just now; used once
	readUntil  int64         // when the armed deadlines pass; 0 = none is armed
	writeUntil int64
}

// armRead sees to it that a read that starts now waits about readFor, and that those behind it do not extend
// that: what TLS reads may be less than it can give.
func (s *socket) armRead() error {
	now := s.recent
	if s.recent = 0; now == 0 {
		now = s.clock()
	}
	d, move := rearm(now, &s.readUntil, s.readFor)
	if s.readFor = 0; !move {
		return nil
	}
	return s.Conn.SetReadDeadline(time.Now().Add(d))
}

func (s *socket) armWrite() error {
	d, move := rearm(s.clock(), &s.writeUntil, s.writeFor)
	if !move {
		return nil
	}
	return s.Conn.SetWriteDeadline(time.Now().Add(d))
}

// rearm tells whether a deadline must be moved for a wait of d to fit, and to when from now.
func rearm(now int64, until *int64, d time.Duration) (in time.Duration, move bool) {
	if left := time.Duration(*until - now); d == 0 || left >= d && left <= 3*d/2 {
		return 0, false
	}
	in = d + d/4
	*until = now + int64(in)
	return in, true
}

// end is the error at the end of the stream. TLS must have told of it before, which crypto/tls would let pass
// (RFC 8446 6.1, RFC 9112 9.8).
func (s *socket) end() error {
	if s.secure {
		return errNoNotify
	}
	return io.EOF
}

// unbound lets reads and writes wait without end, as a tunnel needs.
func (s *socket) unbound() error {
	s.readFor, s.writeFor = 0, 0
	return s.Conn.SetDeadline(time.Time{})
}

// CloseWrite ends our direction only.
func (s *socket) CloseWrite() error {
	if c, ok := s.Conn.(*net.TCPConn); ok {
		return c.CloseWrite()
	}
	return nil
}
