package listen_test

import (
	"context"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/quic-go/qpack"
	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
	"github.com/quic-go/quic-go/quicvarint"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// An h3Raw is a client that sends what it is told to.
type h3Raw struct {
	t    testing.TB
	conn *quic.Conn
	ctx  context.Context
}

// control is a control stream with empty SETTINGS.
const control = "\x00\x04\x00"

// h3 is a raw connection to the QUIC listener, whose client has sent each of own on a stream of its own.
func (e *edge) h3(own ...string) *h3Raw {
	e.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), soon)
	e.t.Cleanup(cancel)
	conn, err := e.quic(ctx)
	require.NoError(e.t, err)
	e.t.Cleanup(func() { conn.CloseWithError(0, "") })
	c := &h3Raw{t: e.t, conn: conn, ctx: ctx}
	for _, b := range own {
		c.uni(b)
	}
	return c
}

func (c *h3Raw) uni(b string) *quic.SendStream {
	c.t.Helper()
	s, err := c.conn.OpenUniStreamSync(c.ctx)
	require.NoError(c.t, err)
	_, err = io.WriteString(s, b)
	require.NoError(c.t, err)
	return s
}

// open sends b on a request stream. The edge may have enough of it before its end.
func (c *h3Raw) open(b string) *quic.Stream {
	c.t.Helper()
	s, err := c.conn.OpenStreamSync(c.ctx)
	require.NoError(c.t, err)
	require.NoError(c.t, s.SetDeadline(time.Now().Add(soon)))
	if _, err = io.WriteString(s, b); !stopped(err) {
		require.NoError(c.t, err)
	}
	return s
}

// stopped tells whether the edge wants no more of a request that it has answered.
func stopped(err error) bool {
	var e *quic.StreamError
	return errors.As(err, &e) && http3.ErrCode(e.ErrorCode) == http3.ErrCodeNoError
}

// send is open of a whole stream.
func (c *h3Raw) send(b string) *quic.Stream {
	c.t.Helper()
	s := c.open(b)
	if s.Context().Err() == nil {
		require.NoError(c.t, s.Close())
	}
	return s
}

// ends asserts that the edge closes the connection for that reason.
func (c *h3Raw) ends(code http3.ErrCode) {
	c.t.Helper()
	<-c.conn.Context().Done()
	var e *quic.ApplicationError
	if assert.ErrorAs(c.t, context.Cause(c.conn.Context()), &e) {
		assert.True(c.t, e.Remote, "not by the edge")
		assert.Equal(c.t, code, http3.ErrCode(e.ErrorCode))
	}
}

// resets asserts that the edge ends the stream for that reason, and not the connection.
func (c *h3Raw) resets(s *quic.Stream, code http3.ErrCode) {
	c.t.Helper()
	_, err := io.ReadAll(s)
	var e *quic.StreamError
	if assert.ErrorAs(c.t, err, &e) {
		assert.Equal(c.t, code, http3.ErrCode(e.ErrorCode))
	}
	assert.NoError(c.t, c.conn.Context().Err())
}

// An h3Answer is what came on a request stream.
type h3Answer struct {
	heads []map[string]string // interim ones, the answer's, trailers
	body  string
	err   error
}

// readAnswer reads s to its end.
func readAnswer(t testing.TB, s io.Reader) (a h3Answer) {
	t.Helper()
	r := quicvarint.NewReader(s)
	for {
		kind, err := quicvarint.Read(r)
		if err != nil {
			if !errors.Is(err, io.EOF) {
				a.err = err
			}
			return a
		}
		n, err := quicvarint.Read(r)
		require.NoError(t, err)
		payload := make([]byte, n)
		if _, a.err = io.ReadFull(r, payload); a.err != nil {
			return a
		}
		switch kind {
		case 0:
			a.body += string(payload)
		case 1:
			a.heads = append(a.heads, section(t, payload))
		}
	}
}

func section(t testing.TB, b []byte) map[string]string {
	t.Helper()
	head := map[string]string{}
	next := qpack.NewDecoder().Decode(b)
	for {
		f, err := next()
		if errors.Is(err, io.EOF) {
			return head
		}
		require.NoError(t, err)
		head[f.Name] = f.Value
	}
}

// status is that of the answer on s.
func (c *h3Raw) status(s *quic.Stream) string {
	c.t.Helper()
	a := readAnswer(c.t, s)
	require.NoError(c.t, a.err)
	require.NotEmpty(c.t, a.heads)
	return a.heads[0][":status"]
}

// h3Frame is one frame.
func h3Frame(kind uint64, payload string) string {
	b := quicvarint.Append(nil, kind)
	return string(quicvarint.Append(b, uint64(len(payload)))) + payload
}

// h3Head is the HEADERS of a request.
func h3Head(t *testing.T, changes ...string) string {
	return string(h3Headers(t, get(changes...).head))
}
