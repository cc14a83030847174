package listen

import (
	"github.com/wedge-lb/wedge/edge/http2"
)

var (
	errH2Settings = &http2.Error{Code: http2.ProtocolError, Reason: "no settings at first"}
	errH2Flow     = &http2.Error{Code: http2.FlowControlError, Reason: "more than the window"}
	errH2FlowOf   = &http2.Error{Code: http2.FlowControlError, Stream: true, Reason: "more than the window"}
	errH2Length   = malformedH2(errBodyLength)
	errH2Trailers = &http2.Error{Code: http2.EnhanceYourCalm, Stream: true, Reason: "trailers too large"}
	errH2Refused  = &http2.Error{Code: http2.RefusedStream, Stream: true, Reason: "not served"}
)

// malformedH2 is how a malformed message ends its stream.
func malformedH2(m malformed) *http2.Error {
	return &http2.Error{Code: http2.ProtocolError, Stream: true, Reason: string(m)}
}

// frame takes one. An error ends the connection.
func (c *h2Conn) frame(h http2.Header, payload []byte) *http2.Error {
	if !c.settled && (h.Kind != http2.Settings || h.Has(http2.FlagAck)) {
		return errH2Settings
	}
	c.settled = true
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over {
		return errH2Gone
	}
	verdict, err := c.streams.Take(h)
	if err != nil && !err.Stream {
		return err
	}
	switch h.Kind {
	case http2.Data:
		return c.data(h, payload, verdict, err)
	case http2.Headers:
		return c.headers(h, payload, verdict, err)
	case http2.Continuation:
		return c.continued(h, payload)
	case http2.Reset:
		return c.resetBy(h, verdict)
	case http2.WindowUpdate:
		return c.grow(h, payload, verdict)
	}
	if err := c.budget.Useless(c.now); err != nil {
		return err
	}
	return c.aside(h, payload)
}

// aside takes a frame that moves nothing by itself.
func (c *h2Conn) aside(h http2.Header, payload []byte) *http2.Error {
	switch h.Kind {
	case http2.Settings:
		return c.settings(h, payload)
	case http2.Ping:
		if !h.Has(http2.FlagAck) {
			c.room()
			c.out = http2.AppendPing(c.out, payload, true)
		}
	case http2.Priority:
		return http2.CheckPriority(h, payload)
	case http2.PriorityUpdate:
		id, value, err := http2.Prioritized(payload)
		if err != nil {
			return err
		}
		c.aware = true
		if st, ok := c.streams.Get(id); ok {
			st.urgency, st.incremental = parsePriority(value)
		}
	}
	return nil
}

func (c *h2Conn) settings(h http2.Header, payload []byte) *http2.Error {
	if h.Has(http2.FlagAck) {
		c.acked = true
		return nil
	}
	if err := http2.ReadSettings(payload, c.onGrow); err != nil {
		return err
	}
	c.room()
	c.out = http2.AppendSettingsAck(c.out)
	return nil
}

// growAll takes a new initial window.
func (c *h2Conn) growAll(v int32) *http2.Error {
	more := int32(int64(v) - int64(c.initial))
	c.initial = v
	for _, st := range c.streams.Values() {
		if st.window.Grow(more, 0) != nil {
			return errH2Window
		}
	}
	return nil
}

var errH2Window = &http2.Error{Code: http2.FlowControlError, Reason: "window too large"}

// grow takes a window update.
func (c *h2Conn) grow(h http2.Header, payload []byte, verdict http2.Verdict) *http2.Error {
	n, err := http2.Increment(h, payload)
	if n < http2.UselessUpdate {
		if err := c.budget.Useless(c.now); err != nil {
			return err
		}
	}
	switch {
	case verdict == http2.Skip:
		return nil
	case err != nil:
	case h.Stream == 0:
		err = c.window.Grow(n, 0)
	default:
		if st, ok := c.streams.Get(h.Stream); ok {
			err = st.window.Grow(n, h.Stream)
		}
	}
	return c.failed(h.Stream, err)
}

// failed resets the stream that an error is of; one of the connection is given back.
func (c *h2Conn) failed(id uint32, err *http2.Error) *http2.Error {
	if err == nil || !err.Stream {
		return err
	}
	life := http2.Premature
	if st, ok := c.streams.Get(id); ok {
		life = c.now.Sub(st.opened)
		c.loseLocked(st, err)
	}
	c.dropLocked(id, err.Code)
	if err.Code == http2.RefusedStream {
		return c.budget.Useless(c.now)
	}
	c.server.counters.badRequests.Add(1)
	return c.budget.Reset(c.now, min(life, http2.Premature-1))
}

// dropLocked resets a stream.
func (c *h2Conn) dropLocked(id uint32, code http2.Code) {
	c.streams.Drop(id)
	c.room()
	c.out = http2.AppendReset(c.out, id, code)
}

// loseLocked ends the request of a stream that is about to be closed.
func (c *h2Conn) loseLocked(st *h2Stream, err error) {
	st.body.fault = err
	st.abandonLocked()
	if st.started {
		return
	}
	for i, w := range c.begins {
		if w.stream == st {
			c.begins = append(c.begins[:i], c.begins[i+1:]...)
			c.unservedLocked(w)
			return
		}
	}
}

// resetBy takes the client's reset of a stream.
func (c *h2Conn) resetBy(h http2.Header, verdict http2.Verdict) *http2.Error {
	st, ok := c.streams.Get(h.Stream)
	if verdict == http2.Skip || !ok {
		return c.budget.Useless(c.now)
	}
	c.streams.Close(h.Stream)
	life := c.now.Sub(st.opened)
	if st.started {
		c.server.counters.abandoned.Add(1)
	}
	c.loseLocked(st, errH2Gone)
	return c.budget.Reset(c.now, life)
}

