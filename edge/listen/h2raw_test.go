package listen_test

import (
	"bytes"
	"crypto/tls"
	"errors"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	wire "github.com/wedge-lb/wedge/edge/http2"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// An h2Raw is a connection of HTTP/2 whose frames a test makes by hand.
type h2Raw struct {
	t testing.TB
	*tls.Conn
	*http2.Framer
	enc   *hpack.Encoder
	block bytes.Buffer
	next  uint32
}

// h2 begins one, with the settings of the client and its acknowledgement of the edge's.
func (e *edge) h2(settings ...http2.Setting) *h2Raw {
	e.t.Helper()
	c := &h2Raw{t: e.t, Conn: e.dialTLS("h2"), next: 1}
	c.Framer = http2.NewFramer(c.Conn, c.Conn)
	c.AllowIllegalWrites, c.ReadMetaHeaders = true, hpack.NewDecoder(4096, nil)
	c.enc = hpack.NewEncoder(&c.block)
	write(e.t, c.Conn, http2.ClientPreface)
	require.NoError(e.t, c.WriteSettings(settings...))
	require.NoError(e.t, c.WriteSettingsAck())
	return c
}

// encode makes a field block of a request with changes.
func (c *h2Raw) encode(changes ...string) []byte {
	c.block.Reset()
	for _, f := range get(changes...).head {
		require.NoError(c.t, c.enc.WriteField(hpack.HeaderField{Name: f[0], Value: f[1]}))
	}
	return bytes.Clone(c.block.Bytes())
}

// open sends the head of a request and gives its stream. It may fail: the edge may have closed already.
func (c *h2Raw) open(end bool, changes ...string) uint32 {
	id := c.next
	c.next += 2
	c.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: c.encode(changes...),
		EndHeaders: true, EndStream: end})
	return id
}

// An h2End is how a stream, or the connection, has ended.
type h2End struct {
	status string // of the answer; "" = none came
	body   int    // bytes
	end    bool   // the answer is whole
	reset  http2.ErrCode
	goAway http2.ErrCode
	last   uint32
	closed bool
}

// none is no code.
const none = http2.ErrCode(1 << 31)

// ends reads until the stream has ended by itself and, where it was told to be reset as well, by that.
func (c *h2Raw) ends(id uint32) h2End {
	c.t.Helper()
	e := h2End{reset: none, goAway: none}
	for {
		f, err := c.ReadFrame()
		var late net.Error
		if errors.As(err, &late) && late.Timeout() {
			c.t.Fatal("nothing more came")
		}
		if err != nil {
			e.closed = true
			return e
		}
		if e.take(id, f); e.end || e.reset != none {
			return e
		}
	}
}

func (e *h2End) take(id uint32, f http2.Frame) {
	if g, ok := f.(*http2.GoAwayFrame); ok {
		e.goAway, e.last = g.ErrCode, g.LastStreamID
	}
	if f.Header().StreamID != id {
		return
	}
	switch f := f.(type) {
	case *http2.MetaHeadersFrame:
		if s := f.PseudoValue("status"); s != "" {
			e.status = s
		}
		e.end = f.StreamEnded()
	case *http2.DataFrame:
		e.body += len(f.Data())
		e.end = f.StreamEnded()
	case *http2.RSTStreamFrame:
		e.reset = f.ErrCode
	}
}

// over reads to the end of the connection.
func (c *h2Raw) over() h2End { return c.ends(1 << 30) }

// pour writes the same bytes over and over, in large pieces, until the edge does not take them or n are
// written.
func (c *h2Raw) pour(n int, one func(b []byte, i int) []byte) {
	go func() {
		var b []byte
		for i := range n {
			if b = one(b, i); len(b) < 16<<10 && i < n-1 {
				continue
			}
			if _, err := c.Write(b); err != nil {
				return
			}
			b = b[:0]
		}
	}()
}

// request appends the head of a request whose block all requests share: it adds nothing to the edge's table.
func (c *h2Raw) request(b []byte, id uint32, end bool) []byte {
	block := []byte{0x82, 0x87, 0x84, 0x01, 9}
	return wire.AppendHeaders(b, id, append(block, "edge.test"...), end, false)
}

// beside has an ordinary client ask while do runs: none of its requests fails.
func beside(t *testing.T, e *edge, do func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		probe(t, find(t, e.ways(), "h2"), 10)
	}()
	do()
	select {
	case <-done:
	case <-time.After(soon):
		t.Fatal("the client beside hangs")
	}
}
