package listen_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"math/big"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
	"github.com/stretchr/testify/require"
	"github.com/wedge-lb/wedge/edge/http1"
	"github.com/wedge-lb/wedge/edge/listen"
	"github.com/wedge-lb/wedge/edge/proxy"
)

// handler is a Handler made of a function.
type handler func(x *proxy.Exchange)

func (h handler) Serve(x *proxy.Exchange) { h(x) }

// edge is a Server with one listener of each kind.
type edge struct {
	t                    testing.TB
	server               *listen.Server
	plain, secure, quick string // addresses
	roots                *x509.CertPool
	serving              sync.WaitGroup
}

// start serves h until the test ends.
func start(t testing.TB, h handler, change ...func(*listen.Options)) *edge {
	t.Helper()
	cert, roots := certificate(t)
	o := listen.Options{Handler: h, TLS: &tls.Config{Certificates: []tls.Certificate{cert}}}
	for _, c := range change {
		c(&o)
	}
	e := &edge{t: t, server: listen.New(o), roots: roots}
	plain, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	secure, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	quick, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	e.plain, e.secure, e.quick = plain.Addr().String(), secure.Addr().String(), quick.LocalAddr().String()
	e.serving.Go(func() { e.ended(e.server.ServeTCP(context.Background(), plain)) })
	e.serving.Go(func() { e.ended(e.server.ServeTLS(context.Background(), secure)) })
	e.serving.Go(func() { e.ended(e.server.ServeQUIC(context.Background(), quick)) })
	t.Cleanup(e.stop)
	return e
}

func (e *edge) ended(err error) {
	if err != nil && !errors.Is(err, listen.ErrClosed) { // a test may be over before it begins to listen
		e.t.Errorf("serve: %v", err)
	}
}

func (e *edge) stop() {
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	e.server.Shutdown(ctx)
	e.serving.Wait()
}

func certificate(t testing.TB) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"edge.test"},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	leaf, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	roots := x509.NewCertPool()
	roots.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, roots
}

func (e *edge) clientTLS(protocols ...string) *tls.Config {
	return &tls.Config{RootCAs: e.roots, ServerName: "edge.test", NextProtos: protocols}
}

// dial is a raw connection to the plain listener.
func (e *edge) dial() *net.TCPConn {
	e.t.Helper()
	c, err := net.Dial("tcp", e.plain)
	require.NoError(e.t, err)
	e.t.Cleanup(func() { c.Close() })
	require.NoError(e.t, c.SetDeadline(time.Now().Add(2*soon)))
	return c.(*net.TCPConn)
}

// dialTLS is a raw connection to the TLS listener.
func (e *edge) dialTLS(protocols ...string) *tls.Conn {
	e.t.Helper()
	c, err := tls.Dial("tcp", e.secure, e.clientTLS(protocols...))
	require.NoError(e.t, err)
	e.t.Cleanup(func() { c.Close() })
	require.NoError(e.t, c.SetDeadline(time.Now().Add(2*soon)))
	return c
}

// clientOver is a TLS client that speaks h1 over c.
func clientOver(e *edge, c net.Conn) *tls.Conn { return tls.Client(c, e.clientTLS("http/1.1")) }

// way is one protocol as a client speaks it.
type way struct {
	name   string
	url    string
	client *http.Client
}

// ways are clients of the edge by every protocol.
func (e *edge) ways() []way {
	h1 := &http.Transport{DisableCompression: true}
	h1s := &http.Transport{TLSClientConfig: e.clientTLS(), DisableCompression: true}
	h2 := &http.Transport{TLSClientConfig: e.clientTLS(), ForceAttemptHTTP2: true, DisableCompression: true}
	h3 := &http3.Transport{TLSClientConfig: e.clientTLS(), DisableCompression: true,
		QUICConfig: &quic.Config{MaxIdleTimeout: soon}}
	e.t.Cleanup(func() {
		h1.CloseIdleConnections()
		h1s.CloseIdleConnections()
		h2.CloseIdleConnections()
		h3.Close()
	})
	client := func(rt http.RoundTripper) *http.Client {
		return &http.Client{Transport: rt, Timeout: 2 * soon}
	}
	return []way{
		{"h1", "http://" + e.plain, client(h1)},
		{"h1 over TLS", "https://" + e.secure, client(h1s)},
		{"h2", "https://" + e.secure, client(h2)},
		{"h3", "https://" + e.quick, client(h3)},
	}
}

// each runs one test by every protocol.
func (e *edge) each(t *testing.T, test func(t *testing.T, w way)) {
	for _, w := range e.ways() {
		t.Run(w.name, func(t *testing.T) { test(t, w) })
	}
}

func fields(pairs ...string) http1.Fields {
	var f http1.Fields
	for i := 0; i < len(pairs); i += 2 {
		f.Add([]byte(pairs[i]), []byte(pairs[i+1]))
	}
	return f
}

// answer sends a whole answer.
func answer(x *proxy.Exchange, status int, body string, f ...string) {
	if x.Reply.Head(status, fields(f...), int64(len(body))) != nil {
		return
	}
	if body != "" && string(x.Request.Method) != "HEAD" {
		x.Reply.Write([]byte(body))
	}
	x.Reply.End(nil)
}

// echo answers with the body and the trailers of the request.
func echo(x *proxy.Exchange) {
	if x.Reply.Head(200, fields("Content-Type", "text/echo"), x.Request.Length) != nil {
		return
	}
	if x.Request.Body != nil {
		if _, err := io.Copy(onlyWriter{x.Reply}, onlyReader{x.Request.Body}); err != nil {
			x.Reply.Cut()
			return
		}
	}
	var trailers http1.Fields
	if x.Request.Trailers != nil {
		trailers = *x.Request.Trailers
	}
	x.Reply.End(trailers)
}

type onlyWriter struct{ io.Writer }
type onlyReader struct{ io.Reader }

// readAll reads the body of an answer whole.
func readAll(t *testing.T, r *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(r.Body)
	require.NoError(t, err)
	require.NoError(t, r.Body.Close())
	return string(b)
}
