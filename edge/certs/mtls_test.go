package certs_test

import (
	"crypto/tls"
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedge-lb/wedge/edge/certs"
)

var none = certs.ClientAuth{}

func required(p *partner) certs.ClientAuth {
	return certs.ClientAuth{Mode: certs.ClientRequire, CA: p.file}
}

func requested(p *partner) certs.ClientAuth {
	return certs.ClientAuth{Mode: certs.ClientRequest, CA: p.file}
}

func TestClientCertificatesOverTCPAndQUIC(t *testing.T) {
	t.Parallel()
	friend, stranger, guest := newPartner(t, "friend"), newPartner(t, "stranger"), newPartner(t, "guest")
	m := newManager(t, t.TempDir(), nil)
	apply(t, m,
		internal("open", none, "open.test", "open.wild.test"),
		internal("closed", required(friend), "closed.test"),
		internal("wild", required(friend), "*.wild.test"),
		internal("asked", requested(friend), "asked.test"),
		internal("rest", required(guest), "*"),
	)
	e := newEdge(t)
	e.use(m)
	e.startQUIC(t)
	known, unknown, invited := friend.client(t), stranger.client(t), guest.client(t)
	for name, tt := range handshakes(known, unknown, invited) {
		t.Run(name, func(t *testing.T) {
			c := clientFor(localRoots(t, m), tt.sni)
			c.InsecureSkipVerify = !tt.verifies
			if tt.cert != nil {
				// show it whatever the server says it accepts
				c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
					return tt.cert, nil
				}
			}
			for kind, dial := range map[string]func(*tls.Config) (tls.ConnectionState, error){
				"tcp": e.dialTLS, "quic": e.dialQUIC,
			} {
				_, err := dial(c)
				assert.Equal(t, tt.want, err == nil, "%s: %v", kind, err)
			}
			c.MaxVersion = tls.VersionTLS12
			_, err := e.dialTLS(c)
			assert.Equal(t, tt.want, err == nil, "tls 1.2: %v", err)
		})
	}
}

type handshake struct {
	sni      string
	cert     *tls.Certificate
	verifies bool // the server's certificate has a name to be held to
	want     bool
}

func handshakes(known, unknown, invited *tls.Certificate) map[string]handshake {
	return map[string]handshake{
		"open, none":                      {"open.test", nil, true, true},
		"open, mixed case":                {"oPeN.TeSt", nil, true, true},
		"open, shown without being asked": {"open.test", unknown, true, true},
		"required, none":                  {"closed.test", nil, true, false},
		"required, mixed case, none":      {"ClOsEd.TEST", nil, true, false},
		"required, unknown":               {"closed.test", unknown, true, false},
		"required, known":                 {"closed.test", known, true, true},
		"required, mixed case, known":     {"CLOSED.test", known, true, true},
		"wildcard, none":                  {"a.wild.test", nil, true, false},
		"wildcard, mixed case, none":      {"A.WILD.test", nil, true, false},
		"wildcard, unknown":               {"a.wild.test", unknown, true, false},
		"wildcard, known":                 {"a.wild.test", known, true, true},
		"exact beats wildcard":            {"open.wild.test", nil, true, true},
		"two labels are no wildcard's":    {"a.b.wild.test", nil, true, false},
		"asked, none":                     {"asked.test", nil, true, true},
		"asked, unknown":                  {"asked.test", unknown, true, false},
		"asked, known":                    {"asked.test", known, true, true},
		"any name, none":                  {"other.test", nil, true, false},
		"any name, known":                 {"other.test", invited, true, true},
		"any name, another's":             {"other.test", known, true, false},
		"two labels, invited":             {"a.b.wild.test", invited, true, true},
		"wildcard, another's":             {"a.wild.test", invited, true, false},
		"no name, none":                   {"", nil, false, false},
		"no name, unknown":                {"", unknown, false, false},
		"no name, known":                  {"", invited, false, true},
	}
}

func TestUnreadableClientAuthorityIsRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	empty, garbage := filepath.Join(dir, "empty.pem"), filepath.Join(dir, "garbage.pem")
	require.NoError(t, os.WriteFile(empty, nil, 0o600))
	writePEM(t, garbage, "CERTIFICATE", []byte("garbage"))
	for name, file := range map[string]string{
		"no file": filepath.Join(dir, "none.pem"), "empty": empty, "garbage": garbage,
		"a directory": dir, "unnamed": "",
	} {
		for _, mode := range []certs.ClientMode{certs.ClientRequire, certs.ClientRequest} {
			t.Run(name+" "+string(mode), func(t *testing.T) {
				m := newManager(t, t.TempDir(), nil)
				site := internal("partners", certs.ClientAuth{Mode: mode, CA: file}, "api.test")
				err := m.Apply(t.Context(), certs.Settings{Sites: []certs.Site{site}})
				require.ErrorContains(t, err, "site partners")
				require.ErrorContains(t, err, file)
				assert.Nil(t, m.PolicyFor("api.test"))
			})
		}
	}
}

