package upstream_test

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedge-lb/wedge/edge/balance"
	"github.com/wedge-lb/wedge/edge/http1"
	"github.com/wedge-lb/wedge/edge/upstream"
)

// secureBackend serves h over TLS, and gives the settings that trust it by its name example.com.
func secureBackend(t *testing.T, protocol string, h http.HandlerFunc) (*httptest.Server, upstream.Settings) {
	s := httptest.NewUnstartedServer(h)
	s.EnableHTTP2 = protocol == "h2"
	s.Config.ErrorLog = quietLog()
	s.StartTLS()
	t.Cleanup(s.Close)
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	return s, upstream.Settings{Protocol: protocol, TLS: &tls.Config{RootCAs: roots, ServerName: "example.com"}}
}

func echoHandler(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Proto", r.Proto)
	_, _ = io.Copy(w, r.Body)
	_, _ = io.WriteString(w, r.URL.Path)
}

func TestTLS(t *testing.T) {
	s, settings := secureBackend(t, "h1", echoHandler)
	b, tr := backendAt(s.Listener.Addr().String(), "https"), transport(t, settings)
	for range 3 {
		r := request("POST", "/x")
		r.Length, r.Body = 5, strings.NewReader("hello")
		_, body, err := fetch(tr, b, r)
		require.NoError(t, err)
		assert.Equal(t, "hello/x", body)
		rest() // the next request looks at the connection first, and finds session tickets
	}
	assert.Equal(t, uint64(1), stat(t, tr).Dialed)
}

func TestTLSIsVerified(t *testing.T) {
	s, good := secureBackend(t, "h1", echoHandler)
	for name, settings := range map[string]upstream.Settings{
		"an unknown authority": {},
		"another name":         {TLS: &tls.Config{RootCAs: good.TLS.RootCAs, ServerName: "other.test"}},
		"h2 of an unknown one": {Protocol: "h2"},
	} {
		t.Run(name, func(t *testing.T) {
			tr := transport(t, settings)
			_, _, err := fetch(tr, backendAt(s.Listener.Addr().String(), "https"), request("GET", "/"))
			kind, sent := kindOf(t, err)
			assert.Equal(t, balance.ConnectFailed, kind, "%v", err)
			assert.False(t, sent)
			assert.Eventually(t, func() bool { return stat(t, tr).Open == 0 }, time.Second, time.Millisecond)
		})
	}
}

func TestClientCertificateIsShown(t *testing.T) {
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.TLS.PeerCertificates[0].Subject.Organization[0])
	}))
	s.TLS = &tls.Config{ClientAuth: tls.RequireAnyClientCert}
	s.StartTLS()
	defer s.Close()
	_, body, err := fetch(transport(t, upstream.Settings{TLS: &tls.Config{
		Certificates: s.TLS.Certificates, InsecureSkipVerify: true,
	}}), backendAt(s.Listener.Addr().String(), "https"), request("GET", "/"))
	require.NoError(t, err)
	assert.Equal(t, "Acme Co", body)
}

func TestTLSConnectionThatWasClosedIsNotUsed(t *testing.T) {
	s, settings := secureBackend(t, "h1", echoHandler)
	b, tr := backendAt(s.Listener.Addr().String(), "https"), transport(t, settings)
	for range 2 {
		_, _, err := fetch(tr, b, request("POST", "/"))
		require.NoError(t, err)
		s.CloseClientConnections()
		rest()
	}
	assert.Equal(t, uint64(2), stat(t, tr).Dialed)
}

func TestTLSOfASilentPeer(t *testing.T) {
	b := rawBackend(t, func(_ net.Conn, r *bufio.Reader) { _, _ = io.Copy(io.Discard, r) })
	secure := backendAt(b.Address, "https")
	for _, protocol := range []string{"h1", "h2"} {
		t.Run(protocol, func(t *testing.T) {
			tr := transport(t, upstream.Settings{Protocol: protocol, ConnectTimeout: 50 * time.Millisecond})
			_, _, err := fetch(tr, secure, request("GET", "/"))
			kind, sent := kindOf(t, err)
			assert.Equal(t, balance.ConnectFailed, kind, "%v", err)
			assert.False(t, sent)
		})
	}
}

func TestReloadWithTheSameTLSKeepsConnections(t *testing.T) {
	s, _ := secureBackend(t, "h1", echoHandler)
	b := backendAt(s.Listener.Addr().String(), "https")
	tr := transport(t, upstream.Settings{})
	load := func(name string) {
		roots := x509.NewCertPool()
		roots.AddCert(s.Certificate())
		tr.Configure("pool", upstream.Settings{TLS: &tls.Config{RootCAs: roots, ServerName: name}})
		_, _, err := fetch(tr, b, request("GET", "/"))
		require.NoError(t, err)
	}
	load("example.com")
	load("example.com")
	assert.Equal(t, uint64(1), stat(t, tr).Dialed)
	load("127.0.0.1")
	assert.Equal(t, uint64(1), stat(t, tr).Dialed, "another name is another backend")
	assert.Equal(t, uint64(0), stat(t, tr).Reused)
}

func TestTunnelOverTLS(t *testing.T) {
	s, settings := secureBackend(t, "h1", func(w http.ResponseWriter, r *http.Request) {
		c, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer func() { _ = c.Close() }()
		_, _ = io.WriteString(c, "HTTP/1.1 101 S\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
		_, _ = io.Copy(c, rw)
	})
	var a http1.Response
	require.NoError(t, transport(t, settings).Do(backendAt(s.Listener.Addr().String(), "https"), upgrade(), &a))
	_, err := io.WriteString(a.Conn, "hello")
	require.NoError(t, err)
	require.NoError(t, a.Conn.(interface{ CloseWrite() error }).CloseWrite())
	got, err := io.ReadAll(a.Conn)
	require.NoError(t, err)
	assert.Equal(t, "hello", string(got))
	require.NoError(t, a.Conn.Close())
}
