package edge_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/wedge-lb/wedge/edge"
	"github.com/wedge-lb/wedge/edge/config"
)

// careful is a backend that answers, to clients with a certificate of its authority, with the name in it.
type careful struct {
	*httptest.Server
	clients *authority
	ca      string // file of the backend's own certificate
	conns   atomic.Int64
	served  atomic.Int64
	probed  atomic.Pointer[string] // name of the last client that asked for /healthz
}

func newCareful(t *testing.T, protocol string) *careful {
	t.Helper()
	s := &careful{clients: newAuthority(t, "clients"), ca: filepath.Join(t.TempDir(), "ca.pem")}
	s.Server = httptest.NewUnstartedServer(s)
	s.EnableHTTP2 = protocol == "h2"
	s.TLS = &tls.Config{ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: x509.NewCertPool()}
	s.TLS.ClientCAs.AddCert(s.clients.cert)
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			s.conns.Add(1)
		}
	}
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	writePEM(t, s.ca, "CERTIFICATE", s.Certificate().Raw)
	return s
}

func (s *careful) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.served.Add(1)
	name := r.TLS.PeerCertificates[0].Subject.CommonName
	if r.URL.Path == "/healthz" {
		s.probed.Store(&name)
	}
	io.Copy(io.Discard, r.Body)
	io.WriteString(w, name)
}

func writePEM(t *testing.T, file, kind string, der []byte) {
	t.Helper()
	require.NoError(t, os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600))
}

