//go:build !linux || 386

package upstream

import (
	"io"
	"net"
)

// direct is the plain form: reads and writes go through the connection.
type direct struct {
	queued []byte
	wrote  int  // bytes of what was queued last that were written
	noWait bool // reads give errWouldWait
}

// wouldWait is temporary, so that crypto/tls can be read from again.
type wouldWait struct{}

func (wouldWait) Error() string   { return "upstream: nothing to read yet" }
func (wouldWait) Timeout() bool   { return true }
func (wouldWait) Temporary() bool { return true }

func newSocket(c *net.TCPConn, clock func() int64) (*socket, error) {
	return &socket{Conn: c, clock: clock}, nil
}

// queue has the next Read write p before it reads.
func (s *socket) queue(p []byte, _ bool) { s.queued, s.wrote = p, 0 }

// silent is true: this form cannot look.
func (s *socket) silent() bool { return true }

// Read reads once, after writing what is queued.
func (s *socket) Read(p []byte) (int, error) {
	if s.noWait {
		return 0, wouldWait{}
	}
	if len(s.queued) > 0 {
		n, err := s.Write(s.queued)
		s.queued, s.wrote = nil, n
		if err != nil {
			return 0, err
		}
	}
	if err := s.armRead(); err != nil {
		return 0, err
	}
	n, err := s.Conn.Read(p)
	if err == io.EOF {
		err = s.end()
	}
	return n, err
}

// Write writes all of p.
func (s *socket) Write(p []byte) (int, error) {
	if err := s.armWrite(); err != nil {
		return 0, err
	}
	return s.Conn.Write(p)
}
