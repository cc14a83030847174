package upstream_test

import (
	"bufio"
	"io"
	"net"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedge-lb/wedge/edge/balance"
	"github.com/wedge-lb/wedge/edge/http1"
	"github.com/wedge-lb/wedge/edge/upstream"
)

func upgrade() *http1.Request {
	r := request("GET", "/")
	r.Upgrade = []byte("websocket")
	return r
}

func TestTunnel(t *testing.T) {
	b := rawBackend(t, func(c net.Conn, r *bufio.Reader) {
		readHead(r)
		assert.Zero(t, r.Buffered(), "nothing raw comes before the 101")
		say(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: WebSocket\r\nX: y\r\n\r\nfirst")
		_, _ = io.Copy(c, r)
		say(c, "last")
	})
	tr := transport(t, upstream.Settings{})
	var a http1.Response
	require.NoError(t, tr.Do(b, upgrade(), &a))
	assert.Equal(t, 101, a.Status)
	assert.Equal(t, "X: y\r\n", string(http1.AppendFields(nil, a.Fields)))
	require.NotNil(t, a.Conn)
	require.NoError(t, a.Body.Close(), "the body is empty")

	buf := make([]byte, 5)
	_, err := io.ReadFull(a.Conn, buf)
	require.NoError(t, err)
	assert.Equal(t, "first", string(buf), "what came with the head")
	for range 3 {
		_, err = io.WriteString(a.Conn, "hello")
		require.NoError(t, err)
		_, err = io.ReadFull(a.Conn, buf)
		require.NoError(t, err)
		assert.Equal(t, "hello", string(buf))
	}
	require.NoError(t, a.Conn.(interface{ CloseWrite() error }).CloseWrite())
	got, err := io.ReadAll(a.Conn)
	require.NoError(t, err)
	assert.Equal(t, "last", string(got), "our direction ended alone")
	require.NoError(t, a.Conn.Close())
	assert.Equal(t, 0, stat(t, tr).Open)
}

func TestTunnelEndsWithAnAbort(t *testing.T) {
	b := rawBackend(t, func(c net.Conn, r *bufio.Reader) {
		readHead(r)
		say(c, "HTTP/1.1 101 S\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
		_, _ = r.ReadByte()
	})
	var a http1.Response
	r := upgrade()
	require.NoError(t, transport(t, upstream.Settings{}).Do(b, r, &a))
	go r.Abort.Abort()
	_, err := a.Conn.Read(make([]byte, 1))
	assert.Error(t, err)
	require.NoError(t, a.Conn.Close())
}

func TestUpgradeThatIsRefused(t *testing.T) {
	b := rawBackend(t, sized)
	tr := transport(t, upstream.Settings{})
	status, body, err := fetch(tr, b, upgrade())
	require.NoError(t, err)
	assert.Equal(t, 200, status)
	assert.Equal(t, "/", body)
	assert.Equal(t, 1, stat(t, tr).Idle)
}

func TestUpgradeToSomethingElse(t *testing.T) {
	b := rawBackend(t, func(c net.Conn, r *bufio.Reader) {
		readHead(r)
		say(c, "HTTP/1.1 101 S\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n")
		_, _ = r.ReadByte()
	})
	_, _, err := fetch(transport(t, upstream.Settings{}), b, upgrade())
	kind, _ := kindOf(t, err)
	assert.Equal(t, balance.BadAnswer, kind)
}
