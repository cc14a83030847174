package certs_test

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedge-lb/wedge/edge/certs"
)

func TestLocalCertificatesVerifyForEveryKindOfHost(t *testing.T) {
	t.Parallel()
	m := newManager(t, t.TempDir(), nil)
	apply(t, m,
		internal("a", none, "localhost", "Shop.test", "*.shop.test", "127.0.0.1", "bücher.test"),
		internal("rest", none, "*"))
	e := newEdge(t)
	e.use(m)
	e.startQUIC(t)
	for sni, verify := range map[string]string{
		"localhost": "localhost", "shop.test": "shop.test", "a.shop.test": "a.shop.test",
		"a.b.shop.test": "a.b.shop.test", "xn--bcher-kva.test": "xn--bcher-kva.test", "else.where": "else.where",
		"": "127.0.0.1",
	} {
		c := clientFor(localRoots(t, m), sni)
		c.InsecureSkipVerify = true
		c.VerifyConnection = func(state tls.ConnectionState) error {
			_, err := state.PeerCertificates[0].Verify(x509.VerifyOptions{Roots: localRoots(t, m), DNSName: verify})
			return err
		}
		_, err := e.dialTLS(c)
		assert.NoError(t, err, "%q over tcp", sni)
		_, err = e.dialQUIC(c)
		assert.NoError(t, err, "%q over quic", sni)
	}
	assert.Equal(t, "wedge local CA", infoFor(t, m, "*.shop.test").Issuer[:14])
	assert.Equal(t, certs.SourceInternal, infoFor(t, m, "shop.test").Source)
}

func TestLocalCertificatesAreKeptAndRenewedInTime(t *testing.T) {
	t.Parallel()
	start := time.Now()
	var ahead atomic.Int64
	now := func() time.Time { return start.Add(time.Duration(ahead.Load())) }
	m := newManager(t, t.TempDir(), func(o *certs.Options) { o.Now, o.LeafLife = now, 24*time.Hour })
	apply(t, m, internal("a", none, "a.test"), internal("rest", none, "*"))
	for _, name := range []string{"a.test", "other.test"} {
		ahead.Store(0)
		first := leafFor(t, m, name)
		for _, passed := range []time.Duration{time.Hour, 15 * time.Hour} {
			ahead.Store(int64(passed))
			assert.Equal(t, first, leafFor(t, m, name))
		}
		ahead.Store(int64(17 * time.Hour))
		second := leafFor(t, m, name)
		assert.NotEqual(t, first.SerialNumber, second.SerialNumber)
		assert.True(t, second.NotAfter.After(first.NotAfter))
	}
	ahead.Store(0)
	before := leafFor(t, m, "a.test")
	apply(t, m, internal("a", none, "a.test", "b.test"))
	assert.Equal(t, before, leafFor(t, m, "a.test"), "a reload keeps it")
}

func leafFor(t *testing.T, m *certs.Manager, name string) *x509.Certificate {
	t.Helper()
	cert, err := answer(m, name)
	require.NoError(t, err)
	require.NotNil(t, cert)
	return cert.Leaf
}

// answer asks what a handshake for name would be answered with, without making one.
func answer(m *certs.Manager, name string) (*tls.Certificate, error) {
	hello := &tls.ClientHelloInfo{ServerName: name, SupportedProtos: []string{"h2"}}
	c, err := m.TLSConfig("h2").GetConfigForClient(hello)
	if err != nil || c.GetCertificate == nil {
		return nil, err
	}
	return c.GetCertificate(hello)
}

func TestRandomNamesDoNotExhaustTheLocalCA(t *testing.T) {
	t.Parallel()
	start := time.Now()
	var ahead atomic.Int64
	m := newManager(t, t.TempDir(), func(o *certs.Options) {
		o.Now = func() time.Time { return start.Add(time.Duration(ahead.Load())) }
		o.Leaves = 50
	})
	apply(t, m, internal("a", none, "a.test", "*.a.test"), internal("rest", none, "*"))
	flood := func() (made int) {
		for i := range 10_000 {
			if cert, _ := answer(m, fmt.Sprintf("r%d.random%d.test", i, ahead.Load())); cert != nil {
				made++
			}
		}
		return made
	}
	assert.Equal(t, 200, flood())
	ahead.Store(int64(time.Second))
	assert.Equal(t, 50, flood(), "50 a second from then on")
	leafFor(t, m, "a.test")
	first := leafFor(t, m, "x.a.test")
	assert.Equal(t, first, leafFor(t, m, "y.a.test"), "names under a pattern share its certificate")
	_, err := answer(m, "r0.random0.test")
	require.Error(t, err, "only the last 50 are kept")
	last, err := answer(m, fmt.Sprintf("r49.random%d.test", time.Second))
	require.NoError(t, err)
	require.NotNil(t, last)
}

