//go:build linux && !race

package listen

import (
	"errors"
	"io"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/wedge-lb/wedge/edge/proxyproto"
)

// announcement reads the PROXY header that the connection begins with, and not a byte more: what has come is
// looked at and left where it is until the header's end is known.
func (s *socket) announcement() (h proxyproto.Header, err error) {
	if s.bare == nil {
		return s.announcementPlain()
	}
	buf := getBuffer()
	defer putBuffer(buf)
	length := 0
	waited := s.bare.raw.Read(func(fd uintptr) bool {
		h, length, err = peekHeader(fd, buf[:proxyproto.MaxLen])
		return !errors.Is(err, proxyproto.ErrIncomplete)
	})
	if waited != nil {
		return proxyproto.Header{}, waited
	}
	if err == nil {
		_, err = io.ReadFull(s.Conn, buf[:length]) // all of it is there
	}
	return h, err
}

// peekHeader looks for a header in what has come. The poller tells of what comes after the look, the end too,
// so whether that has come already is asked before.
func peekHeader(fd uintptr, buf []byte) (proxyproto.Header, int, error) {
	ended := hungUp(fd)
	n, errno := peek(fd, buf)
	switch {
	case errno == unix.EAGAIN:
		n = 0
	case errno != 0:
		return proxyproto.Header{}, 0, errno
	case n == 0:
		return proxyproto.Header{}, 0, io.EOF
	}
	h, length, err := proxyproto.Parse(buf[:n])
	if ended && errors.Is(err, proxyproto.ErrIncomplete) {
		err = io.ErrUnexpectedEOF
	}
	return h, length, err
}

// peek reads without taking.
func peek(fd uintptr, buf []byte) (int, syscall.Errno) {
	for {
		n, _, errno := syscall.RawSyscall6(unix.SYS_RECVFROM, fd,
			uintptr(unsafe.Pointer(unsafe.SliceData(buf))), uintptr(len(buf)), unix.MSG_PEEK, 0, 0)
		if errno != unix.EINTR {
			return int(n), errno
		}
	}
}

// hungUp tells whether the peer says no more.
func hungUp(fd uintptr) bool {
	fds := [1]unix.PollFd{{Fd: int32(fd), Events: unix.POLLRDHUP}}
	n, err := unix.Poll(fds[:], 0)
	return err == nil && n > 0
}
