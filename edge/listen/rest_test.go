package listen_test

import (
	"bufio"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/wedge-lb/wedge/edge/listen"
)

// asleep is long enough for an idle connection to be put to rest.
const asleep = 2600 * time.Millisecond

func TestAConnectionAtRestServesOn(t *testing.T) {
	t.Parallel()
	e := start(t, say)
	conns := map[string]net.Conn{"plain": e.dial(), "TLS": e.dialTLS("http/1.1")}
	readers := map[string]*bufio.Reader{}
	for name, c := range conns {
		readers[name] = bufio.NewReader(c)
	}
	for range 2 {
		for name, c := range conns {
			write(t, c, "PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nbody")
			_, body := receive(t, readers[name], "PUT")
			assert.Equal(t, "PUT / body", body)
		}
		<-time.After(asleep)
	}
	assert.EqualValues(t, 1, e.server.Stats().OpenTLS)
	began := time.Now()
	require.NoError(t, e.server.Shutdown(t.Context()))
	assert.Less(t, time.Since(began), soon)
	for _, r := range readers {
		closed(t, r)
	}
}

func TestAConnectionAtRestIsIdleStill(t *testing.T) {
	e := start(t, say, limits(func(l *listen.Limits) { l.IdleTimeout = 3 * time.Second }))
	for name, c := range map[string]net.Conn{"plain": e.dial(), "TLS": e.dialTLS("http/1.1")} {
		began := time.Now()
		write(t, c, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
		r := bufio.NewReader(c)
		receive(t, r, "GET")
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			closed(t, r)
			assert.Greater(t, time.Since(began), 2800*time.Millisecond)
			assert.Less(t, time.Since(began), soon)
		})
	}
}

func TestHalfARecordDoesNotWakeARequest(t *testing.T) {
	t.Parallel()
	e := start(t, say)
	raw, err := net.Dial("tcp", e.secure)
	require.NoError(t, err)
	slow := &slowConn{Conn: raw}
	c := clientOver(e, slow)
	defer c.Close()
	require.NoError(t, c.Handshake())
	<-time.After(asleep)
	slow.slow = true
	write(t, c, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
	_, body := receive(t, bufio.NewReader(c), "GET")
	assert.Equal(t, "GET / ", body)
}

// slowConn sends byte by byte.
type slowConn struct {
	net.Conn
	slow bool
}

func (s *slowConn) Write(p []byte) (int, error) {
	if !s.slow {
		return s.Conn.Write(p)
	}
	for i := range p {
		<-time.After(10 * time.Millisecond)
		if _, err := s.Conn.Write(p[i : i+1]); err != nil {
			return i, err
		}
	}
	return len(p), nil
}
