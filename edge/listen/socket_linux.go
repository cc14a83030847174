package listen

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// gone tells whether the peer has closed the connection, or its direction of it, without reading anything.
func (s *socket) gone() bool {
	c, ok := s.Conn.(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return true
	}
	const left = unix.POLLRDHUP | unix.POLLHUP | unix.POLLERR
	var fds [1]unix.PollFd
	err = raw.Control(func(fd uintptr) {
		fds[0] = unix.PollFd{Fd: int32(fd), Events: unix.POLLRDHUP}
		if n, err := unix.Poll(fds[:], 0); err != nil || n == 0 {
			fds[0].Revents = 0
		}
	})
	return err != nil || fds[0].Revents&left != 0
}
