package listen

import (
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/wedge-lb/wedge/edge/http1"
)

var errNoSwitch = errors.New("listen: protocols switch on HTTP/1.1 only")

// A streamReply answers one exchange through an http.ResponseWriter.
type streamReply struct {
	st      *stream
	w       http.ResponseWriter
	control http.ResponseController
	state   uint8
	status  int // of a head that was given, and not to w yet; 0 = none
	bare    bool
	left    int64 // of the declared length; Unknown = not declared
	pending int   // bytes that the ResponseWriter may hold back
	pace    pace
}

// heldBack is the most of an answer that the ResponseWriters keep until the Handler returns.
const heldBack = 4 << 10

// Inform sends an interim answer.
func (r *streamReply) Inform(status int, f http1.Fields) error {
	if r.state != replyNone {
		return errOrder
	}
	h := r.w.Header()
	addFields(h, "", f)
	r.w.WriteHeader(status)
	clear(h)
	return r.st.r.Context().Err()
}

func addFields(h http.Header, prefix string, f http1.Fields) {
	for i := range f {
		name := prefix + http.CanonicalHeaderKey(string(f[i].Name))
		h[name] = append(h[name], string(f[i].Value))
	}
}

// Head begins the answer. What the ResponseWriter would add by itself is turned off.
func (r *streamReply) Head(status int, f http1.Fields, length int64) error {
	if r.state != replyNone {
		return errOrder
	}
	r.state = replyHead
	r.st.answered.Store(true)
	r.bare = bodiless(r.st.r.Method == http.MethodHead, status)
	r.left = length
	h := r.w.Header()
	addFields(h, "", f)
	for _, name := range [...]string{"Date", "Content-Type"} {
		if _, ok := h[name]; !ok {
			h[name] = nil
		}
	}
	if length >= 0 && status != http.StatusNoContent {
		h["Content-Length"] = lengthText(length)
	}
	if r.bare {
		r.left = 0
	}
	if alt := r.st.owner.alt; alt != nil && h["Alt-Svc"] == nil {
		h["Alt-Svc"] = []string{string(alt)}
	}
	if r.st.owner.server.draining.Load() {
		h["Connection"] = []string{"close"} // never sent: it makes x/net say GOAWAY
	}
	r.status = status
	return nil
}

// Retract takes back a head that w was not given yet.
func (r *streamReply) Retract() bool {
	if r.state != replyHead || r.status == 0 {
		return false
	}
	r.state, r.status = replyNone, 0
	r.st.answered.Store(false)
	clear(r.w.Header())
	return true
}

// begin gives w the head.
func (r *streamReply) begin() {
	if r.status != 0 {
		r.w.WriteHeader(r.status)
		r.status = 0
	}
}

// Write sends p, or leaves it with the ResponseWriter.
func (r *streamReply) Write(p []byte) (int, error) {
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
	r.begin()
	if r.pending += len(p); r.pending <= heldBack {
		return r.w.Write(p)
	}
	r.st.writes.begin(time.Now(), max(r.pace.left, 0))
	n, err := r.w.Write(p)
	r.pending = 0
	r.pace.moved(n, r.st.writes.end())
	return n, err
}

// Flush sends what the ResponseWriter holds.
func (r *streamReply) Flush() error {
	if r.state != replyHead {
		return errOrder
	}
	r.begin()
	r.st.writes.begin(time.Now(), max(r.pace.left, 0))
	err := r.control.Flush()
	r.pace.moved(r.pending, r.st.writes.end())
	r.pending = 0
	return err
}

// End completes the answer; the ResponseWriter sends what it holds when the Handler has returned.
func (r *streamReply) End(trailers http1.Fields) error {
	if r.state != replyHead {
		return errOrder
	}
	if r.left > 0 {
		r.Cut()
		return io.ErrUnexpectedEOF
	}
	r.begin()
	for i := range trailers {
		if http1.TrailerAllowed(trailers[i].Name) {
			addFields(r.w.Header(), http.TrailerPrefix, trailers[i:i+1])
		}
	}
	r.state = replyEnded
	return nil
}

// Switch is for h1.
func (r *streamReply) Switch([]byte, http1.Fields) (io.ReadWriteCloser, error) {
	return nil, errNoSwitch
}

// Cut has the stream reset once the Handler returns.
func (r *streamReply) Cut() {
	if r.state != replyEnded {
		r.state = replyCut
	}
}
