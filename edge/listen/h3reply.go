package listen

import (
	"io"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/wedge-lb/wedge/edge/http1"
)

// unblocked is the most that quic-go takes without waiting for the client when it is the first of a stream.
const unblocked = 1400

// An h3Reply writes the answer of an h3 request. What it gathers in out is sent in one piece with the body if
// that fits. A body of declared length is one DATA frame, however it is sent.
type h3Reply struct {
	st    *h3Stream
	out   []byte
	state uint8
	bare  bool  // the answer has no body: HEAD, 204, 304
	wrote bool  // something has been sent
	held  bool  // nothing has been sent since the head was given
	left  int64 // of the declared body; Unknown = not declared
	data  int   // where in out a DATA frame begins whose length is not known yet; -1 = nowhere
	pace  pace
}

// start makes r ready for another request.
func (r *h3Reply) start(l *Limits) {
	r.state, r.bare, r.wrote, r.left, r.data = replyNone, false, false, 0, -1
	r.pace = newPace(l.BodyTimeout, l.MinRate)
}

func (r *h3Reply) giveBack() {
	putBuffer(r.out)
	r.out = nil
}

func (r *h3Reply) buffer() {
	if r.out == nil {
		r.out = getBuffer()[:0]
	}
}

// headers appends a HEADERS frame; status 0 = trailers, length Unknown = no content-length.
func (r *h3Reply) headers(status int, f http1.Fields, length int64) {
	r.buffer()
	at := len(r.out)
	r.out = openHeaders(r.out)
	if status != 0 {
		r.out = appendStatus(r.out, status)
	}
	for i := range f {
		r.out = appendLine(r.out, &f[i])
	}
	if length >= 0 {
		r.out = appendLength(r.out, length)
	}
	closeFrame(r.out, at, 0)
}

// Inform sends an interim answer.
func (r *h3Reply) Inform(status int, f http1.Fields) error {
	if r.state != replyNone {
		return errOrder
	}
	r.headers(status, f, http1.Unknown)
	return r.send(nil)
}

// Head gathers the head, and for a body of known length the head of its one DATA frame.
func (r *h3Reply) Head(status int, f http1.Fields, length int64) error {
	if r.state != replyNone {
		return errOrder
	}
	r.state, r.held = replyHead, true
	r.st.answered.Store(true)
	r.bare = bodiless(string(r.st.x.Request.Method) == "HEAD", status)
	r.left = length
	if status == 204 {
		length = http1.Unknown
	}
	r.headers(status, f, length)
	if r.bare {
		r.left = 0
	}
	if r.left > 0 {
		r.out = appendDataHead(r.out, r.left)
	}
	return nil
}

// Retract takes back what was gathered.
func (r *h3Reply) Retract() bool {
	if r.state != replyHead || !r.held {
		return false
	}
	r.state, r.bare, r.left, r.data, r.out = replyNone, false, 0, -1, r.out[:0]
	r.st.answered.Store(false)
	return true
}

// Write gathers p, or sends it with what is gathered.
func (r *h3Reply) Write(p []byte) (int, error) {
	switch {
	case r.state != replyHead:
		return 0, errOrder
	case len(p) == 0:
		return 0, nil
	case r.bare:
		return 0, errNoBody
	case r.left >= 0 && int64(len(p)) > r.left:
		return 0, errLength
	}
	r.buffer()
	if r.left > 0 {
		r.left -= int64(len(p))
	} else {
		r.open()
	}
	if len(r.out)+len(p)+frameRoom <= answerBuffer {
		r.out = append(r.out, p...)
		return len(p), nil
	}
	if err := r.send(p); err != nil {
		return 0, err
	}
	return len(p), nil
}

// open begins a DATA frame of a body of unknown length, if none is open.
func (r *h3Reply) open() {
	if r.data < 0 {
		r.data = len(r.out)
		r.out = openFrame(r.out, frameData)
	}
}

// Flush sends what was gathered.
func (r *h3Reply) Flush() error {
	if r.state != replyHead {
		return errOrder
	}
	return r.send(nil)
}

// End sends the rest.
func (r *h3Reply) End(trailers http1.Fields) error {
	if r.state != replyHead {
		return errOrder
	}
	if r.left > 0 {
		r.Cut()
		return io.ErrUnexpectedEOF
	}
	if !r.bare {
		r.endTrailers(trailers)
	}
	if err := r.send(nil); err != nil {
		return err
	}
	r.state = replyEnded
	r.giveBack()
	return r.st.str.Close()
}

func (r *h3Reply) endTrailers(f http1.Fields) {
	kept := f[:0:0]
	for i := range f {
		if http1.TrailerAllowed(f[i].Name) {
			kept = append(kept, f[i])
		}
	}
	if len(kept) > 0 {
		r.close(0)
		r.headers(0, kept, http1.Unknown)
	}
}

// close ends the DATA frame that is open, with so many bytes behind what is gathered.
func (r *h3Reply) close(more int) {
	if r.data >= 0 {
		closeFrame(r.out, r.data, more)
		r.data = -1
	}
}

// send writes what is gathered and p behind it. A client that does not take it is cut.
func (r *h3Reply) send(p []byte) error {
	r.close(len(p))
	n := len(r.out) + len(p)
	if n == 0 {
		return nil
	}
	var err error
	if sure := !r.wrote && n <= unblocked; sure {
		_, err = r.st.str.Write(append(r.out, p...))
	} else {
		r.st.writes.begin(time.Now(), max(r.pace.left, 0))
		err = r.sendBoth(p)
		r.pace.moved(n, r.st.writes.end())
	}
	r.out, r.wrote, r.held = r.out[:0], true, false
	if err != nil {
		r.Cut()
	}
	return err
}

// sendBoth fills what is gathered from p before it writes: each write waits for the packets of the last.
func (r *h3Reply) sendBoth(p []byte) error {
	if n := min(cap(r.out)-len(r.out), len(p)); len(r.out) > 0 {
		r.out = append(r.out, p[:n]...)
		p = p[n:]
		if _, err := r.st.str.Write(r.out); err != nil {
			return err
		}
	}
	if len(p) == 0 {
		return nil
	}
	_, err := r.st.str.Write(p)
	return err
}

// Switch is for h1.
func (r *h3Reply) Switch([]byte, http1.Fields) (io.ReadWriteCloser, error) {
	return nil, errNoSwitch
}

// Cut resets the stream.
func (r *h3Reply) Cut() {
	if r.state == replyEnded || r.state == replyCut {
		return
	}
	r.state = replyCut
	r.st.str.CancelWrite(quic.StreamErrorCode(h3Internal))
}
