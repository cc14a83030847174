package listen

import (
	"errors"
	"io"
	"net"
	"net/http"

	"github.com/wedge-lb/wedge/edge/http1"
)

const (
	// answerBuffer is the most of an answer that is gathered before it is written: one TLS record.
	answerBuffer = 16 << 10
	// copyMost is the most that is rather copied than sent from where it is.
	copyMost = 1 << 10
)

// How far an h1Reply has come.
const (
	replyNone = iota
	replyHead // the head was given
	replyEnded
	replyCut
)

var (
	errOrder  = errors.New("listen: reply methods called out of order")
	errLength = errors.New("listen: more body than was declared")
	errNoBody = errors.New("listen: body of an answer that has none")
)

// An h1Reply writes the answer of one exchange after the other. What it gathers in out is sent in one piece
// with the body if that fits.
type h1Reply struct {
	h       *h1Conn
	out     []byte
	answer  http1.Answer
	state   uint8
	chunked bool
	bare    bool  // the answer has no body: HEAD, 204, 304
	closing bool  // the connection ends with this answer
	held    bool  // nothing has been sent since the head was given
	left    int64 // of the declared body; Unknown = not declared
	tunnel  *tunnel
}

// start makes r ready for the exchange whose request was just read.
func (r *h1Reply) start() {
	r.state, r.chunked, r.bare, r.closing = replyNone, false, false, !r.h.parser.KeepAlive
	r.tunnel = nil
}

// Watch has the client looked after while the exchange waits.
func (r *h1Reply) Watch(on bool) { r.h.conn.front.queued.watch(r.h.conn, on) }

func (r *h1Reply) giveBack() {
	putBuffer(r.out)
	r.out = nil
}

func (r *h1Reply) buffer() {
	if r.out == nil {
		r.out = getBuffer()[:0]
	}
}

// Inform sends an interim answer; HTTP/1.0 has none (RFC 9110 15.2).
func (r *h1Reply) Inform(status int, f http1.Fields) error {
	if r.state != replyNone {
		return errOrder
	}
	if r.h.parser.Old {
		return nil
	}
	r.buffer()
	r.answer = http1.Answer{Status: status, Fields: f}
	r.out = http1.AppendResponse(r.out, &r.answer)
	return r.send(nil)
}

// Head gathers the head.
func (r *h1Reply) Head(status int, f http1.Fields, length int64) error {
	if r.state != replyNone {
		return errOrder
	}
	h := r.h
	old := h.parser.Old
	r.bare = bodiless(string(h.x.Request.Method) == "HEAD", status)
	r.chunked = length < 0 && !r.bare && !old
	r.left = length
	if r.bare {
		r.left = 0
	}
	if length < 0 && !r.bare && old || h.server().draining.Load() || h.body.remains() {
		r.closing = true
	}
	r.buffer()
	r.answer = http1.Answer{Status: status, Fields: f, Length: length,
		NoBody: r.bare, Old: old, Close: r.closing}
	r.out = http1.AppendResponse(r.out, &r.answer)
	r.answer.Fields = nil
	r.advertise(f)
	if h.parser.Framing == http1.Chunked {
		h.conn.socket.patient.Store(true)
	}
	r.state, r.held = replyHead, true
	return nil
}

// Retract takes back what was gathered.
func (r *h1Reply) Retract() bool {
	if r.state != replyHead || !r.held {
		return false
	}
	r.start()
	r.out = r.out[:0]
	r.h.conn.socket.patient.Store(false)
	return true
}

// bodiless tells whether an answer has no body (RFC 9110 6.4.1).
func bodiless(head bool, status int) bool {
	return head || status == http.StatusNoContent || status == http.StatusNotModified
}

var fieldAltSvc = []byte("Alt-Svc")

// advertise adds to the head where else the edge answers, unless the fields f say so already.
func (r *h1Reply) advertise(f http1.Fields) {
	alt := r.h.server().altSvc
	if alt == nil || !r.h.x.Secure {
		return
	}
	if _, ok := f.Get("Alt-Svc"); ok {
		return
	}
	r.out = http1.AppendField(r.out[:len(r.out)-2], fieldAltSvc, alt) // before the empty line
	r.out = append(r.out, "\r\n"...)
}

