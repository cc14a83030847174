//go:build linux && !386

package upstream

import (
	"io"
	"net"
	"os"
	"syscall"
	"unsafe"
)

// direct calls read and write on the bare descriptor, which never blocks, within the callbacks of a RawConn:
// the runtime's poller and deadlines hold as ever, without the scheduler hearing of each call. A request
// that was queued is written by the read that waits for its answer: the poller is told first to forget what
// it knew, then the bytes are written, so that waiting at once, without a read that can only fail, misses
// nothing that comes after. What came before it would miss, so the first read of a connection looks; later, bytes
// that no request asked for are not an answer to wait less for.
type direct struct {
	raw                     syscall.RawConn
	onRead, onWrite, onPeek func(fd uintptr) bool // bound once: a method value is an allocation

	in    []byte
	inN   int
	inErr syscall.Errno

	out      []byte
	outN     int
	outErr   syscall.Errno
	outWaits bool

	queued []byte
	wrote  int  // bytes of what was queued last that were written
	fresh  bool // nothing was read yet
	check  bool // see that nothing came before the queued bytes are written
	dead   bool // something did, or the end
	noWait bool // reads give errWouldWait instead of waiting
}

// wouldWait is temporary, so that crypto/tls can be read from again.
type wouldWait struct{}

func (wouldWait) Error() string   { return "upstream: nothing to read yet" }
func (wouldWait) Timeout() bool   { return true }
func (wouldWait) Temporary() bool { return true }

func newSocket(c *net.TCPConn, clock func() int64) (*socket, error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return nil, err
	}
	s := &socket{Conn: c, clock: clock}
	s.fresh = true
	s.raw, s.onRead, s.onWrite, s.onPeek = raw, s.tryRead, s.tryWrite, s.tryPeek
	return s, nil
}

// queue has the next Read write p before it reads; with check, only if nothing has come before.
func (s *socket) queue(p []byte, check bool) {
	s.queued, s.wrote, s.check, s.dead = p, 0, check, false
}

// Read reads once, after writing what is queued.
func (s *socket) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	wait := s.readFor
	if err := s.armRead(); err != nil {
		return 0, err
	}
	s.in, s.inErr, s.inN = p, 0, 0
	err := s.raw.Read(s.onRead)
	s.in = nil
	switch {
	case err != nil:
		return 0, err
	case s.dead:
		return 0, io.EOF
	case len(s.queued) > 0 && s.inErr == 0: // more than the kernel takes at once
		rest := s.queued
		s.queued = nil
		n, err := s.Write(rest)
		if s.wrote += n; err != nil {
			return 0, err
		}
		s.readFor = wait // it begins when all is written
		return s.Read(p)
	case s.inErr == syscall.EAGAIN:
		return 0, wouldWait{}
	case s.inErr != 0:
		return 0, os.NewSyscallError("read", s.inErr)
	case s.inN == 0:
		return 0, s.end()
	}
	return s.inN, nil
}

func (s *socket) tryRead(fd uintptr) bool {
	if len(s.queued) > 0 {
		if s.writeQueued(fd) {
			return true
		}
		if !s.fresh {
			return false
		}
		s.fresh = false // a backend that spoke first has had its event: look
	}
	for {
		n, _, errno := syscall.RawSyscall6(syscall.SYS_RECVFROM, fd, // read goes the long way through the VFS
			uintptr(unsafe.Pointer(unsafe.SliceData(s.in))), uintptr(len(s.in)), 0, 0, 0)
		switch errno {
		case 0:
			s.inN = int(n)
			return true
		case syscall.EINTR:
		case syscall.EAGAIN:
			s.inErr = errno
			if s.noWait {
				return true
			}
			s.inErr = 0
			return false
		default:
			s.inErr = errno
			return true
		}
	}
}

// writeQueued is false if all is written and the answer is to be waited for.
func (s *socket) writeQueued(fd uintptr) bool {
	if s.check {
		s.check = false
		if s.dead = peeks(fd); s.dead {
			s.queued = nil
			return true
		}
	}
	n, errno := write(fd, s.queued)
	s.queued = s.queued[n:]
	s.wrote += n
	switch {
	case len(s.queued) == 0:
		s.queued = nil
		return false
	case errno == syscall.EAGAIN:
		return true
	}
	s.inErr, s.queued = errno, nil
	return true
}

// peeks tells whether there are bytes, an end or an error to read.
func peeks(fd uintptr) bool {
	var b [1]byte
	_, _, errno := syscall.RawSyscall6(syscall.SYS_RECVFROM, fd, uintptr(unsafe.Pointer(&b)), 1,
		syscall.MSG_PEEK|syscall.MSG_DONTWAIT, 0, 0)
	return errno != syscall.EAGAIN
}

// silent tells whether nothing has come, nor the end.
func (s *socket) silent() bool {
	s.dead = true
	return s.armRead() == nil && s.raw.Read(s.onPeek) == nil && !s.dead
}

func (s *socket) tryPeek(fd uintptr) bool {
	s.dead = peeks(fd)
	return true
}

// Write writes all of p. It waits, with the deadline armed, only where the kernel does not take all at once.
func (s *socket) Write(p []byte) (int, error) {
	total := 0
	for s.outWaits = false; ; {
		if s.outWaits || s.writeUntil != 0 { // a deadline from before must not have passed
			if err := s.armWrite(); err != nil {
				return total, err
			}
		}
		s.out, s.outErr, s.outN = p[total:], 0, 0
		err := s.raw.Write(s.onWrite)
		s.out = nil
		total += s.outN
		switch {
		case err != nil:
			return total, err
		case s.outErr == syscall.EAGAIN:
			s.outWaits = true
		case s.outErr != 0:
			return total, os.NewSyscallError("write", s.outErr)
		default:
			return total, nil
		}
	}
}

func (s *socket) tryWrite(fd uintptr) bool {
	n, errno := write(fd, s.out)
	s.outN += n
	if errno == syscall.EAGAIN && s.outWaits && n == 0 {
		return false
	}
	s.outErr = errno
	return true
}

func write(fd uintptr, p []byte) (done int, errno syscall.Errno) {
	for done < len(p) {
		n, _, errno := syscall.RawSyscall6(syscall.SYS_SENDTO, fd,
			uintptr(unsafe.Pointer(unsafe.SliceData(p[done:]))), uintptr(len(p)-done), syscall.MSG_NOSIGNAL, 0, 0)
		switch {
		case errno == syscall.EINTR:
		case errno != 0:
			return done, errno
		default:
			done += int(n)
		}
	}
	return done, 0
}
