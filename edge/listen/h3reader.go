package listen

import (
	"io"

	"github.com/quic-go/quic-go/quicvarint"
)

// The frames of HTTP/3 (RFC 9114 7.2, RFC 9218 7).
const (
	frameData         = 0x0
	frameHeaders      = 0x1
	frameCancelPush   = 0x3
	frameSettings     = 0x4
	framePushPromise  = 0x5
	frameGoAway       = 0x7
	frameMaxPushID    = 0xd
	framePriority     = 0xf0700
	framePriorityPush = 0xf0701
)

// ignorable tells whether a frame of that type is skipped: it is not known, and was not HTTP/2's.
func ignorable(kind uint64) bool {
	switch kind {
	case frameData, frameHeaders, frameCancelPush, frameSettings, framePushPromise, frameGoAway, frameMaxPushID,
		framePriority, framePriorityPush, 0x2, 0x6, 0x8, 0x9:
		return false
	}
	return true
}

const (
	// h3Room is what a stream's buffer begins with. It grows with what arrives, not with what is announced.
	h3Room     = 2 << 10
	h3RoomKept = 16 << 10
)

// An h3Reader reads frames from a stream. Its memory is kept over streams.
type h3Reader struct {
	src     io.Reader
	buf     []byte
	at, end int // buf[at:end] is unread
	ended   bool
}

// reset begins a stream.
func (r *h3Reader) reset(src io.Reader) {
	r.src, r.at, r.end, r.ended = src, 0, 0, false
	if len(r.buf) > h3RoomKept || r.buf == nil && src != nil {
		r.buf = make([]byte, h3Room)
	}
}

// fill reads more behind what is unread, which may move. At the end of the stream the error is io.EOF.
func (r *h3Reader) fill() error {
	if r.ended {
		return io.EOF
	}
	if r.at > 0 {
		r.end = copy(r.buf, r.buf[r.at:r.end])
		r.at = 0
	}
	if r.end == len(r.buf) {
		r.buf = append(r.buf, make([]byte, len(r.buf))...)
	}
	n, err := r.src.Read(r.buf[r.end:])
	r.end += n
	if err == io.EOF {
		r.ended = true
		if n > 0 {
			err = nil
		}
	}
	return err
}

// over tells whether the end of the stream has been seen and nothing is unread.
func (r *h3Reader) over() bool { return r.ended && r.at == r.end }

// frame gives the type and the length of the next frame. The error is io.EOF only between frames.
func (r *h3Reader) frame() (kind, length uint64, err error) {
	for {
		kind, n, err := quicvarint.Parse(r.buf[r.at:r.end])
		if err == nil {
			var m int
			if length, m, err = quicvarint.Parse(r.buf[r.at+n : r.end]); err == nil {
				r.at += n + m
				return kind, length, nil
			}
		}
		if err = r.fill(); err == io.EOF && r.at < r.end {
			err = errH3Truncated
		}
		if err != nil {
			return 0, 0, err
		}
	}
}

// number gives the next variable-length integer.
func (r *h3Reader) number() (uint64, error) {
	for {
		v, n, err := quicvarint.Parse(r.buf[r.at:r.end])
		if err == nil {
			r.at += n
			return v, nil
		}
		if err := r.fill(); err != nil {
			return 0, err
		}
	}
}

// take gives the next n bytes, valid until the next call.
func (r *h3Reader) take(n int) ([]byte, error) {
	for r.end-r.at < n {
		if err := r.fill(); err != nil {
			return nil, truncated(err)
		}
	}
	r.at += n
	return r.buf[r.at-n : r.at], nil
}

// skip drops the next n bytes.
func (r *h3Reader) skip(n uint64) error {
	for n > uint64(r.end-r.at) {
		n -= uint64(r.end - r.at)
		r.at, r.end = 0, 0
		if err := r.fill(); err != nil {
			return truncated(err)
		}
	}
	r.at += int(n)
	return nil
}

// read gives some of the next n bytes of a frame: at least one, or an error.
func (r *h3Reader) read(p []byte, n uint64) (int, error) {
	if uint64(len(p)) > n {
		p = p[:n]
	}
	if r.at < r.end {
		n := copy(p, r.buf[r.at:r.end])
		r.at += n
		return n, nil
	}
	if r.ended {
		return 0, errH3Truncated
	}
	got, err := r.src.Read(p)
	if err == io.EOF {
		r.ended = true
		if got > 0 {
			return got, nil
		}
	}
	return got, truncated(err)
}

// truncated is err where the stream must not end.
func truncated(err error) error {
	if err == io.EOF {
		return errH3Truncated
	}
	return err
}
