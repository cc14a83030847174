package http1

import (
	"errors"
	"io"
)

// ErrBufferFull is when a Reader would have to hold more than its Max.
var ErrBufferFull = errors.New("http1: buffer full")

const (
	minBuffer = 4 << 10
	// lineRoom is the free space that a Fill behind a pinned head wants: chunk sizes are read there.
	lineRoom = 512
)

// A Reader is the receiving side of a connection with one buffer, from which heads are parsed and bodies
// read. What was pinned (a head, whose slices are in use) stays in place until Release. The zero value is
// ready once Src is set; a buffer is made when it is needed.
type Reader struct {
	Src io.Reader
	Max int // bytes to hold at most, pinned ones not counted; default 32 KiB

	buf  []byte
	base int // before it is pinned
	r, w int // unread bytes
	err  error
}

// Reset makes r read from src with buf as its buffer, which may be nil. It gives the buffer it had.
func (r *Reader) Reset(src io.Reader, buf []byte) (old []byte) {
	old = r.buf
	*r = Reader{Src: src, Max: r.Max, buf: buf[:cap(buf)]}
	return old
}

// TakeBuffer gives the buffer away if no byte is in it and nothing is pinned, nil otherwise: so that a
// connection that waits holds none. The next Fill makes another, or SetBuffer lends one.
func (r *Reader) TakeBuffer() []byte {
	if r.r != r.w || r.base != 0 {
		return nil
	}
	buf := r.buf
	r.buf, r.r, r.w = nil, 0, 0
	return buf
}

// SetBuffer lends a buffer, with n bytes that were read from Src already, to a Reader that has none.
func (r *Reader) SetBuffer(buf []byte, n int) {
	if r.buf == nil {
		r.buf, r.r, r.w = buf[:cap(buf)], 0, n
	}
}

// Buffered are the unread bytes, valid until the next call.
func (r *Reader) Buffered() []byte { return r.buf[r.r:r.w] }

// Discard takes n of the Buffered bytes as read.
func (r *Reader) Discard(n int) { r.r += n }

// Pin takes n of the Buffered bytes as read and keeps them in place until Release.
func (r *Reader) Pin(n int) {
	r.r += n
	r.base = r.r
}

// Release ends what Pin began: slices of pinned bytes are invalid from now on.
func (r *Reader) Release() {
	r.base = 0
	if r.r == r.w {
		r.r, r.w = 0, 0
	}
}

// Fill reads once more from Src behind the Buffered bytes, which may move. The error is Src's, or
// ErrBufferFull; after a timeout it can be called again. An error that came with bytes is given by the next
// call.
func (r *Reader) Fill() error {
	if r.err != nil {
		return r.err
	}
	if r.r == r.w {
		r.r, r.w = r.base, r.base
	}
	if err := r.room(); err != nil {
		return err
	}
	n, err := r.Src.Read(r.buf[r.w:])
	if n > 0 {
		r.w += n
		r.err = err
		return nil
	}
	if err == nil {
		return io.ErrNoProgress
	}
	return err
}

// room makes space behind the unread bytes: by moving them down, or else by a larger buffer. Pinned bytes
// stay where they are, in the old buffer if need be.
func (r *Reader) room() error {
	limit := r.Max
	if limit == 0 {
		limit = 32 << 10
	}
	if r.w-r.r >= limit {
		return ErrBufferFull
	}
	want := 1
	if r.base > 0 {
		want = lineRoom
	}
	if len(r.buf)-r.w >= want {
		return nil
	}
	if r.r > r.base {
		copy(r.buf[r.base:], r.buf[r.r:r.w])
		r.r, r.w = r.base, r.base+r.w-r.r
		if len(r.buf)-r.w >= want {
			return nil
		}
	}
	next := make([]byte, max(minBuffer, 2*len(r.buf)))
	r.w = copy(next, r.buf[r.r:r.w])
	r.buf, r.r, r.base = next, 0, 0
	return nil
}

// Read gives buffered bytes, or reads once from Src into p without buffering.
func (r *Reader) Read(p []byte) (int, error) {
	if r.r < r.w {
		n := copy(p, r.buf[r.r:r.w])
		r.r += n
		return n, nil
	}
	if r.err != nil {
		return 0, r.err
	}
	return r.Src.Read(p)
}
