package http1

import "io"

// A Body reads the body behind a head. It gives io.EOF only when the whole body has been received, together
// with the last bytes where that is known; a body cut short ends with io.ErrUnexpectedEOF, a malformed one
// with an *Error. After an error every Read gives it again. The zero value is a body that has ended.
type Body struct {
	// Trailers are those that may be passed on (TrailerAllowed), complete once Read gave io.EOF. They stay
	// pinned in the Reader.
	Trailers Fields

	src     *Reader
	framing Framing
	state   chunkState
	left    int64 // bytes of the body, or of the chunk, to come
	lim     Limits
	err     error

	overhead int // bytes of chunk extensions so far
	searched int // bytes of unfinished trailers that were searched for their end
}

// Start makes b read the body that framing and length say from r, behind the head, which must be pinned.
func (b *Body) Start(r *Reader, framing Framing, length int64, lim Limits) {
	*b = Body{Trailers: b.Trailers[:0], src: r, framing: framing, lim: lim.WithDefaults()}
	switch framing {
	case None:
		b.err = io.EOF
	case Sized:
		b.left = length
		if length == 0 {
			b.err = io.EOF
		}
	}
}

// Ended tells whether the whole body was received and read, so that the next message follows.
func (b *Body) Ended() bool { return b.err == io.EOF || b.src == nil }

// Buffered is how many bytes of the body Read can give without waiting for the peer; a lower bound for a
// chunked body.
func (b *Body) Buffered() int {
	if b.err != nil {
		return 0
	}
	n := len(b.src.Buffered())
	switch {
	case b.framing == UntilClose:
		return n
	case b.framing == Chunked && b.state != inData:
		return 0
	}
	return int(min(int64(n), b.left))
}

// Whole gives the body if all of it is buffered already, and takes it as read: nil, false if it is not, or is
// chunked. The bytes are pinned with the head.
func (b *Body) Whole() ([]byte, bool) {
	if b.framing != Sized || b.err != nil || int64(len(b.src.Buffered())) < b.left {
		return nil, false
	}
	n := int(b.left)
	body := b.src.Buffered()[:n:n]
	b.src.Pin(n)
	b.left, b.err = 0, io.EOF
	return body, true
}

// Read reads more of the body. It waits at most for one read of the source.
func (b *Body) Read(p []byte) (int, error) {
	if b.err != nil || b.src == nil {
		return 0, b.ending()
	}
	if len(p) == 0 {
		return 0, nil
	}
	switch b.framing {
	case Sized:
		return b.readSized(p)
	case Chunked:
		return b.readChunked(p)
	}
	n, err := b.src.Read(p)
	if err != nil {
		b.err = err
	}
	return n, err
}

func (b *Body) ending() error {
	if b.err == nil {
		return io.EOF
	}
	return b.err
}

func (b *Body) readSized(p []byte) (int, error) {
	if int64(len(p)) > b.left {
		p = p[:b.left]
	}
	n, err := b.src.Read(p)
	b.left -= int64(n)
	switch {
	case b.left == 0:
		b.err = io.EOF
	case err != nil:
		b.err = cutShort(err)
	}
	return n, b.err
}

// cutShort is the error of a source that ended where more was due.
func cutShort(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
