package listen_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedge-lb/wedge/edge/listen"
	"github.com/wedge-lb/wedge/edge/proxy"
	"github.com/wedge-lb/wedge/edge/proxyproto"
)

// proxies has the edge believe, or not, what the test's connections say.
func proxies(mode listen.ProxyMode, trusted ...string) func(*listen.Options) {
	return func(o *listen.Options) {
		o.Proxies.Mode = mode
		for _, t := range trusted {
			o.Proxies.Trusted = append(o.Proxies.Trusted, netip.MustParsePrefix(t))
		}
	}
}

const (
	loopback = "127.0.0.0/8"
	version1 = "PROXY TCP4 192.0.2.1 192.0.2.2 1234 443\r\n"
	ourself  = "127.0.0.1"
)

var version2 = string(proxyproto.Append(nil, proxyproto.Header{
	Source: netip.MustParseAddrPort("[2001:db8::1]:1234"), Destination: netip.MustParseAddrPort("[::1]:443"),
}))

var local2 = version2[:12] + "\x20\x00\x00\x00"

// sayPeer answers with the address that the connection is from.
func sayPeer(x *proxy.Exchange) { answer(x, 200, x.Peer.Addr().String()) }

// ask sends what comes first and then a request by one protocol, and gives the answer's body; "" if there is
// none.
func (e *edge) ask(t *testing.T, protocol, first string) string {
	t.Helper()
	address := e.secure
	if protocol == "plain" {
		address = e.plain
	}
	tr := &http.Transport{TLSClientConfig: e.clientTLS(), ForceAttemptHTTP2: protocol == "h2"}
	tr.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
		c, err := new(net.Dialer).DialContext(ctx, "tcp", address)
		if err == nil {
			_, err = io.WriteString(c, first)
		}
		return c, err
	}
	defer tr.CloseIdleConnections()
	scheme := "https://"
	if protocol == "plain" {
		scheme = "http://"
	}
	a, err := (&http.Client{Transport: tr, Timeout: soon}).Get(scheme + address)
	if err != nil {
		return ""
	}
	if a.StatusCode != http.StatusOK {
		return a.Status
	}
	if protocol == "h2" {
		assert.Equal(t, 2, a.ProtoMajor)
	}
	return readAll(t, a)
}

func TestAProxyHeaderIsTakenFromTrustedPeersOnly(t *testing.T) {
	t.Parallel()
	const refused = "" // 400 to a request, no answer to a handshake
	for name, tt := range map[string]struct {
		mode    listen.ProxyMode
		trusted string
		first   string
		want    string
	}{
		"off: none":                     {listen.ProxyOff, loopback, "", ourself},
		"off: version 1":                {listen.ProxyOff, loopback, version1, refused},
		"off: version 2":                {listen.ProxyOff, loopback, version2, refused},
		"optional: none":                {listen.ProxyOptional, loopback, "", ourself},
		"optional: version 1":           {listen.ProxyOptional, loopback, version1, "192.0.2.1"},
		"optional: version 2":           {listen.ProxyOptional, loopback, version2, "2001:db8::1"},
		"optional: a bad one":           {listen.ProxyOptional, loopback, "PROXY TCP5 a b 1 2\r\n", refused},
		"optional, not trusted: none":   {listen.ProxyOptional, "10.0.0.0/8", "", ourself},
		"optional, not trusted: 1":      {listen.ProxyOptional, "10.0.0.0/8", version1, refused},
		"optional, not trusted: 2":      {listen.ProxyOptional, "10.0.0.0/8", version2, refused},
		"required: none":                {listen.ProxyRequired, loopback, "", refused},
		"required: version 1":           {listen.ProxyRequired, loopback, version1, "192.0.2.1"},
		"required: version 2":           {listen.ProxyRequired, loopback, version2, "2001:db8::1"},
		"required: UNKNOWN":             {listen.ProxyRequired, loopback, "PROXY UNKNOWN\r\n", ourself},
		"required: LOCAL":               {listen.ProxyRequired, loopback, local2, ourself},
		"required: a second header":     {listen.ProxyRequired, loopback, version1 + version1, refused},
		"required, not trusted: a good": {listen.ProxyRequired, "10.0.0.0/8", version1, refused},
		"required, not trusted: none":   {listen.ProxyRequired, "10.0.0.0/8", "", refused},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := start(t, sayPeer, proxies(tt.mode, tt.trusted))
			for _, protocol := range []string{"plain", "h1", "h2"} {
				got := e.ask(t, protocol, tt.first)
				if got == "400 Bad Request" && protocol == "plain" {
					got = refused
				}
				assert.Equal(t, tt.want, got, protocol)
			}
		})
	}
}

