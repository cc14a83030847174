package upstream_test

import (
	"bufio"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"testing"
	"time"

	pires "github.com/pires/go-proxyproto"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedge-lb/wedge/edge/balance"
	"github.com/wedge-lb/wedge/edge/upstream"
)

// announced serves what the PROXY header of each connection says, and counts connections.
func announced(t *testing.T, secure *tls.Config) (b *balance.Backend, local string, conns func() int) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	counted := &counting{Listener: ln}
	var in net.Listener = &pires.Listener{Listener: counted,
		ConnPolicy: func(pires.ConnPolicyOptions) (pires.Policy, error) { return pires.REQUIRE, nil }}
	scheme := "http"
	if secure != nil {
		in, scheme = tls.NewListener(in, secure), "https"
	}
	h := func(w http.ResponseWriter, r *http.Request) {
		to := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
		_, _ = io.WriteString(w, r.RemoteAddr+" to "+to.String())
	}
	s := &http.Server{ErrorLog: quietLog(), Handler: http.HandlerFunc(h)}
	done := make(chan struct{})
	go func() { defer close(done); _ = s.Serve(in) }()
	t.Cleanup(func() { _ = s.Close(); <-done })
	return backendAt(ln.Addr().String(), scheme), ln.Addr().String(), counted.count
}

type counting struct {
	net.Listener
	mu sync.Mutex
	n  int
}

func (c *counting) Accept() (net.Conn, error) {
	conn, err := c.Listener.Accept()
	c.mu.Lock()
	defer c.mu.Unlock()
	if err == nil {
		c.n++
	}
	return conn, err
}

func (c *counting) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.n
}

func TestEachConnectionBeginsWithItsClient(t *testing.T) {
	cert, settings := secureBackend(t, "h1", echoHandler)
	settings.Announce = true
	for name, secure := range map[string]*tls.Config{
		"plain": nil, "TLS": {Certificates: cert.TLS.Certificates},
	} {
		t.Run(name, func(t *testing.T) {
			b, address, conns := announced(t, secure)
			tr := transport(t, settings)
			const v4, v6, ours = "192.0.2.1:5", "[2001:db8::1]:0", "192.0.2.9:443"
			for i, tt := range []struct{ client, local, want string }{
				{v4, ours, v4 + " to " + ours},
				{v4, ours, v4 + " to " + ours},
				{v6, "[2001:db8::9]:443", v6 + " to [2001:db8::9]:443"},
				{v6, ours, v6 + " to " + ours},
				{v4, "", v4 + " to " + address},
				{v4, "0.0.0.0:443", v4 + " to " + address},
			} {
				r := request("GET", "/")
				r.Client = netip.MustParseAddrPort(tt.client)
				r.Local, _ = netip.ParseAddrPort(tt.local)
				_, body, err := fetch(tr, b, r)
				require.NoError(t, err)
				assert.Equal(t, tt.want, body)
				assert.Equal(t, i+1, conns(), "no connection is used twice")
			}
			assert.Equal(t, 0, stat(t, tr).Open)
		})
	}
}

func TestAWaiterGetsAConnectionOfItsOwn(t *testing.T) {
	b, _, conns := announced(t, nil)
	tr := transport(t, upstream.Settings{Announce: true, MaxConnections: 1, QueueTimeout: time.Minute})
	var all sync.WaitGroup
	for i := range 20 {
		all.Go(func() {
			r := request("GET", "/")
			r.Client = netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(i)}), 1)
			_, body, err := fetch(tr, b, r)
			assert.NoError(t, err)
			assert.Contains(t, body, r.Client.String()+" to ")
		})
	}
	all.Wait()
	assert.Equal(t, 20, conns())
}

func TestConnectionsAreNotKeptOverAChangeOfTheHeader(t *testing.T) {
	plain := rawBackend(t, sized)
	tr := transport(t, upstream.Settings{})
	_, _, err := fetch(tr, plain, request("GET", "/"))
	require.NoError(t, err)
	require.Equal(t, 1, stat(t, tr).Idle)
	tr.Configure("pool", upstream.Settings{Announce: true})
	assert.Empty(t, tr.Stats())
}

func TestABackendThatRefusesTheHeaderIsAFailedRequest(t *testing.T) {
	b := rawBackend(t, func(_ net.Conn, r *bufio.Reader) { _, _ = r.Peek(28) })
	tr := transport(t, upstream.Settings{Announce: true})
	r := request("GET", "/")
	r.Client = netip.MustParseAddrPort("192.0.2.1:5")
	_, _, err := fetch(tr, b, r)
	kind, _ := kindOf(t, err)
	assert.Equal(t, balance.Reset, kind)
}
