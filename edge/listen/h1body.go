package listen

import (
	"io"
	"sync/atomic"
	"time"

	"github.com/wedge-lb/wedge/edge/http1"
)

// drainBytes is how much of a body that nobody wanted is read to keep the connection.
const drainBytes = 64 << 10

// h1Body is the body of a request as the Handler reads it.
type h1Body struct {
	http1.Body
	h       *h1Conn
	whole   wholeBody
	memory  []byte      // where a small body is gathered
	ahead   []byte      // of memory: what was gathered of a body that had not arrived whole, and is unread
	touched atomic.Bool // the Handler has read of it
	done    atomic.Bool // Read gave an error
	ended   atomic.Bool // all of it has been read
	slow    bool        // its deadline has passed
}

// start offers the body behind the head that was just read.
func (b *h1Body) start() {
	h, r := b.h, &b.h.x.Request
	b.Body.Start(&h.in, h.parser.Framing, r.Length, h.parser.Limits)
	if h.parser.Framing == http1.None {
		return
	}
	b.touched.Store(false)
	b.done.Store(false)
	b.ended.Store(false)
	b.slow = false
	all, ok := b.Whole()
	if !ok && h.parser.Framing == http1.Sized && r.Length <= bodySize && !h.parser.Expect {
		all, ok = b.gather(int(r.Length))
	}
	if ok {
		b.ended.Store(true)
		r.Buffered, b.whole.left, r.Body = all, all, &b.whole
		return
	}
	r.Body = b
	r.Trailers = &b.Trailers
}

// gather collects what has been received of a body of n bytes, without waiting. It is true if that is all of
// it, which can be sent on in one piece, and again. If not, it stays ahead of what is to come.
func (b *h1Body) gather(n int) ([]byte, bool) {
	h := b.h
	b.memory = getBody()
	got := copy(b.memory[:n], h.in.Buffered())
	h.in.Discard(got)
	for got < n {
		more := h.conn.socket.ready(h.stream, b.memory[got:n])
		if more == 0 {
			break
		}
		got += more
	}
	b.ahead = b.memory[:got]
	if got < n {
		b.Body.Start(&h.in, http1.Sized, int64(n-got), h.parser.Limits)
		return nil, false
	}
	b.Body.Start(&h.in, http1.None, 0, h.parser.Limits)
	return b.ahead, true
}

func (b *h1Body) giveBack() {
	if b.memory != nil {
		putBuffer(b.memory)
		b.memory, b.ahead, b.whole.left = nil, nil, nil
	}
}

// Read waits for the client only as long as its pace allows.
func (b *h1Body) Read(p []byte) (int, error) {
	b.touched.Store(true)
	if len(b.ahead) > 0 {
		n := copy(p, b.ahead)
		if b.ahead = b.ahead[n:]; len(b.ahead) == 0 {
			b.giveBack()
		}
		return n, nil
	}
	b.h.conn.socket.pace(true)
	n, err := b.Body.Read(p)
	if err != nil {
		b.ended.Store(err == io.EOF)
		b.done.Store(true)
		b.note(err)
	}
	return n, err
}

// remains tells, when the answer begins, that the connection has to end with it: there may be more of the
// body, and it is not so that nobody reads it and it is little enough to be skipped.
func (b *h1Body) remains() bool {
	p, x := &b.h.parser, &b.h.x
	return p.Framing != http1.None && !b.ended.Load() &&
		(p.Expect || b.touched.Load() || x.Offered() || p.Framing == http1.Chunked || x.Request.Length > drainBytes)
}

// note counts a body that was too slow, once.
func (b *h1Body) note(err error) {
	if !b.slow && timedOut(err) {
		b.slow = true
		b.h.server().counters.timedOut.Add(1)
	}
}

// Close makes a Read that waits, and all later ones, fail: for an answer that does not need the rest of the
// body. The connection ends with the exchange then.
func (b *h1Body) Close() error {
	if !b.done.Load() {
		b.h.conn.socket.Interrupt()
	}
	return nil
}

// drained reads what little may be left of the body. It is false if the next request cannot be found.
func (b *h1Body) drained() bool {
	if b.Ended() {
		return true
	}
	if b.h.reply.closing || b.h.conn.socket.interrupted.Load() {
		return false
	}
	b.h.conn.socket.pace(false)
	b.h.conn.socket.readBy(time.Now(), lingerTime)
	io.CopyN(io.Discard, &b.Body, drainBytes)
	return b.Ended()
}

// A wholeBody gives a body that was received with its head.
type wholeBody struct{ left []byte }

func (w *wholeBody) Read(p []byte) (int, error) {
	n := copy(p, w.left)
	if w.left = w.left[n:]; len(w.left) == 0 {
		return n, io.EOF
	}
	return n, nil
}