func TestAnUntrustedPeersHeaderIsABadRequest(t *testing.T) {
	t.Parallel()
	e := start(t, sayPeer, proxies(listen.ProxyOptional, "10.0.0.0/8"))
	for _, first := range []string{version1, version2} {
		c := e.dial()
		write(t, c, first+"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
		assert.Contains(t, within(t, c, 0), "400 Bad Request", "%q", first)
	}
	assert.Zero(t, e.server.Stats().ProxyErrors)
}

func TestAHeaderMayComeInPartsAndWithWhatFollows(t *testing.T) {
	t.Parallel()
	const request = "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
	e := start(t, sayPeer, proxies(listen.ProxyOptional, loopback))
	for name, parts := range map[string][]string{
		"version 1, byte by byte": strings.Split(version1+request, ""),
		"version 2, byte by byte": strings.Split(version2, ""),
		"all at once":             {version1 + request},
		"the request is cut":      {version2 + "GET / HT", "TP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"},
		"PRO, then a request":     {"P", "ROPFIND / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"},
	} {
		t.Run(name, func(t *testing.T) {
			c := e.dial()
			require.NoError(t, c.SetNoDelay(true))
			for _, part := range parts {
				write(t, c, part)
			}
			if strings.HasPrefix(name, "version 2,") {
				write(t, c, request)
			}
			want := "192.0.2.1"
			switch {
			case strings.HasPrefix(parts[0], "\r"):
				want = "2001:db8::1"
			case name == "PRO, then a request":
				want = ourself
			}
			a, err := http.ReadResponse(bufio.NewReader(c), nil)
			require.NoError(t, err)
			assert.Equal(t, want, readAll(t, a))
		})
	}
}

func TestAPipelineBehindAHeaderIsServedWhole(t *testing.T) {
	t.Parallel()
	e := start(t, sayPeer, proxies(listen.ProxyRequired, loopback))
	c := e.dial()
	write(t, c, version1+strings.Repeat("GET / HTTP/1.1\r\nHost: h\r\n\r\n", 100))
	r := bufio.NewReader(c)
	for range 100 {
		a, err := http.ReadResponse(r, nil)
		require.NoError(t, err)
		require.Equal(t, "192.0.2.1", readAll(t, a))
	}
}

func TestAHandshakeBehindAHeaderMayComeWithIt(t *testing.T) {
	t.Parallel()
	e := start(t, sayPeer, proxies(listen.ProxyRequired, loopback))
	raw, err := net.Dial("tcp", e.secure)
	require.NoError(t, err)
	c := tls.Client(&prefixed{Conn: raw, prefix: version2}, e.clientTLS("http/1.1"))
	defer c.Close()
	require.NoError(t, c.SetDeadline(time.Now().Add(soon)))
	write(t, c, "GET / HTTP/1.1\r\nHost: edge.test\r\n\r\n")
	a, err := http.ReadResponse(bufio.NewReader(c), nil)
	require.NoError(t, err)
	assert.Equal(t, "2001:db8::1", readAll(t, a))
}

// prefixed sends something in one piece with what is written first.
type prefixed struct {
	net.Conn
	prefix string
}

func (p *prefixed) Write(b []byte) (int, error) {
	n, err := p.Conn.Write(append([]byte(p.prefix), b...))
	n = max(n-len(p.prefix), 0)
	p.prefix = ""
	return n, err
}

func TestAPeerThatSaysNothingIsGivenTheTimeOfAHandshake(t *testing.T) {
	t.Parallel()
	for name, mode := range map[string]listen.ProxyMode{
		"optional": listen.ProxyOptional, "required": listen.ProxyRequired,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := start(t, sayPeer, proxies(mode, loopback), limits(func(l *listen.Limits) {
				l.HandshakeTimeout = 500 * time.Millisecond
			}))
			secure, err := net.Dial("tcp", e.secure)
			require.NoError(t, err)
			defer secure.Close()
			conns := map[string]net.Conn{"plain": e.dial(), "a part": e.dial(), "TLS": secure}
			write(t, conns["a part"], version1[:20])
			for name, c := range conns {
				assert.Empty(t, within(t, c, 0), name)
			}
			assert.EqualValues(t, 3, e.server.Stats().ProxyErrors)
			require.Eventually(t, func() bool { return e.server.Stats().OpenPlain == 0 }, soon, time.Millisecond)
		})
	}
}

func TestAHeaderThatEndsTooSoonIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	e := start(t, sayPeer, proxies(listen.ProxyRequired, loopback),
		limits(func(l *listen.Limits) { l.HandshakeTimeout = time.Hour }))
	for _, part := range []string{"", "P", version1[:20], version2[:20]} {
		c := e.dial()
		write(t, c, part)
		require.NoError(t, c.CloseWrite())
		assert.Empty(t, within(t, c, 0), "%q", part)
	}
	c := e.dial()
	write(t, c, version1+"GET / HTTP/1.0\r\nHost: h\r\n\r\n")
	require.NoError(t, c.CloseWrite())
	assert.Contains(t, within(t, c, 0), "192.0.2.1", "a whole one with the end is good")
}

func TestTheLimitOfAnAddressIsThatOfTheAnnouncedOne(t *testing.T) {
	t.Parallel()
	e := start(t, sayPeer, proxies(listen.ProxyRequired, loopback),
		limits(func(l *listen.Limits) { l.ConnectionsPerAddress = 2; l.Connections = 5 }))
	const request = "GET / HTTP/1.1\r\nHost: h\r\n\r\n"
	open := func(first string) (net.Conn, bool) {
		c := e.dial()
		write(t, c, first+request)
		a, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			return c, false
		}
		readAll(t, a)
		return c, true
	}
	_, ok := open(version1)
	require.True(t, ok)
	second, ok := open(version1)
	require.True(t, ok)
	_, ok = open(version1)
	assert.False(t, ok, "the third of one client")
	_, ok = open(version2)
	require.True(t, ok, "another client")
	_, ok = open("PROXY UNKNOWN\r\n")
	require.True(t, ok, "the proxy itself")
	second.Close()
	require.Eventually(t, func() bool { _, ok := open(version1); return ok }, soon, 10*time.Millisecond)
	_, ok = open(version2)
	require.True(t, ok, "five in all")
	_, ok = open("PROXY TCP4 192.0.2.9 192.0.2.2 1234 443\r\n")
	assert.False(t, ok, "the sixth in all")
}

func TestHeadersThatAreLongInComingGiveWay(t *testing.T) {
	t.Parallel()
	e := start(t, sayPeer, proxies(listen.ProxyRequired, loopback), limits(func(l *listen.Limits) {
		l.Handshakes = 3
		l.HandshakeTimeout = time.Hour
	}))
	oldest := e.dial()
	require.Eventually(t, func() bool { return e.server.Stats().OpenPlain == 1 }, soon, time.Millisecond)
	for range 3 {
		e.dial()
	}
	assert.Empty(t, within(t, oldest, 0))
	assert.Equal(t, "192.0.2.1", e.ask(t, "plain", version1))
}

func TestAHeaderThatWasRefusedIsNoHandshakeInProgress(t *testing.T) {
	t.Parallel()
	e := start(t, sayPeer, proxies(listen.ProxyRequired, loopback), limits(func(l *listen.Limits) {
		l.Handshakes = 2
		l.HandshakeTimeout = time.Hour
	}))
	slow := e.dial()
	write(t, slow, version1[:20])
	require.Eventually(t, func() bool { return e.server.Stats().OpenPlain == 1 }, soon, time.Millisecond)
	for range 5 {
		assert.Empty(t, e.ask(t, "h1", "PROXY nonsense\r\n"))
		assert.Equal(t, "192.0.2.1", e.ask(t, "h1", version1))
	}
	write(t, slow, version1[20:]+"GET / HTTP/1.0\r\nHost: h\r\n\r\n")
	assert.Contains(t, within(t, slow, 0), "192.0.2.1")
}

func TestProxiesMayChangeWhileConnectionsAreServed(t *testing.T) {
	t.Parallel()
	e := start(t, sayPeer)
	assert.Equal(t, "400 Bad Request", e.ask(t, "plain", version1))
	e.server.SetProxies(listen.Proxies{Mode: listen.ProxyRequired,
		Trusted: []netip.Prefix{netip.MustParsePrefix(loopback)}})
	assert.Equal(t, "192.0.2.1", e.ask(t, "plain", version1))
	e.server.SetProxies(listen.Proxies{})
	assert.Equal(t, ourself, e.ask(t, "plain", ""))
}
