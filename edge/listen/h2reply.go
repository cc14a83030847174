package listen

import (
	"errors"
	"io"
	"net/http"

	"github.com/wedge-lb/wedge/edge/http1"
	"github.com/wedge-lb/wedge/edge/http2"
)

var errNoSwitch = errors.New("listen: protocols switch where that was asked for only")

// An h2Reply writes the answer of an h2 request. What it gathers in out, the head's block and a part of the
// body behind it, is sent in one piece if that fits.
type h2Reply struct {
	st    *h2Stream
	out   []byte
	block int // bytes of out that are the head's
	state uint8
	bare  bool  // the answer has no body: HEAD, 204, 304
	held  bool  // nothing has been sent since the head was given
	left  int64 // of the declared body; Unknown = not declared
}

// start makes r ready for another request.
func (r *h2Reply) start() { r.block, r.state, r.bare, r.held, r.left = 0, replyNone, false, false, 0 }

func (r *h2Reply) giveBack() {
	putBuffer(r.out)
	r.out = nil
}

// head gathers a head; length Unknown = no content-length.
func (r *h2Reply) head(status int, f http1.Fields, length int64) {
	if r.out == nil {
		r.out = getBuffer()[:0]
	}
	r.out = http2.AppendStatus(r.out, status)
	for i := range f {
		r.out = http2.AppendField(r.out, f[i].Name, f[i].Value)
	}
	if length >= 0 {
		r.out = http2.AppendLength(r.out, length)
	}
	r.block = len(r.out)
}

// Inform sends an interim answer.
func (r *h2Reply) Inform(status int, f http1.Fields) error {
	if r.state != replyNone {
		return errOrder
	}
	r.head(status, f, http1.Unknown)
	return r.send(nil, nil, false)
}

// Head gathers the head.
func (r *h2Reply) Head(status int, f http1.Fields, length int64) error {
	if r.state != replyNone {
		return errOrder
	}
	st := r.st
	r.state, r.held = replyHead, true
	if st.tunneled && status/100 == 2 {
		status = http.StatusBadGateway // to say so would open a tunnel (RFC 8441 5)
	}
	st.answering(true, false)
	r.bare = bodiless(string(st.x.Request.Method) == "HEAD", status)
	r.left = length
	if status == 204 {
		length = http1.Unknown
	}
	if r.bare {
		r.left = 0
	}
	r.head(status, f, length)
	r.advertise(f)
	return nil
}

// answering notes whether the answer has begun, and whether it is a tunnel's.
func (st *h2Stream) answering(yes, tunnels bool) {
	if st.body.unsized || st.tunneled { // else nobody asks
		st.c.mu.Lock()
		defer st.c.mu.Unlock()
		st.answered, st.tunneled = yes, tunnels
	}
}

// advertise adds to the head where else the edge answers, unless the fields f say so already.
func (r *h2Reply) advertise(f http1.Fields) {
	alt := r.st.c.server.altSvc
	if alt == nil {
		return
	}
	if _, ok := f.Get("Alt-Svc"); !ok {
		r.out = http2.AppendField(r.out, fieldAltSvc, alt)
		r.block = len(r.out)
	}
}

// Retract takes back what was gathered.
func (r *h2Reply) Retract() bool {
	if r.state != replyHead || !r.held {
		return false
	}
	r.start()
	r.out = r.out[:0]
	r.st.answering(false, r.st.tunneled)
	return true
}

// Write gathers p, or sends it with what is gathered.
func (r *h2Reply) Write(p []byte) (int, error) {
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
	if r.left > 0 {
		r.left -= int64(len(p))
	}
	if r.out == nil {
		r.out = getBuffer()[:0]
	}
	if len(r.out)+len(p) <= answerBuffer {
		r.out = append(r.out, p...)
		return len(p), nil
	}
	if err := r.send(p, nil, false); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Flush sends what was gathered.
func (r *h2Reply) Flush() error {
	if r.state != replyHead {
		return errOrder
	}
	if len(r.out) == 0 {
		return nil
	}
	return r.send(nil, nil, false)
}

// End sends the rest.
func (r *h2Reply) End(trailers http1.Fields) error {
	if r.state != replyHead {
		return errOrder
	}
	if r.left > 0 {
		r.Cut()
		return io.ErrUnexpectedEOF
	}
	var tail []byte
	if len(trailers) > 0 && !r.bare {
		tail = appendTrailers(trailers)
	}
	if err := r.send(nil, tail, true); err != nil {
		return err
	}
	r.state = replyEnded
	r.giveBack()
	return nil
}

// appendTrailers gives the block of trailers; nil if none may be passed on.
func appendTrailers(f http1.Fields) (b []byte) {
	for i := range f {
		if http1.TrailerAllowed(f[i].Name) {
			b = http2.AppendField(b, f[i].Name, f[i].Value)
		}
	}
	return b
}

// send sends what is gathered, p behind it and then tail, a block of trailers. A client that does not take it
// is cut.
func (r *h2Reply) send(p, tail []byte, ends bool) error {
	m := h2Message{data: [2][]byte{r.out[r.block:], p}, tail: tail, ends: ends}
	if r.block > 0 {
		m.block = r.out[:r.block]
	}
	err := r.st.c.send(r.st, m)
	r.out, r.block, r.held = r.out[:0], 0, false
	if err != nil {
		r.Cut()
	}
	return err
}

// Cut resets the stream, when the Handler returns.
func (r *h2Reply) Cut() {
	if r.state != replyEnded {
		r.state = replyCut
	}
}
