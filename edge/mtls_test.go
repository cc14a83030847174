package edge_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedge-lb/wedge/edge"
	"github.com/wedge-lb/wedge/edge/config"
)

// secure are the protocols that have a handshake.
var secure = []string{"h1", "h2", "h3"}

// guest is a client that finds every host at one edge; the name of the URL's host is that of its handshake.
type guest struct {
	*http.Client
	dials atomic.Int64
}

// guest speaks one protocol by its own TLS settings. Without RootCAs it trusts the local CA of r.
func (r *running) guest(protocol string, conf *tls.Config) *guest {
	r.t.Helper()
	if conf.RootCAs == nil {
		conf.RootCAs = x509.NewCertPool()
		require.True(r.t, conf.RootCAs.AppendCertsFromPEM(r.RootPEM()))
	}
	g := &guest{Client: &http.Client{Timeout: 30 * time.Second}}
	g.Transport = transport(r.t, protocol, conf, &g.dials)
	address := fmt.Sprintf("127.0.0.1:%d", r.Port("https"))
	switch tr := g.Transport.(type) {
	case *http3.Transport:
		tr.Dial = func(ctx context.Context, _ string, t *tls.Config, q *quic.Config) (*quic.Conn, error) {
			g.dials.Add(1)
			return quic.DialAddrEarly(ctx, address, t, q)
		}
	case *http.Transport:
		tr.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
			g.dials.Add(1)
			return new(net.Dialer).DialContext(ctx, network, address)
		}
	}
	return g
}

// ask sends a request for host on a connection whose handshake names site.
func (g *guest) ask(site, host string) (status int, err error) {
	req, err := http.NewRequest("GET", "https://"+site+"/", nil)
	if err != nil {
		return 0, err
	}
	req.Host = host
	resp, err := g.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, err
}

// authority signs certificates of clients.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	file string
}

func newAuthority(t *testing.T, name string) *authority {
	t.Helper()
	a := &authority{file: filepath.Join(t.TempDir(), name+".pem")}
	der, key := a.sign(t, &x509.Certificate{
		Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true,
	})
	a.key = key
	var err error
	a.cert, err = x509.ParseCertificate(der)
	require.NoError(t, err)
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	require.NoError(t, os.WriteFile(a.file, text, 0o600))
	return a
}

// sign signs c by a, or by itself if a has no certificate yet.
func (a *authority) sign(t *testing.T, c *x509.Certificate) (der []byte, key *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	c.SerialNumber = big.NewInt(time.Now().UnixNano())
	c.NotBefore, c.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	parent, signer := c, key
	if a.cert != nil {
		parent, signer = a.cert, a.key
	}
	der, err = x509.CreateCertificate(rand.Reader, c, parent, key.Public(), signer)
	require.NoError(t, err)
	return der, key
}

