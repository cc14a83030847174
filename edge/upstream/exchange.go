package upstream

import (
	"errors"
	"io"
	"time"

	"github.com/wedge-lb/wedge/edge/balance"
	"github.com/wedge-lb/wedge/edge/http1"
)

const (
	// checkAfter is how many ns a connection may have waited before it is looked at whether it is still open and
	// nothing came that nobody asked for. Under load a connection waits for less.
	checkAfter = int64(20 * time.Microsecond)
	// maxWhole bounds what is copied behind the head to be written with it.
	maxWhole = 32 << 10
	// maxInformed bounds the interim answers to one request.
	maxInformed = 8
)

// exchange sends r and reads the head of its answer. If it fails, c is closed and counted out.
func (c *conn) exchange(r *http1.Request, a *http1.Response) *balance.Failure {
	c.request, c.answer, c.answered = r, a, false
	if !r.Abort.Attach(c) {
		c.abandon()
		return clientGone(false)
	}
	f := c.send(r)
	if f == nil {
		f = c.receive(r, a)
	}
	if f != nil {
		c.abandon()
	}
	return f
}

// abandon ends an exchange that has no answer.
func (c *conn) abandon() {
	c.closeSocket() // first, so that the sender is not held up by the backend
	c.sender.finish()
	c.request.Abort.Detach()
	c.request, c.answer = nil, nil
	c.backend.drop(c)
}

// send writes the request, or queues it for the read of the answer, or writes the head and starts the sender.
func (c *conn) send(r *http1.Request) *balance.Failure {
	c.patience = patient(c.settings.ResponseTimeout, r)
	c.sock.readFor, c.sock.writeFor = c.patience, c.settings.BodyTimeout
	c.out = http1.AppendRequest(c.out[:0], r)
	if r.Length == 0 || r.Buffered != nil && len(r.Buffered) <= maxWhole {
		c.out = appendWhole(c.out, r)
		if c.secure == nil {
			c.sock.queue(c.out, c.doubtful())
			return nil
		}
		n, err := c.write(c.out)
		return c.failed(err, n > 0 || err != nil)
	}
	if c.secure == nil && c.doubtful() && !c.sock.silent() {
		return c.failed(io.EOF, false)
	}
	if n, err := c.write(c.out); err != nil {
		return c.failed(err, n > 0 || c.secure != nil)
	}
	c.sender.start(r)
	return nil
}

// doubtful tells whether c is to be looked at before it is used again: it has waited, or the answer before was
// such that what came behind it was not seen. Of TLS each read gives one record, whatever has come behind it.
func (c *conn) doubtful() bool {
	return c.reused && (c.blind || c.secure != nil || c.taken-c.idleSince >= checkAfter)
}

// blindly tells whether an answer ends without a read that would have shown what came right behind it: it has
// no body, which a backend may send all the same, or one whose end is read to the byte.
func (c *conn) blindly(a *http1.Response) bool {
	switch c.parser.Framing {
	case http1.None:
		return true
	case http1.Sized:
		return a.Length == 0 || int64(len(c.rd.Buffered())) < a.Length
	}
	return false
}

// appendWhole appends a body that has been received.
func appendWhole(dst []byte, r *http1.Request) []byte {
	if r.Length != http1.Unknown {
		return append(dst, r.Buffered...)
	}
	dst = http1.AppendChunk(dst, r.Buffered)
	return http1.AppendLastChunk(dst, r.Trailers)
}

// receive reads heads until the final one and opens its body.
func (c *conn) receive(r *http1.Request, a *http1.Response) *balance.Failure {
	n, f := c.head(r, a)
	for informed := 0; f == nil && a.Status < 200 && a.Status != 101; informed++ {
		if informed == maxInformed {
			return c.failed(errTooMany1xx, true)
		}
		if r.Informed != nil && r.Informed(a.Status, a.Fields) != nil {
			return clientGone(true)
		}
		c.rd.Discard(n)
		n, f = c.head(r, a)
	}
	if f != nil {
		return f
	}
	c.rd.Pin(n)
	if a.Status == 101 {
		return c.switched(r, a)
	}
	c.blind = c.blindly(a)
	c.body.Start(&c.rd, c.parser.Framing, a.Length, c.settings.Limits)
	a.Body = c
	if c.parser.Framing == http1.Chunked {
		a.Trailers = &c.body.Trailers
	}
	return nil
}

// head reads one head and gives its length. All of it must come within the time for an answer.
func (c *conn) head(r *http1.Request, a *http1.Response) (int, *balance.Failure) {
	limit := c.patience
	for {
		if buf := c.rd.Buffered(); len(buf) > 0 {
			n, err := c.parser.Response(buf, r.Method, a)
			if err == nil {
				return n, nil
			}
			if !errors.Is(err, http1.ErrIncomplete) {
				return 0, c.failed(err, true)
			}
			limit = 0 // a part does not earn more time
		}
		if err := c.fill(limit); err != nil {
			return 0, c.failed(err, c.wrote())
		}
		c.answered = true
	}
}

// fill reads once, for at most d if that is not 0. While the request's body is being sent the backend may take
// its time to begin.
func (c *conn) fill(d time.Duration) error {
	for {
		c.sock.readFor = d
		err := c.rd.Fill()
		if err == nil || !timedOut(err) || d == 0 || !c.sender.mayWait() {
			return err
		}
	}
}

// wrote tells whether anything of the request may have been written.
func (c *conn) wrote() bool { return c.secure != nil || c.sender.started || c.sock.wrote > 0 }

// failed classes an error; nil if there is none.
func (c *conn) failed(err error, sent bool) *balance.Failure {
	if err == nil {
		return nil
	}
	f := &balance.Failure{Kind: balance.Reset, Sent: sent, Err: err}
	var bad *http1.Error
	switch {
	case c.request.Abort.Aborted():
		return clientGone(sent)
	case c.severed.Load():
		f.Kind, f.Err = balance.Severed, errSevered
	case c.sender.badBody() != nil:
		f.Kind, f.Err = balance.BadRequestBody, c.sender.badBody()
	case timedOut(err), c.sender.stuck():
		f.Kind = balance.TimedOut
	case errors.As(err, &bad), errors.Is(err, http1.ErrBufferFull), errors.Is(err, errTooMany1xx),
		errors.Is(err, errNoUpgrade):
		f.Kind = balance.BadAnswer
	case errors.Is(err, io.EOF):
		f.Err = io.ErrUnexpectedEOF
	}
	return f
}
