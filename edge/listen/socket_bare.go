//go:build linux && !race

package listen

import (
	"io"
	"net"
	"os"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// bare calls the system without telling the scheduler: the socket does not block, so a call is short and the
// two transitions would cost more than it. Waiting is left to the runtime's poller, by way of
// syscall.RawConn, and so are deadlines, which are set only when a call has to wait. The race detector needs
// the plain form: it learns from system calls what happens before what.
type bare struct {
	s      *socket
	raw    syscall.RawConn
	reads  transfer
	writes transfer
	second []byte // goes out behind the bytes of writes
	noWait bool   // reads that would wait fail as if their deadline had passed

	step func() bool // what stand calls
	fd   uintptr     // within step
	dry  bool        // within step: what had come has been read
	came int         // steps with something to read, since stand

	tryStep, tryRead, tryWrite, tryWait func(fd uintptr) bool
}

// A transfer is one call in progress.
type transfer struct {
	p     []byte
	n     int
	err   error
	since time.Time // when it began to wait; zero = it did not
	had   int       // n then
	held  int       // bytes that the kernel held for the peer then
}

// newBare is nil if s is not a TCP socket of the system's.
func newBare(s *socket) *bare {
	c, ok := s.Conn.(*net.TCPConn)
	if !ok {
		return nil
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return nil
	}
	b := &bare{s: s, raw: raw}
	b.tryStep, b.tryRead, b.tryWrite, b.tryWait = b.stepOnce, b.recvOnce, b.writeOnce, b.waitOnce
	return b
}

// stands tells whether stand can be used.
func (s *socket) stands() bool { return s.bare != nil }

// stand calls step whenever there may be something to read, within the poller's own call, until step is false.
// While step runs, a read that would have to wait gives a timeout, and a Close is left to whoever owns the
// socket, who must see to it. So the poller need not be told to forget what it knew, and a peer that has
// nothing more to say is not asked: one recvfrom for each time that something came. The error is the wait's.
func (s *socket) stand(step func() (more bool)) error {
	if s.interrupted.Load() {
		return errInterrupted
	}
	s.bare.step, s.bare.came = step, 0
	return s.bare.raw.Read(s.bare.tryStep)
}

func (b *bare) stepOnce(fd uintptr) (done bool) {
	b.fd, b.dry, b.noWait = fd, false, true
	b.s.inside.Store(true)
	defer func() {
		b.noWait = false
		b.s.inside.Store(false)
	}()
	return !b.step() || b.s.interrupted.Load()
}

// wait returns when a read would not wait. It takes little of the stack.
func (s *socket) wait() error {
	switch {
	case s.interrupted.Load():
		return errInterrupted
	case s.bare == nil:
		return nil
	}
	return s.bare.raw.Read(s.bare.tryWait)
}

func (s *socket) readOnce(p []byte) (int, error) {
	b := s.bare
	if b == nil || len(p) == 0 {
		return s.readPlain(p)
	}
	b.reads = transfer{p: p}
	if s.inside.Load() {
		return b.readInside()
	}
	err := b.raw.Read(b.tryRead)
	if s.paced() && b.reads.expired(err) {
		if err = s.mayRead(time.Now()); err == nil {
			err = b.raw.Read(b.tryRead)
		}
	}
	n, err := b.reads.result(err)
	b.reads.p = nil
	if n == 0 && err == nil {
		err = io.EOF
	}
	return n, err
}

// isDry tells, within stand's step, that there is nothing to read that the poller would not tell of.
func (s *socket) isDry() bool { return s.bare != nil && s.bare.dry }

// readInside reads without waiting. A read that leaves room has emptied the socket. What it cannot show is that
// the peer's end came together with the last bytes: clients that close behind their only request are asked, of
// others it is noticed when the connection is put to rest.
func (b *bare) readInside() (int, error) {
	if b.dry {
		return 0, os.ErrDeadlineExceeded
	}
	b.recvOnce(b.fd)
	n, err := b.reads.result(nil)
	if n > 0 {
		b.came++
		b.dry = n < len(b.reads.p) && b.came > 1
	}
	b.reads.p = nil
	if n == 0 && err == nil {
		err = io.EOF
	}
	return n, err
}

// Write writes all of p as long as the peer takes it at the minimum rate.
func (s *socket) Write(p []byte) (int, error) {
	if s.bare == nil {
		return s.writePlain(p)
	}
	return s.bare.write(p, nil)
}

// writeBoth writes p and then q.
func (s *socket) writeBoth(p, q []byte) error {
	if s.bare != nil {
		_, err := s.bare.write(p, q)
		return err
	}
	if _, err := s.writePlain(p); err != nil {
		return err
	}
	_, err := s.writePlain(q)
	return err
}

func (b *bare) recvOnce(fd uintptr) bool {
	t := &b.reads
	for {
		n, _, errno := syscall.RawSyscall6(unix.SYS_RECVFROM, fd, // read goes the long way through the VFS
			uintptr(unsafe.Pointer(unsafe.SliceData(t.p))), uintptr(len(t.p)), 0, 0, 0)
		switch errno {
		case 0:
			t.n = int(n)
			if !t.since.IsZero() {
				b.s.in.moved(t.n, time.Since(t.since))
			}
			return true
		case unix.EINTR:
		case unix.EAGAIN:
			if b.noWait {
				t.err = os.ErrDeadlineExceeded
			} else if b.s.paced() && t.since.IsZero() {
				t.since = time.Now()
				t.err = b.s.mayRead(t.since)
			}
			return t.err != nil
		default:
			t.err = errno
			return true
		}
	}
}

// ready reads from stream, which is s or TLS over it, what has been received already.
func (s *socket) ready(stream io.Reader, p []byte) int {
	if s.bare == nil {
		return 0
	}
	s.bare.noWait = true
	n, _ := stream.Read(p) // an error comes again
	s.bare.noWait = false
	return n
}

func (b *bare) waitOnce(fd uintptr) bool {
	var one [1]byte
	for {
		_, _, errno := syscall.RawSyscall6(unix.SYS_RECVFROM, fd,
			uintptr(unsafe.Pointer(&one)), 1, unix.MSG_PEEK, 0, 0)
		if errno != unix.EINTR {
			return errno != unix.EAGAIN
		}
	}
}

// waits tells whether wait does.
func (s *socket) waits() bool { return s.bare != nil }

func (b *bare) write(p, q []byte) (int, error) {
	b.writes, b.second = transfer{p: p}, q
	err := b.raw.Write(b.tryWrite)
	if !b.s.fixed && b.writes.expired(err) {
		if err = b.s.mayWrite(time.Now()); err == nil {
			err = b.raw.Write(b.tryWrite)
		}
	}
	n, err := b.writes.result(err)
	b.writes.p, b.second = nil, nil
	return n, err
}

func (b *bare) writeOnce(fd uintptr) bool {
	t := &b.writes
	for t.n < len(t.p)+len(b.second) {
		n, errno := b.send(fd)
		switch errno {
		case 0:
			t.n += n
		case unix.EINTR:
		case unix.EAGAIN:
			b.stall(unsent(fd))
			return t.err != nil
		default:
			t.err = errno
			return true
		}
	}
	if !t.since.IsZero() {
		b.s.out.moved(b.taken(unsent(fd)), time.Since(t.since))
	}
	return true
}

// taken is what the peer took during the wait, if the kernel holds so much for it now: not what the kernel took,
// whose buffers grow when others' shrink.
func (b *bare) taken(held int) int { return max(b.writes.n-b.writes.had-(held-b.writes.held), 0) }

// unsent is how many bytes the kernel holds that the peer has not acknowledged.
func unsent(fd uintptr) int {
	n, _ := unix.IoctlGetInt(int(fd), unix.SIOCOUTQ) // 0 if it cannot be told
	return n
}

// stall accounts for the wait before, and sets the deadline of the one to come.
func (b *bare) stall(held int) {
	t := &b.writes
	if b.s.fixed {
		return
	}
	now := time.Now()
	if !t.since.IsZero() {
		b.s.out.moved(b.taken(held), now.Sub(t.since))
	}
	t.since, t.had, t.held = now, t.n, held
	t.err = b.s.mayWrite(now)
}

// send makes one call for what is left.
func (b *bare) send(fd uintptr) (int, syscall.Errno) {
	p, q, done := b.writes.p, b.second, b.writes.n
	if done >= len(p) {
		p, q, done = q, nil, done-len(p)
	}
	p = p[done:]
	if len(q) == 0 {
		n, _, errno := syscall.RawSyscall6(unix.SYS_SENDTO, fd,
			uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)), unix.MSG_NOSIGNAL, 0, 0)
		return int(n), errno
	}
	parts := [2]unix.Iovec{{Base: unsafe.SliceData(p)}, {Base: unsafe.SliceData(q)}}
	parts[0].SetLen(len(p))
	parts[1].SetLen(len(q))
	n, _, errno := syscall.RawSyscall(unix.SYS_WRITEV, fd,
		uintptr(unsafe.Pointer(&parts)), uintptr(len(parts)))
	return int(n), errno
}

// expired tells whether the call was not even tried, because a deadline armed for an earlier one has passed.
func (t *transfer) expired(err error) bool {
	return err != nil && t.n == 0 && t.since.IsZero() && timedOut(err)
}

func (t *transfer) result(err error) (int, error) {
	if err == nil {
		err = t.err
	}
	return t.n, err
}