// client is TLS settings with a certificate that a signed, shown whatever the server says it accepts.
func (a *authority) client(t *testing.T) *tls.Config {
	t.Helper()
	der, key := a.sign(t, &x509.Certificate{
		Subject: pkix.Name{CommonName: "client"}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	cert := &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
	return &tls.Config{GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		return cert, nil
	}}
}

// partners is a configuration with a site for all, one for the clients of a, and one for those of b.
func partners(backends string, a, b *authority) string {
	return fmt.Sprintf(`pools:
  p:
    backends:
%ssites:
  - hosts: [open.test]
    routes: [{ pool: p }]
  - hosts: [closed.test, "*.closed.test"]
    tls: { issuer: internal, client_auth: { mode: require, ca: %q } }
    routes: [{ pool: p }]
  - hosts: [other.test]
    tls: { issuer: internal, client_auth: { mode: require, ca: %q } }
    routes: [{ pool: p }]
`, backends, a.file, b.file)
}

func TestAProtectedSiteAsksEveryClientOverEveryProtocol(t *testing.T) {
	_, yaml := named(t, 1)
	friend, stranger := newAuthority(t, "friend"), newAuthority(t, "stranger")
	r := start(t, partners(yaml, friend, stranger))
	for _, p := range secure {
		t.Run(p, func(t *testing.T) {
			for _, site := range []string{"closed.test", "CLOSED.test", "a.closed.test"} {
				r.assertRefused(t, p, site, &tls.Config{}, "certificate required")
				r.assertRefused(t, p, site, stranger.client(t), "unknown certificate authority")
				_, err := r.guest(p, &tls.Config{}).ask(site, site)
				require.Error(t, err)
				status, err := r.guest(p, friend.client(t)).ask(site, site)
				require.NoError(t, err)
				assert.Equal(t, 200, status)
			}
			status, err := r.guest(p, &tls.Config{}).ask("open.test", "open.test")
			require.NoError(t, err)
			assert.Equal(t, 200, status)
		})
	}
}

// assertRefused holds that a handshake for site ends with an alert of the edge that says words. It sends
// nothing after it: a request on its way when the edge closes could cost the alert.
func (r *running) assertRefused(t *testing.T, protocol, site string, conf *tls.Config, words string) {
	t.Helper()
	conf = conf.Clone()
	conf.ServerName, conf.InsecureSkipVerify = site, true // it is the client that is in question
	conf.NextProtos = []string{map[string]string{"h1": "http/1.1", "h2": "h2", "h3": "h3"}[protocol]}
	address := fmt.Sprintf("127.0.0.1:%d", r.Port("https"))
	dial := dialTLS
	if protocol == "h3" {
		dial = dialQUIC
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	err := dial(ctx, address, conf)
	var quicAlert *quic.TransportError
	var alert *net.OpError
	told := errors.As(err, &quicAlert) && quicAlert.Remote && quicAlert.ErrorCode.IsCryptoError() ||
		errors.As(err, &alert) && alert.Op == "remote error"
	assert.True(t, told, "%v", err)
	assert.ErrorContains(t, err, words)
}

// dialTLS gives what ends a TLS connection. In TLS 1.3 the server's verdict on a client's certificate comes
// after the client's handshake.
func dialTLS(ctx context.Context, address string, conf *tls.Config) error {
	c, err := (&tls.Dialer{Config: conf}).DialContext(ctx, "tcp", address)
	if err != nil {
		return err
	}
	defer c.Close()
	deadline, _ := ctx.Deadline()
	c.SetReadDeadline(deadline)
	_, err = c.Read(make([]byte, 1))
	return err
}

// dialQUIC is dialTLS over QUIC.
func dialQUIC(ctx context.Context, address string, conf *tls.Config) error {
	c, err := quic.DialAddr(ctx, address, conf, nil)
	if err != nil {
		return err
	}
	defer c.CloseWithError(0, "")
	_, err = c.AcceptUniStream(ctx) // of control: the edge's first word
	return err
}

func TestAConnectionMayNotAskForAnotherProtectedSite(t *testing.T) {
	var seen atomic.Int64
	s := backend(t, func(http.ResponseWriter, *http.Request) { seen.Add(1) })
	friend, stranger := newAuthority(t, "friend"), newAuthority(t, "stranger")
	r := start(t, partners(one(s.URL), friend, stranger))
	for _, p := range secure {
		t.Run(p, func(t *testing.T) {
			before := seen.Load()
			bare, shown := r.guest(p, &tls.Config{}), r.guest(p, friend.client(t))
			for _, tt := range []struct {
				client     *guest
				site, host string
				want       int
			}{
				{bare, "open.test", "closed.test", 421},
				{bare, "open.test", "CLOSED.test", 421},
				{bare, "open.test", "closed.test:443", 421},
				{bare, "open.test", "a.closed.test", 421},
				{bare, "open.test", "nobody.test", 421},
				{shown, "closed.test", "other.test", 421},
				{bare, "open.test", "open.test", 200},
				{shown, "closed.test", "a.closed.test", 200},
			} {
				status, err := tt.client.ask(tt.site, tt.host)
				require.NoError(t, err)
				assert.Equal(t, tt.want, status, "%s on a connection to %s", tt.host, tt.site)
			}
			assert.EqualValues(t, 2, seen.Load()-before, "the backend saw what was served, nothing else")
			assert.EqualValues(t, 1, bare.dials.Load(), "a refused request leaves the connection")
			assert.EqualValues(t, 1, shown.dials.Load())
		})
	}
}

func TestAReloadThatAsksForCertificatesHoldsForOpenConnections(t *testing.T) {
	_, yaml := named(t, 1)
	friend, stranger := newAuthority(t, "friend"), newAuthority(t, "stranger")
	r := start(t, partners(yaml, friend, stranger))
	guests, sessions := map[string]*guest{}, map[string]tls.ClientSessionCache{}
	for _, p := range secure {
		sessions[p] = tls.NewLRUClientSessionCache(8)
		guests[p] = r.guest(p, &tls.Config{ClientSessionCache: sessions[p]})
		status, err := guests[p].ask("open.test", "open.test")
		require.NoError(t, err)
		require.Equal(t, 200, status, p)
		_, resumable := sessions[p].Get("open.test")
		require.True(t, resumable, p)
	}
	r.rewrite("- hosts: [open.test]\n",
		fmt.Sprintf("- hosts: [open.test]\n    tls: { issuer: internal, client_auth: { ca: %q } }\n", friend.file))
	require.NoError(t, r.Reload(context.Background()))
	for _, p := range secure {
		status, err := guests[p].ask("open.test", "open.test")
		require.NoError(t, err, p)
		assert.Equal(t, 421, status, p)
		assert.EqualValues(t, 1, guests[p].dials.Load(), "%s: the old connection answered", p)

		r.assertRefused(t, p, "open.test", &tls.Config{ClientSessionCache: sessions[p]}, "certificate required")
		status, err = r.guest(p, friend.client(t)).ask("open.test", "open.test")
		require.NoError(t, err, p)
		assert.Equal(t, 200, status, p)
	}
}

func TestAnUnreadableClientAuthorityIsRefusedWithItsPlace(t *testing.T) {
	_, yaml := named(t, 1)
	friend := newAuthority(t, "friend")
	empty := filepath.Join(t.TempDir(), "empty.pem")
	require.NoError(t, os.WriteFile(empty, nil, 0o600))
	nowhere := filepath.Join(t.TempDir(), "nowhere.pem")
	r := start(t, partners(yaml, friend, friend))
	for _, bad := range []string{empty, nowhere} {
		text := strings.Replace(head+partners(yaml, friend, friend), friend.file, bad, 1)
		assertPlaced(t, refusal(t, text), text, bad)

		good := r.text
		r.rewrite(friend.file+"\" } }\n    routes: [{ pool: p }]\n  - hosts: [other.test]",
			bad+"\" } }\n    routes: [{ pool: p }]\n  - hosts: [other.test]")
		assertPlaced(t, r.Reload(context.Background()), text, bad)
		for _, p := range secure {
			status, err := r.guest(p, friend.client(t)).ask("closed.test", "closed.test")
			require.NoError(t, err)
			assert.Equal(t, 200, status, "%s: nothing has changed", p)
			r.assertRefused(t, p, "closed.test", &tls.Config{}, "certificate required")
		}
		r.rewrite(r.text, good)
	}
}

// refusal is what a new edge says to a configuration.
func refusal(t *testing.T, text string) error {
	t.Helper()
	text = strings.ReplaceAll(text, "STATE", t.TempDir())
	conf, err := config.Parse("wedge.yaml", []byte(text), config.Options{})
	require.NoError(t, err)
	_, err = edge.New(conf, edge.Options{PluginCache: cache})
	return err
}

// assertPlaced holds that err is a fault of the configuration, about the line of text that names file.
func assertPlaced(t *testing.T, err error, text, file string) {
	t.Helper()
	var fault config.Fault
	require.ErrorAs(t, err, &fault)
	assert.Equal(t, "wedge.yaml", fault.File)
	before, _, _ := strings.Cut(text, file)
	assert.Equal(t, 1+strings.Count(before, "\n"), fault.Line, "%v", err)
	assert.ErrorContains(t, err, file)
}
