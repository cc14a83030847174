package listen_test

import (
	"errors"
	"io"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
	"github.com/stretchr/testify/require"
)

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