// Write gathers p, or sends it with what is gathered.
func (r *h1Reply) Write(p []byte) (int, error) {
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
	if r.chunked {
		if err := r.writeChunk(p); err != nil {
			return 0, err
		}
		return len(p), nil
	}
	last := r.left == 0 && r.h.plain != nil && len(p) > copyMost // nothing to wait for, nothing to encrypt
	if !last && r.fits(len(p)) {
		r.out = append(r.out, p...)
		return len(p), nil
	}
	if err := r.send(p); err != nil {
		return 0, err
	}
	return len(p), nil
}

// writeChunk gathers or sends p as a chunk; the end of a chunk that was sent is left for the next write.
func (r *h1Reply) writeChunk(p []byte) error {
	if r.fits(len(p) + http1.ChunkRoom + 2) {
		r.out = http1.AppendChunk(r.out, p)
		return nil
	}
	var line [http1.ChunkRoom]byte
	r.out = append(r.out, line[http1.PutChunkHead(line[:], len(p)):]...)
	err := r.send(p)
	r.out = append(r.out, "\r\n"...)
	return err
}

// fits tells whether n more bytes can be gathered, and makes the room.
func (r *h1Reply) fits(n int) bool {
	n += len(r.out)
	if n > answerBuffer {
		return false
	}
	if n > cap(r.out) {
		r.grow()
	}
	return true
}

// grow makes the room for a full record.
func (r *h1Reply) grow() {
	large := append(getRecord(), r.out...)
	putBuffer(r.out)
	r.out = large
}

// Flush sends what was gathered.
func (r *h1Reply) Flush() error {
	if r.state != replyHead {
		return errOrder
	}
	return r.send(nil)
}

// End sends the rest.
func (r *h1Reply) End(trailers http1.Fields) error {
	if r.state != replyHead {
		return errOrder
	}
	if r.left > 0 {
		r.Cut()
		return io.ErrUnexpectedEOF
	}
	if r.chunked {
		r.out = http1.AppendLastChunk(r.out, &trailers)
	}
	if err := r.send(nil); err != nil {
		return err
	}
	r.state = replyEnded
	r.giveBack()
	return nil
}

// send writes what is gathered and p behind it. A client that does not take it is cut.
func (r *h1Reply) send(p []byte) error {
	var err error
	switch {
	case len(p) == 0 && len(r.out) == 0:
	case len(p) == 0:
		_, err = r.h.stream.Write(r.out)
	case len(r.out) == 0:
		_, err = r.h.stream.Write(p)
	default:
		err = r.sendBoth(p)
	}
	r.out, r.held = r.out[:0], false
	if err != nil {
		if timedOut(err) {
			r.h.server().counters.timedOut.Add(1)
		}
		r.Cut()
	}
	return err
}

// sendBoth sends what is gathered and p: at once, or over TLS by filling a record with the head of p.
func (r *h1Reply) sendBoth(p []byte) error {
	if r.h.plain != nil {
		return r.h.plain.writeBoth(r.out, p)
	}
	if cap(r.out) < answerBuffer {
		r.grow()
	}
	if n := min(answerBuffer-len(r.out), len(p)); n > 0 {
		r.out = append(r.out, p[:n]...)
		p = p[n:]
	}
	if _, err := r.h.stream.Write(r.out); err != nil || len(p) == 0 {
		return err
	}
	_, err := r.h.stream.Write(p)
	return err
}

// Switch answers 101 and hands the connection over.
func (r *h1Reply) Switch(protocol []byte, f http1.Fields) (io.ReadWriteCloser, error) {
	if r.state != replyNone || r.h.x.Request.Upgrade == nil {
		return nil, errOrder
	}
	r.buffer()
	r.answer = http1.Answer{Status: http.StatusSwitchingProtocols, Fields: f, Upgrade: protocol}
	r.out = http1.AppendResponse(r.out, &r.answer)
	if err := r.send(nil); err != nil {
		return nil, err
	}
	r.state = replyEnded
	r.giveBack()
	r.tunnel = newTunnel(r.h)
	return r.tunnel, nil
}

// Cut drops the connection at once.
func (r *h1Reply) Cut() {
	if r.state == replyEnded || r.state == replyCut {
		return
	}
	r.state = replyCut
	if c, ok := r.h.conn.socket.Conn.(*net.TCPConn); ok {
		c.SetLinger(0) // a reset: an answer delimited by the end of the connection is not taken for complete
	}
	r.h.conn.socket.Close()
}
