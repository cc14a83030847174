package listen_test

import (
	"io"
	"testing"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
	"github.com/quic-go/quic-go/quicvarint"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/wedge-lb/wedge/edge/proxy"
)

// edgeControl is the edge's control stream, behind its settings.
func (c *h3Raw) edgeControl() quicvarint.Reader {
	c.t.Helper()
	s, err := c.conn.AcceptUniStream(c.ctx)
	require.NoError(c.t, err)
	r := quicvarint.NewReader(s)
	assert.Equal(c.t, "\x00", c.frame(r, 1), "its type")
	assert.Equal(c.t, h3Frame(4, "\x06\x80\x00\x80\x00"), c.frame(r, 7), "settings: fields of 32 KiB")
	return r
}

func (c *h3Raw) frame(r io.Reader, n int) string {
	c.t.Helper()
	b := make([]byte, n)
	_, err := io.ReadFull(r, b)
	require.NoError(c.t, err)
	return string(b)
}

// goAway reads one.
func (c *h3Raw) goAway(r quicvarint.Reader) quic.StreamID {
	c.t.Helper()
	assert.Equal(c.t, "\x07", c.frame(r, 1))
	_, err := quicvarint.Read(r)
	require.NoError(c.t, err)
	id, err := quicvarint.Read(r)
	require.NoError(c.t, err)
	return quic.StreamID(id)
}

func TestAnH3DrainIsToldTwice(t *testing.T) {
	began, finish := make(chan struct{}), make(chan struct{})
	e := start(t, func(x *proxy.Exchange) {
		if string(x.Request.Path) == "/slow" {
			close(began)
			<-finish
		}
		answer(x, 200, "")
	})
	c := e.h3(control)
	r := c.edgeControl()
	slow := c.send(h3Head(t, ":path", "/slow"))
	<-began
	down := make(chan error, 1)
	go func() { down <- e.server.Shutdown(t.Context()) }()
	assert.EqualValues(t, 1<<62-4, c.goAway(r), "the end is near")
	between := c.send(h3Head(t))
	last := c.goAway(r)
	assert.Greater(t, last, slow.StreamID())
	if between.StreamID() < last { // it was quick enough
		assert.Equal(t, "200", c.status(between))
	} else {
		c.resets(between, http3.ErrCodeRequestRejected)
	}
	c.resets(c.send(h3Head(t)), http3.ErrCodeRequestRejected)
	close(finish)
	assert.Equal(t, "200", c.status(slow))
	c.ends(http3.ErrCodeNoError)
	require.NoError(t, <-down)
}