// data takes a part of a body.
func (c *h2Conn) data(h http2.Header, payload []byte, verdict http2.Verdict,
	fault *http2.Error) *http2.Error {
	if !c.credit.Take(h.Length) {
		return errH2Flow
	}
	body, err := http2.Unpad(h, payload)
	if err != nil {
		return err
	}
	st, ok := c.streams.Get(h.Stream)
	if verdict == http2.Skip || !ok {
		c.returnLocked(h.Length)
		if fault == nil {
			fault = c.budget.Useless(c.now)
		}
		return c.failed(h.Stream, fault)
	}
	if fault := st.body.takeLocked(h, body); fault != nil {
		c.returnLocked(h.Length)
		return c.failed(h.Stream, fault)
	}
	switch {
	case h.Has(http2.FlagEndStream):
		c.streams.RemoteEnd(h.Stream)
	case len(body) == 0:
		return c.budget.Useless(c.now)
	}
	c.budget.Useful()
	return nil
}

// returnLocked lets the client send so much more on the connection.
func (c *h2Conn) returnLocked(n int) {
	if more := c.credit.Return(n); more > 0 {
		c.room()
		c.out = http2.AppendWindowUpdate(c.out, 0, more)
	}
}

// headers takes the beginning of a field block.
func (c *h2Conn) headers(h http2.Header, payload []byte, verdict http2.Verdict,
	fault *http2.Error) *http2.Error {
	fragment, err := http2.Fragment(h, payload)
	if err != nil && !err.Stream {
		return err
	}
	if fault == nil {
		fault = err
	}
	c.verdict, c.fault = verdict, fault
	block, whole := c.block.Begin(h, fragment)
	if whole {
		return c.fields(block)
	}
	return nil
}

// smallContinuation is the size below which a part of a block, which is not its last, is of no use.
const smallContinuation = 1 << 10

func (c *h2Conn) continued(h http2.Header, payload []byte) *http2.Error {
	block, whole, err := c.block.Continue(h, payload, c.limits.HeaderBytes)
	switch {
	case err != nil:
		return err
	case whole:
		return c.fields(block)
	case len(payload) < smallContinuation:
		return c.budget.Useless(c.now)
	}
	return nil
}

// fields takes a whole field block.
func (c *h2Conn) fields(block []byte) *http2.Error {
	id := c.block.Stream
	switch {
	case c.fault == nil && c.verdict == http2.Begins:
		return c.open(id, block)
	case c.fault == nil && c.verdict == http2.Pass:
		return c.trailers(id, block)
	}
	c.decoder.Mem = nil
	if err := c.decode(block, 0, nil); err != nil {
		return err
	}
	if c.fault == nil { // of a stream that we have reset
		return c.budget.Useless(c.now)
	}
	return c.failed(id, c.fault)
}

// decode gives the lines of a block to take, until that has an error; large tells of more bytes than most.
// The error is the connection's.
func (c *h2Conn) decode(block []byte, most int, take func(name, value []byte, fits bool)) *http2.Error {
	d := &c.decoder
	d.Begin(block, most)
	for {
		more, err := d.More()
		if err != nil || !more {
			return err
		}
		name, value, fits, err := d.Next()
		if err != nil {
			return err
		}
		if take != nil {
			take(name, value, fits)
		}
	}
}

// open makes a request of a block. It is served once all that has come was read.
func (c *h2Conn) open(id uint32, block []byte) *http2.Error {
	c.budget.Opened()
	if c.goingAway(id) || c.running+len(c.begins) >= 2*c.streams.Most {
		c.verdict, c.fault = http2.Skip, errH2Refused
		return c.fields(block)
	}
	w := c.workers.take()
	st := w.stream
	st.begin(c, id)
	if err := st.readFields(block); err != nil {
		c.unservedLocked(w)
		return err
	}
	if m, ok := st.bad.(malformed); ok {
		c.unservedLocked(w)
		return c.failed(id, malformedH2(m))
	}
	c.streams.Begin(id, st, c.block.End)
	st.body.ended = c.block.End
	if c.block.End && st.body.left > 0 {
		err := c.failed(id, errH2Length)
		c.unservedLocked(w)
		return err
	}
	c.budget.Useful()
	c.begins = append(c.begins, w)
	return nil
}

// trailers takes those of a stream.
func (c *h2Conn) trailers(id uint32, block []byte) *http2.Error {
	st, ok := c.streams.Get(id)
	if !ok {
		return errH2Settings // cannot be: the verdict was on a stream that is open
	}
	c.decoder.Mem = nil // what is kept must outlive the next block
	var bad error
	kept := st.body.trailers[:0]
	err := c.decode(block, c.limits.TrailerBytes, func(name, value []byte, fits bool) {
		switch {
		case bad != nil:
		case !fits:
			bad = errH2Trailers
		default:
			bad = takeTrailer(&kept, name, value)
		}
	})
	if err != nil {
		return err
	}
	if m, ok := bad.(malformed); ok {
		bad = malformedH2(m)
	}
	if fault, ok := bad.(*http2.Error); ok {
		return c.failed(id, fault)
	}
	if fault := st.body.endLocked(kept); fault != nil {
		return c.failed(id, fault)
	}
	c.streams.RemoteEnd(id)
	return nil
}
