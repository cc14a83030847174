package edge_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A roamer is an h3 client whose connection can go on from another address.
type roamer struct {
	*http.Client
	t    *testing.T
	edge net.Addr
	conn *quic.Conn
}

// roam is a client at an address.
func (r *running) roam(address string) *roamer {
	r.t.Helper()
	to := &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: r.Port("https")}
	c := &roamer{t: r.t, edge: to}
	from := c.transport(address)
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(r.RootPEM())
	tr := &http3.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, DisableCompression: true}
	tr.Dial = func(ctx context.Context, _ string, conf *tls.Config, q *quic.Config) (*quic.Conn, error) {
		var err error
		c.conn, err = from.Dial(ctx, to, conf, q)
		return c.conn, err
	}
	r.t.Cleanup(func() { tr.Close() })
	c.Client = &http.Client{Transport: tr, Timeout: time.Minute}
	return c
}

func (c *roamer) transport(address string) *quic.Transport {
	c.t.Helper()
	socket, err := net.ListenPacket("udp", address+":0")
	require.NoError(c.t, err)
	tr := &quic.Transport{Conn: socket}
	c.t.Cleanup(func() { tr.Close(); socket.Close() })
	return tr
}

// move has the connection go on from another address, once the edge has validated it.
func (c *roamer) move(address string) {
	c.t.Helper()
	path, err := c.conn.AddPath(c.transport(address))
	require.NoError(c.t, err)
	ctx, cancel := context.WithTimeout(c.t.Context(), time.Minute)
	defer cancel()
	require.NoError(c.t, path.Probe(ctx))
	require.NoError(c.t, path.Switch())
}

// An h3 client that migrates keeps its first validated address: for the strategy, and for backends.
func TestAClientThatMigratesKeepsItsFirstAddress(t *testing.T) {
	const first, second = "127.0.0.1", "127.0.0.2"
	var yaml string
	for i := range 16 {
		b := backend(t, func(w http.ResponseWriter, q *http.Request) {
			fmt.Fprintf(w, "b%d %s", i, q.Header.Get("X-Forwarded-For"))
		})
		yaml += fmt.Sprintf("      - { id: b%d, url: %q }\n", i, b.URL)
	}
	r := start(t, pool(yaml, "builtin/ip-affinity", "{}"))
	url := r.url("h3")
	c := r.roam(first)
	before := asker(t, c.Client, "GET", url)
	require.Contains(t, before, " "+first)
	stranger := asker(t, r.roam(second).Client, "GET", url)
	require.Contains(t, stranger, " "+second, "the edge sees the other address of those that begin there")

	c.move(second)
	for range 5 {
		assert.Equal(t, before, asker(t, c.Client, "GET", url))
	}
	assert.Equal(t, second, c.conn.LocalAddr().(*net.UDPAddr).IP.String(), "it has moved indeed")
	c.Client.CloseIdleConnections()
	require.Eventually(t, func() bool { return c.conn.Context().Err() != nil }, time.Minute, time.Millisecond)
	again := asker(t, r.roam(second).Client, "GET", url)
	assert.Equal(t, stranger, again, "a new connection is from where it is")
}
