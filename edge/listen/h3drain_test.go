package listen_test

import (
	"errors"
	"io"
	"testing"
	"time"

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

func TestPrioritiesAreTaken(t *testing.T) {
	release := make(chan struct{})
	e := start(t, func(x *proxy.Exchange) {
		<-release
		x.Reply.Head(200, nil, 256<<10)
		x.Reply.Write(make([]byte, 256<<10))
		x.Reply.End(nil)
	})
	c := e.h3()
	own := c.uni(control)
	var streams []*quic.Stream
	for range 8 {
		streams = append(streams, c.send(h3Head(t, "priority", "u=5")))
	}
	for _, u := range []string{"\x1cu=0, i", "\x18u=7", "\x44\x00u=1"} { // the last request, another, and none
		write(t, own, h3Frame(0xf0700, u))
	}
	<-time.After(50 * time.Millisecond) // both have arrived, or the order is only not as asked for
	close(release)
	for _, s := range streams {
		a := readAnswer(t, s)
		require.NoError(t, a.err)
		assert.Len(t, a.body, 256<<10)
	}
	assert.NoError(t, c.conn.Context().Err())
}

// FuzzH3Streams sends anything as a request and on a stream of the client's own: the edge must answer or end
// the request, or close the connection for a reason.
func FuzzH3Streams(f *testing.F) {
	head := "\x01\x10\x00\x00\xd1\xd7\x50\x09edge.test\xc1"
	for _, seed := range [][2]string{
		{head, control}, {"", ""}, {head + "\x00\x03abc", control + "\x0d\x01\x00"},
		{"\x21\x02xx" + head, "\x02\x20"},
		{head + "\x00\x64abc", "\x03\x44"}, {"\x01\x03\x00\x00\x80", "\x21"}, {"\x04\x00", "\x00\x07\x01\x00"},
	} {
		f.Add([]byte(seed[0]), []byte(seed[1]))
	}
	e := start(f, say)
	var c *quic.Conn // the next input may use it too
	f.Cleanup(func() {
		if c != nil {
			c.CloseWithError(0, "")
		}
	})
	f.Fuzz(func(t *testing.T, request, own []byte) {
		if c == nil || c.Context().Err() != nil {
			var err error
			c, err = e.quic(t.Context())
			require.NoError(t, err)
		}
		if u, err := c.OpenUniStream(); err == nil {
			u.Write(own)
		}
		s, err := c.OpenStreamSync(t.Context())
		if err == nil {
			s.SetDeadline(time.Now().Add(soon))
			s.Write(request)
			s.Close()
			_, err = io.ReadAll(s)
		}
		var reset *quic.StreamError
		var closed *quic.ApplicationError
		require.True(t, err == nil || errors.As(err, &reset) || errors.As(err, &closed), "%v", err)
		if closed != nil {
			require.NotEqual(t, http3.ErrCodeInternalError, http3.ErrCode(closed.ErrorCode))
		}
	})
}
