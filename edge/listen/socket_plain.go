//go:build !linux || race

package listen

import (
	"errors"
	"io"
)

// bare is not used on this system.
type bare struct{}

func newBare(*socket) *bare { return nil }

// stands tells that stand cannot be used.
func (s *socket) stands() bool { return false }

// stand is not there.
func (s *socket) stand(func() bool) error { return errors.ErrUnsupported }

// isDry is not known.
func (s *socket) isDry() bool { return false }

// wait returns at once: there is no waiting without reading.
func (s *socket) wait() error { return nil }

// waits tells whether wait does.
func (s *socket) waits() bool { return false }

func (s *socket) readOnce(p []byte) (int, error) { return s.readPlain(p) }

// ready reads nothing: it might wait.
func (s *socket) ready(io.Reader, []byte) int { return 0 }

// Write writes all of p as long as the peer takes it at the minimum rate.
func (s *socket) Write(p []byte) (int, error) { return s.writePlain(p) }

// writeBoth writes p and then q.
func (s *socket) writeBoth(p, q []byte) error {
	if _, err := s.writePlain(p); err != nil {
		return err
	}
	_, err := s.writePlain(q)
	return err
}