// issue writes a client's certificate and key.
func (a *authority) issue(t *testing.T, name, cert, key string) {
	t.Helper()
	der, private := a.sign(t, &x509.Certificate{
		Subject: pkix.Name{CommonName: name}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	writePEM(t, cert, "CERTIFICATE", der)
	der, err := x509.MarshalECPrivateKey(private)
	require.NoError(t, err)
	writePEM(t, key, "EC PRIVATE KEY", der)
}

// towards is a configuration whose backend is at url and talked to by those settings.
func towards(url, upstream string) string {
	text := pool(one(url), "builtin/stateless", "{}")
	return strings.Replace(text, "    strategy: s\n", "    strategy: s\n    upstream: "+upstream+"\n", 1)
}

func TestABackendThatAsksIsShownTheCertificate(t *testing.T) {
	for _, protocol := range []string{"h1", "h2"} {
		t.Run(protocol, func(t *testing.T) {
			b, dir := newCareful(t, protocol), t.TempDir()
			cert, key := filepath.Join(dir, "edge.pem"), filepath.Join(dir, "edge.key")
			b.clients.issue(t, "edge", cert, key)
			r := start(t, towards(b.URL, fmt.Sprintf("{ protocol: %s, tls: { ca: %q, certificate: %q, key: %q } }",
				protocol, b.ca, cert, key)))
			each(t, r, func(t *testing.T, c *http.Client, url string) {
				status, body := get(t, c, url+"/")
				assert.Equal(t, 200, status)
				assert.Equal(t, "edge", body)
			})
			assert.NotContains(t, r.log.String(), "TLS with a backend")
		})
	}
}

func TestABackendThatRefusesTheCertificateIsToldOf(t *testing.T) {
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "edge.pem"), filepath.Join(dir, "edge.key")
	newAuthority(t, "strangers").issue(t, "edge", cert, key)
	strange := fmt.Sprintf(", certificate: %q, key: %q", cert, key)
	const required = `"remote error: tls: certificate required" client_certificate=none`
	const unknown = `"remote error: tls: unknown certificate authority" client_certificate="CN=edge"`
	for name, tt := range map[string]struct{ protocol, shown, told string }{
		"none over h1":          {"h1", "", required},
		"none over h2":          {"h2", "", required},
		"a strange one over h1": {"h1", strange, unknown},
		"a strange one over h2": {"h2", strange, unknown},
	} {
		t.Run(name, func(t *testing.T) {
			b := newCareful(t, tt.protocol)
			r := start(t, towards(b.URL,
				fmt.Sprintf("{ protocol: %s, tls: { ca: %q%s } }", tt.protocol, b.ca, tt.shown)))
			c := r.client("plain")
			for range 10 {
				status, _ := get(t, c, r.url("plain")+"/")
				require.Equal(t, 502, status)
				resp, err := c.Post(r.url("plain")+"/", "text/plain", strings.NewReader("hello"))
				require.NoError(t, err)
				resp.Body.Close()
				require.Equal(t, 502, resp.StatusCode)
			}
			address := b.Listener.Addr().String()
			line := `level=WARN msg="TLS with a backend fails" pool=p backend=` + address + ` error=` + tt.told
			assert.Equal(t, 1, strings.Count(r.log.String(), line), "said once: %s", r.log)
			assert.Eventually(t, func() bool { // it is written late
				log := r.log.String()
				return strings.Count(log, `"status":502`) == 20 && strings.Count(log, `"error":"connect"`) == 20
			}, 10*time.Second, time.Millisecond)
			assert.Zero(t, b.served.Load())
		})
	}
}

func TestAReloadShowsARotatedCertificateOnNewConnections(t *testing.T) {
	for _, protocol := range []string{"h1", "h2"} {
		t.Run(protocol, func(t *testing.T) {
			b, dir := newCareful(t, protocol), t.TempDir()
			cert, key := filepath.Join(dir, "edge.pem"), filepath.Join(dir, "edge.key")
			b.clients.issue(t, "first", cert, key)
			text := towards(b.URL, fmt.Sprintf("{ protocol: %s, tls: { ca: %q, certificate: %q, key: %q } }",
				protocol, b.ca, cert, key))
			r := start(t, text)
			c, url := r.client("plain"), r.url("plain")+"/"
			shows := func(name string, conns int64) {
				t.Helper()
				status, body := get(t, c, url)
				assert.Equal(t, 200, status)
				assert.Equal(t, name, body)
				assert.EqualValues(t, conns, b.conns.Load(), "connections")
			}
			shows("first", 1)
			require.NoError(t, r.Reload(context.Background()))
			shows("first", 1) // the same certificate: the pool stays
			b.clients.issue(t, "second", cert, key)
			shows("first", 1)
			require.NoError(t, r.Reload(context.Background()))
			shows("second", 2)
			shows("second", 2)
		})
	}
}

func TestProbesShowTheCertificate(t *testing.T) {
	for _, protocol := range []string{"h1", "h2"} {
		t.Run(protocol, func(t *testing.T) {
			b, dir := newCareful(t, protocol), t.TempDir()
			cert, key := filepath.Join(dir, "edge.pem"), filepath.Join(dir, "edge.key")
			b.clients.issue(t, "first", cert, key)
			shown := fmt.Sprintf(", certificate: %q, key: %q", cert, key)
			r := start(t, towards(b.URL, fmt.Sprintf("{ protocol: %s, tls: { ca: %q%s } }\n"+
				"    health: { active: { path: /healthz, interval: 20ms, timeout: 5s, unhealthy_after: 1 } }",
				protocol, b.ca, shown)))
			by := func(name string) func() bool {
				return func() bool { p := b.probed.Load(); return p != nil && *p == name }
			}
			require.Eventually(t, by("first"), 10*time.Second, time.Millisecond)
			b.clients.issue(t, "second", cert, key)
			require.NoError(t, r.Reload(context.Background()))
			require.Eventually(t, by("second"), 10*time.Second, time.Millisecond)
			assert.NotContains(t, r.log.String(), "change=down")

			r.rewrite(shown, "")
			require.NoError(t, r.Reload(context.Background()))
			require.Eventually(t, func() bool {
				return strings.Contains(r.log.String(), "change=down")
			}, 10*time.Second, time.Millisecond)
		})
	}
}

func TestGRPCToABackendThatAsksForACertificate(t *testing.T) {
	b, dir := newCareful(t, "h2"), t.TempDir() // for its certificate and its authority
	cert, key := filepath.Join(dir, "edge.pem"), filepath.Join(dir, "edge.key")
	b.clients.issue(t, "edge", cert, key)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	server := grpc.NewServer(grpc.Creds(credentials.NewTLS(b.TLS.Clone())))
	server.RegisterService(&echoService, nil)
	served := make(chan struct{})
	go func() { defer close(served); server.Serve(l) }()
	t.Cleanup(func() { server.Stop(); <-served })
	r := start(t, towards("https://"+l.Addr().String(),
		fmt.Sprintf("{ protocol: h2, tls: { ca: %q, certificate: %q, key: %q } }", b.ca, cert, key)))
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(r.RootPEM())
	conn, err := grpc.NewClient(fmt.Sprintf("localhost:%d", r.Port("https")),
		grpc.WithTransportCredentials(credentials.NewClientTLSFromCert(roots, "")))
	require.NoError(t, err)
	defer conn.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	out := new(wrapperspb.StringValue)
	require.NoError(t, conn.Invoke(ctx, "/test.Echo/Unary", wrapperspb.String("hello"), out))
	assert.Equal(t, "hello", out.Value)
}

func TestBadCertificateFilesForBackendsAreRefusedWithTheirPlace(t *testing.T) {
	b, dir := newCareful(t, "h1"), t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	b.clients.issue(t, "edge", in("edge.pem"), in("edge.key"))
	b.clients.issue(t, "other", in("other.pem"), in("other.key"))
	require.NoError(t, os.WriteFile(in("empty"), nil, 0o600))
	text := func(cert, key string) string {
		return head + towards(b.URL, fmt.Sprintf("{ tls: { ca: %q,\n      certificate: %q,\n      key: %q } }",
			b.ca, in(cert), in(key)))
	}
	line := 1 + strings.Count(strings.Split(text("edge.pem", "edge.key"), "      certificate:")[0], "\n")
	r := start(t, strings.TrimPrefix(text("edge.pem", "edge.key"), head))
	c, url, good := r.client("plain"), r.url("plain")+"/", r.text
	missing := func(name string) string { return "open " + in(name) + ": no such file or directory" }
	with := func(cert, key, fault string) string {
		return fmt.Sprintf("certificate %s with key %s: tls: %s", in(cert), in(key), fault)
	}
	for name, tt := range map[string]struct {
		cert, key, at, want string
		line                int
	}{
		"no certificate": {"none.pem", "edge.key", "certificate", missing("none.pem"), line},
		"no key":         {"edge.pem", "none.key", "key", missing("none.key"), line + 1},
		"an empty certificate": {"empty", "edge.key", "certificate",
			with("empty", "edge.key", "failed to find any PEM data in certificate input"), line},
		"the key of another": {"edge.pem", "other.key", "certificate",
			with("edge.pem", "other.key", "private key does not match public key"), line},
	} {
		t.Run(name, func(t *testing.T) {
			bad := text(tt.cert, tt.key)
			conf, err := config.Parse("wedge.yaml", []byte(strings.ReplaceAll(bad, "STATE", dir)), config.Options{})
			require.NoError(t, err)
			r.rewrite(r.text, bad)
			defer r.rewrite(r.text, good)
			for way, err := range map[string]error{
				"check":  edge.Check(context.Background(), conf),
				"run":    refusal(t, bad),
				"reload": r.Reload(context.Background()),
			} {
				var fault config.Fault
				require.ErrorAs(t, err, &fault, way)
				assert.Equal(t, tt.line, fault.Line, way)
				assert.Equal(t, "pools.p.upstream.tls."+tt.at, fault.Path, way)
				assert.Equal(t, tt.want, fault.Message, way)
			}
			status, body := get(t, c, url)
			assert.Equal(t, 200, status, "nothing has changed")
			assert.Equal(t, "edge", body)
		})
	}
}