func TestAConnectionServesOnlyWhatItsHandshakeProved(t *testing.T) {
	t.Parallel()
	friend, stranger := newPartner(t, "friend"), newPartner(t, "stranger")
	m := newManager(t, t.TempDir(), nil)
	sites := []certs.Site{
		internal("a", none, "a.test"), internal("b", none, "b.test", "127.0.0.1"),
		internal("closed", required(friend), "closed.test", "*.closed.test"),
		internal("twin", required(friend), "twin.test"),
		internal("other", required(stranger), "other.test"),
		internal("asked", requested(friend), "asked.test"), internal("six", required(friend), "[::1]"),
	}
	apply(t, m, sites...)
	e := newEdge(t)
	e.use(m)
	conn := func(sni string, cert *tls.Certificate) certs.Conn {
		c := clientFor(nil, sni)
		c.InsecureSkipVerify = true
		if cert != nil {
			c.Certificates = []tls.Certificate{*cert}
		}
		return m.Conn(serverState(t, m, c), e.tls.Addr())
	}
	open, closed := conn("a.test", nil), conn("closed.test", friend.client(t))
	nameless, asked := conn("", nil), conn("asked.test", nil)
	for name, tt := range requests(open, closed, nameless, asked) {
		t.Run(name, func(t *testing.T) { assert.Equal(t, tt.want, tt.conn.Serves(tt.host)) })
	}

	assert.True(t, m.PolicyFor("x.closed.test").RequiresCertificate())
	assert.False(t, m.PolicyFor("asked.test").RequiresCertificate())

	t.Run("after a reload that changes nothing", func(t *testing.T) {
		apply(t, m, sites...)
		assert.True(t, open.Serves("a.test"))
		assert.True(t, closed.Serves("closed.test"))
	})
	t.Run("after a reload that requires", func(t *testing.T) {
		sites[0].ClientAuth = required(friend)
		change, err := m.Prepare(t.Context(), certs.Settings{Sites: sites})
		require.NoError(t, err)
		require.Nil(t, change.Policy("nobody"))
		before := m.PolicyFor("a.test")
		change.Commit()
		assert.False(t, open.Serves("a.test"))
		assert.False(t, open.Admits(change.Policy("a")))
		assert.True(t, open.Admits(change.Policy("b")))
		assert.True(t, open.Admits(before), "a request routed before the reload")
		assert.True(t, closed.Serves("a.test"))
		bare := tls.ConnectionState{ServerName: "a.test"}
		assert.False(t, m.Allowed(&bare, e.tls.Addr(), "a.test"), "a handshake from just before the reload")
	})
}

type request struct {
	conn certs.Conn
	host string
	want bool
}

func requests(open, closed, nameless, asked certs.Conn) map[string]request {
	return map[string]request{
		"its own":                    {open, "a.test", true},
		"its own with port":          {open, "a.test:443", true},
		"its own in capitals":        {open, "A.TEST", true},
		"its own with the root dot":  {open, "a.test.", true},
		"one that asks the same":     {open, "b.test", true},
		"one that requires":          {open, "closed.test", false},
		"in capitals":                {open, "CLOSED.test:8443", false},
		"with the root dot":          {open, "closed.test.", false},
		"under its wildcard":         {open, "x.closed.test", false},
		"one that asks":              {open, "asked.test", false},
		"unknown":                    {open, "unknown.test", false},
		"an IPv6 address":            {closed, "[::1]:443", true},
		"an IPv6 address, open":      {open, "[::1]", false},
		"an IPv6 address at length":  {closed, "[0:0:0:0:0:0:0:1]", false},
		"an IPv6 address bare":       {closed, "::1", false},
		"an IPv6 address and more":   {closed, "[::1]x", false},
		"half an IPv6 address":       {closed, "[::1", false},
		"no host at all":             {open, "", false},
		"no host but bytes":          {open, "a.test\x00", false},
		"a port that is none":        {open, "a.test:x", false},
		"shown, its own":             {closed, "closed.test", true},
		"shown, under its wildcard":  {closed, "x.closed.test", true},
		"shown, the same authority":  {closed, "twin.test", true},
		"shown, another authority":   {closed, "other.test", false},
		"shown, one that asks none":  {closed, "a.test", false},
		"without SNI, by address":    {nameless, "127.0.0.1", true},
		"without SNI, one that asks": {nameless, "closed.test", false},
		"asked and declined":         {asked, "asked.test", true},
		"asked, one that requires":   {asked, "closed.test", false},
		"the zero Conn":              {certs.Conn{}, "a.test", false},
	}
}

// serverState makes a handshake in memory and returns the server's view of it.
func serverState(t *testing.T, m *certs.Manager, c *tls.Config) *tls.ConnectionState {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	done := make(chan error, 1)
	go func() {
		d := tls.Dialer{Config: c, NetDialer: &net.Dialer{Timeout: 10 * time.Second}}
		conn, err := d.Dial("tcp", l.Addr().String())
		if err == nil {
			_, err = io.ReadAll(conn)
			conn.Close()
		}
		done <- err
	}()
	raw, err := l.Accept()
	require.NoError(t, err)
	server := tls.Server(raw, m.TLSConfig("http/1.1"))
	raw.SetDeadline(time.Now().Add(10 * time.Second))
	require.NoError(t, server.HandshakeContext(t.Context()))
	state := server.ConnectionState()
	server.Close()
	require.NoError(t, <-done)
	return &state
}
