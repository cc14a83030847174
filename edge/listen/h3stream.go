package listen

import (
	"context"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/wedge-lb/wedge/edge/http1"
	"github.com/wedge-lb/wedge/edge/proxy"
)

// An h3Stream serves one request of an h3 connection after the other, on the goroutine that calls serve, and
// keeps its memory over them.
type h3Stream struct {
	h3Reply
	c      *h3Conn
	str    *quic.Stream
	limits *Limits

	in       h3Reader
	head     qpackReader
	trailers qpackReader
	names    sectionHead
	body     h3Body
	x        proxy.Exchange
	answered atomic.Bool // the answer has begun
	reads    watch
	writes   watch

	place int // among the connection's

	mu      sync.Mutex
	served  *quic.Stream // str, for who looks
	serving bool         // it may be looked at
}

func newH3Stream() *h3Stream {
	st := new(h3Stream)
	st.h3Reply.st, st.body.st = st, st
	st.reads.late, st.writes.late = st.lateRead, st.lateWrite
	return st
}

// serve answers the request of the stream that c and str are, or ends it.
func (st *h3Stream) serve() {
	c, str := st.c, st.str
	st.begin(c, str)
	defer st.end()
	if err := st.request(); err != nil {
		st.refuse(err)
		return
	}
	if !c.front.server.handle(&st.x) {
		st.state = replyCut
	}
	switch {
	case st.state != replyEnded:
		stop(str, h3Internal)
	case !st.in.ended:
		str.CancelRead(quic.StreamErrorCode(h3NoError))
	}
}

func (st *h3Stream) begin(c *h3Conn, str *quic.Stream) {
	l := c.front.server.limits.Load()
	st.limits = l
	st.in.reset(str)
	st.head.Mem, st.trailers.Mem = st.head.Mem[:0], st.trailers.Mem[:0]
	st.h3Reply.start(l)
	st.body.start(l)
	st.answered.Store(false)
	x := &st.x
	x.Reset()
	x.Protocol, x.Secure, x.SNI, x.Guard = proxy.H3, true, c.peer.sni, c.peer.guard
	x.Peer, x.Shard, x.Reply = c.peer.peer, c.peer.shard, &st.h3Reply
	x.Local = c.peer.local
	st.mu.Lock()
	st.served, st.serving = str, true
	st.mu.Unlock()
	c.add(st)
}

// h3MemoryKept is the most of a head that is kept for the next.
const h3MemoryKept = 16 << 10

// end forgets the request.
func (st *h3Stream) end() {
	c := st.c
	c.remove(st)
	st.mu.Lock()
	st.serving = false
	st.mu.Unlock()
	st.h3Reply.giveBack()
	st.x.Reset()
	st.x.SNI, st.x.Guard = "", nil
	st.in.reset(nil)
	if cap(st.head.Mem) > h3MemoryKept {
		st.head.Mem = nil
	}
	st.trailers.Mem = nil
	st.c, st.str, st.limits = nil, nil, nil
	c.leave()
}

// look aborts the exchange if the client has left. That the answer has ended is no such sign.
func (st *h3Stream) look() {
	st.mu.Lock()
	defer st.mu.Unlock()
	if !st.serving {
		return
	}
	if ctx := st.served.Context(); ctx.Err() != nil && context.Cause(ctx) != quic.ErrStreamClosed {
		st.x.Abort.Abort()
	}
}

// lateRead ends a read that the client lets wait. Once the answer to a body of no declared length has begun,
// the two are a conversation, in which a client may be silent as it may in a tunnel.
func (st *h3Stream) lateRead(waited time.Duration) time.Duration {
	if more := st.limits.TunnelTimeout - waited; st.body.left < 0 && st.answered.Load() && more > 0 {
		return more
	}
	st.str.SetReadDeadline(longAgo)
	return 0
}

// lateWrite ends a write that the client does not take.
func (st *h3Stream) lateWrite(time.Duration) time.Duration {
	st.str.SetWriteDeadline(longAgo)
	return 0
}

// request reads the head. An error is an *http1.Error, to be answered, an *h3Error or the stream's.
func (st *h3Stream) request() error {
	st.reads.begin(time.Now(), st.limits.HeaderTimeout)
	err := st.readHead()
	st.reads.end()
	if err != nil {
		return err
	}
	if err := st.x.Request.Check(st.limits.wire()); err != nil {
		return err
	}
	return st.length()
}

func (st *h3Stream) readHead() error {
	for {
		kind, length, err := st.in.frame()
		switch {
		case err == io.EOF:
			return errH3Incomplete
		case err != nil:
			return err
		case ignorable(kind):
			if err := st.in.skip(length); err != nil {
				return err
			}
		case kind != frameHeaders:
			return errH3Unexpected
		case length > uint64(st.limits.HeaderBytes):
			return errSection
		default:
			section, err := st.in.take(int(length))
			if err != nil {
				return err
			}
			return st.readFields(section)
		}
	}
}

// readFields makes the exchange's request of a field section, but for what Check does.
func (st *h3Stream) readFields(section []byte) error {
	q, h := &st.x.Request, &st.names
	*h = sectionHead{}
	if err := st.head.begin(section, st.limits.HeaderBytes); err != nil {
		return err
	}
	for st.head.more() {
		name, value, err := st.head.next()
		if err == nil {
			err = h.take(q, name, value, st.limits.HeaderFields)
		}
		if err != nil {
			return err
		}
	}
	if h.cookies > 1 {
		q.Fields, st.head.Mem = joinCookies(q.Fields, st.head.Mem)
	}
	st.prefer()
	return h.target(q, false)
}

// prefer sets the priority that the request tells, or the default where others told theirs.
func (st *h3Stream) prefer() {
	if st.names.priority != nil {
		st.c.aware.Store(true)
	}
	if st.c.aware.Load() {
		st.str.SetPriority(parsePriority(st.names.priority))
	}
}

// length decides whether there is a body. The Request's Length is the declared one.
func (st *h3Stream) length() error {
	q := &st.x.Request
	if st.in.over() {
		if q.Length > 0 {
			return errBodyLength
		}
		q.Length = 0
	}
	if q.Length == 0 {
		return nil
	}
	st.body.left = q.Length
	if q.Length == http1.Unknown && seldomHasBody(string(q.Method)) {
		if there, err := st.body.probe(); !there || err != nil {
			q.Length = 0
			return err
		}
	}
	q.Body, q.Trailers = &st.body, &st.body.trailers
	return nil
}

func seldomHasBody(method string) bool {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodDelete:
		return true
	}
	return false
}

// refuse answers or ends what cannot be an exchange.
func (st *h3Stream) refuse(err error) {
	switch e := err.(type) {
	case *h3Error:
		st.c.front.server.counters.badRequests.Add(1)
		st.fail(e)
	case malformed:
		st.c.front.server.counters.badRequests.Add(1)
		st.fail(malformedH3(e))
	case *http1.Error:
		st.answer(e)
	default:
		if timedOut(err) {
			st.answer(errSlowHead)
			return
		}
		stop(st.str, h3Incomplete)
	}
}

// answer sends an answer of the edge's own, and wants no more of the request.
func (st *h3Stream) answer(bad *http1.Error) {
	st.c.front.server.refuse(&st.x, bad)
	st.str.CancelRead(quic.StreamErrorCode(h3NoError))
}

// fail ends the stream or the connection.
func (st *h3Stream) fail(e *h3Error) {
	if e.stream {
		stop(st.str, e.code)
		return
	}
	closeFor(st.c.conn, e)
}
