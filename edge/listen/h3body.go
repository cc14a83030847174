package listen

import (
	"io"
	"slices"
	"sync/atomic"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/wedge-lb/wedge/edge/http1"
)

// An h3Body reads the body of an h3 request out of its DATA frames, at the pace that the limits demand. It
// gives io.EOF only for a body that the client ended, and that is of its declared length.
type h3Body struct {
	st       *h3Stream
	left     int64  // of the declared length; Unknown = not declared
	frame    uint64 // bytes to come of the DATA frame
	trailed  bool   // the trailers have been read
	trailers http1.Fields
	pace     pace
	err      error
	closed   atomic.Bool
}

// start begins a request, as if it had no body.
func (b *h3Body) start(l *Limits) {
	b.left, b.frame, b.trailed, b.trailers, b.err = 0, 0, false, b.trailers[:0], nil
	b.pace = newPace(l.BodyTimeout, l.MinRate)
	b.closed.Store(false)
}

// probeTime is how long an h3 request that should have no body may take to end: the end of its stream may
// come behind the packet of its head.
const probeTime = 200 * time.Millisecond

// probe is false if there is no body.
func (b *h3Body) probe() (bool, error) {
	b.st.str.SetReadDeadline(time.Now().Add(probeTime))
	err := b.next()
	b.st.str.SetReadDeadline(time.Time{})
	switch {
	case err == io.EOF:
		b.err = err
		return len(b.trailers) > 0, nil
	case timedOut(err):
		return true, nil
	}
	return true, err
}

// Read waits for the client only as long as its pace allows.
func (b *h3Body) Read(p []byte) (int, error) {
	if b.err != nil || len(p) == 0 {
		return 0, b.err
	}
	b.st.reads.begin(time.Now(), max(b.pace.left, 0))
	n, err := b.read(p)
	waited := b.st.reads.end()
	if b.left < 0 && b.st.answered.Load() {
		waited = 0
	}
	b.pace.moved(n, waited)
	if b.left >= 0 {
		b.left -= int64(n)
	}
	b.err = b.failed(err)
	return n, b.err
}

func (b *h3Body) read(p []byte) (int, error) {
	if err := b.next(); err != nil {
		return 0, err
	}
	n, err := b.st.in.read(p, b.frame)
	b.frame -= uint64(n)
	return n, err
}

// next goes to where bytes of the body are, over frames that hold none.
func (b *h3Body) next() error {
	for b.frame == 0 {
		kind, length, err := b.st.in.frame()
		switch {
		case err == io.EOF && b.left > 0:
			return errBodyLength
		case err != nil:
			return err
		case ignorable(kind):
			err = b.st.in.skip(length)
		case b.trailed, kind != frameData && kind != frameHeaders:
			return errH3Unexpected
		case kind == frameHeaders:
			err = b.readTrailers(length)
		case b.left >= 0 && length > uint64(b.left):
			return errBodyLength
		default:
			b.frame = length
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// readTrailers keeps the trailers that may be passed on.
func (b *h3Body) readTrailers(length uint64) error {
	most := b.st.limits.TrailerBytes
	if length > uint64(most) {
		return errH3Trailers
	}
	section, err := b.st.in.take(int(length))
	if err != nil {
		return err
	}
	b.trailed = true
	q := &b.st.trailers
	if err := q.begin(section, most); err != nil {
		return err
	}
	for q.more() {
		name, value, err := q.next()
		if err == errSection {
			return errH3Trailers
		}
		if err == nil {
			err = takeTrailer(&b.trailers, name, value)
		}
		if err != nil {
			return err
		}
	}
	slices.SortStableFunc(b.trailers, func(x, y http1.Field) int { return slices.Compare(x.Name, y.Name) })
	return nil
}

// failed ends the stream or the connection where err is the client's fault.
func (b *h3Body) failed(err error) error {
	if m, ok := err.(malformed); ok {
		err = malformedH3(m)
	}
	if e, ok := err.(*h3Error); ok && !b.closed.Load() {
		b.st.fail(e)
	}
	return err
}

// Close makes a Read that waits, and all later ones, fail.
func (b *h3Body) Close() error {
	b.closed.Store(true)
	b.st.str.CancelRead(quic.StreamErrorCode(h3NoError))
	return nil
}