func TestUnknownNamesGetUnrecognizedName(t *testing.T) {
	t.Parallel()
	m := newManager(t, t.TempDir(), nil)
	e := newEdge(t)
	e.use(m)
	check := func(name string) {
		t.Helper()
		c := clientFor(nil, name)
		c.InsecureSkipVerify = true
		_, err := e.dialTLS(c)
		assert.ErrorContains(t, err, "unrecognized name", name)
		_, err = e.dialQUIC(c)
		assert.ErrorContains(t, err, "0x170", name)
	}
	e.startQUIC(t)
	check("a.test") // before the first Apply
	apply(t, m, internal("a", none, "a.test", "*.b.test"))
	for _, name := range []string{"b.test", "x.a.test", "x.y.b.test", "bad_\x01name", "", "10.0.0.1"} {
		check(name)
	}
}

func TestProtocolPolicy(t *testing.T) {
	t.Parallel()
	m := newManager(t, t.TempDir(), nil)
	apply(t, m, internal("a", none, "a.test"))
	e := newEdge(t)
	e.use(m)
	for name, change := range map[string]func(*tls.Config){
		"tls 1.1":          func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS10, tls.VersionTLS11 },
		"a cbc suite":      only(tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA),
		"a 3des suite":     only(tls.TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA),
		"an rsa exchange":  only(tls.TLS_RSA_WITH_AES_128_GCM_SHA256),
		"another protocol": func(c *tls.Config) { c.NextProtos = []string{"ftp"} },
		"a validation nobody asked for": func(c *tls.Config) {
			c.NextProtos = []string{certs.ChallengeProto}
		},
	} {
		c := clientFor(localRoots(t, m), "a.test")
		change(c)
		_, err := e.dialTLS(c)
		assert.Error(t, err, name)
	}
	for name, change := range map[string]func(*tls.Config){
		"tls 1.2":           only(tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256),
		"chacha":            only(tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256),
		"post-quantum":      func(c *tls.Config) { c.CurvePreferences = []tls.CurveID{tls.X25519MLKEM768} },
		"p256":              func(c *tls.Config) { c.CurvePreferences = []tls.CurveID{tls.CurveP256} },
		"validation beside": func(c *tls.Config) { c.NextProtos = []string{certs.ChallengeProto, "http/1.1"} },
	} {
		c := clientFor(localRoots(t, m), "a.test")
		change(c)
		state, err := e.dialTLS(c)
		assert.NoError(t, err, name)
		assert.Equal(t, "http/1.1", state.NegotiatedProtocol, name)
	}
	quicBase := m.TLSConfig("h3")
	quicPolicy, err := quicBase.GetConfigForClient(&tls.ClientHelloInfo{ServerName: "a.test"})
	require.NoError(t, err)
	for _, c := range []*tls.Config{quicBase, quicPolicy} {
		assert.EqualValues(t, tls.VersionTLS13, c.MinVersion)
		assert.Equal(t, []string{"h3"}, c.NextProtos)
	}
}

func only(suite uint16) func(*tls.Config) {
	return func(c *tls.Config) {
		c.MaxVersion = tls.VersionTLS12
		c.CipherSuites = []uint16{suite}
	}
}

func TestServesDoesNotAllocate(t *testing.T) {
	m := newManager(t, t.TempDir(), nil)
	apply(t, m, internal("a", none, "a.test", "*.b.test", "10.0.0.1"), internal("rest", none, "*"))
	c := m.Conn(&tls.ConnectionState{ServerName: "a.test"}, &net.TCPAddr{})
	for _, host := range []string{"a.test", "a.test:8443", "x.b.test", "10.0.0.1", "unknown.test", "[::1]:443"} {
		assert.Zero(t, testing.AllocsPerRun(100, func() { c.Serves(host) }), host)
	}
}

func BenchmarkServes(b *testing.B) {
	m, err := certs.New(certs.Options{StateDir: b.TempDir()})
	require.NoError(b, err)
	s := certs.Settings{}
	for i := range 1000 {
		s.Sites = append(s.Sites, internal(fmt.Sprint(i), none, fmt.Sprintf("shop%d.example.com", i)))
	}
	require.NoError(b, m.Apply(b.Context(), s))
	c := m.Conn(&tls.ConnectionState{ServerName: "shop1.example.com"}, nil)
	for b.Loop() {
		if !c.Serves("shop999.example.com") {
			b.Fatal("refused")
		}
	}
}

func BenchmarkLookup(b *testing.B) {
	m, err := certs.New(certs.Options{StateDir: b.TempDir()})
	require.NoError(b, err)
	site := internal("a", none, "shop.example.com")
	require.NoError(b, m.Apply(b.Context(), certs.Settings{Sites: []certs.Site{site}}))
	for b.Loop() {
		if c, err := answer(m, "shop.example.com"); c == nil {
			b.Fatal(err)
		}
	}
}
