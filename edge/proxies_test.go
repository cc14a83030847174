package edge_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	pires "github.com/pires/go-proxyproto"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedge-lb/wedge/edge/proxyproto"
)

// behind makes a client's connections begin with a PROXY header, as a proxy before the edge would.
func behind(c *http.Client, header string) *http.Client {
	tr := c.Transport.(*http.Transport)
	dial := tr.DialContext
	tr.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		if err == nil {
			_, err = io.WriteString(conn, header)
		}
		return conn, err
	}
	return c
}

// from2 is a header of version 2 from an address.
func from2(source string) string {
	return string(proxyproto.Append(nil, proxyproto.Header{Source: netip.MustParseAddrPort(source),
		Destination: netip.MustParseAddrPort("203.0.113.1:443")}))
}

const required = trusting + "  proxy_protocol: required\n"

func TestAnAnnouncedClientIsWhatEverybodySees(t *testing.T) {
	b := backend(t, func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, r.Header.Get("X-Forwarded-For")+"|"+r.Header.Get("Forwarded"))
	})
	r := startWith(t, "  drain_timeout: 5s\n", required, alone(b.URL, ""))
	for _, p := range []string{"plain", "h1", "h2"} {
		t.Run(p, func(t *testing.T) {
			stranger := behind(r.client(p), "PROXY TCP4 192.0.2.1 203.0.113.1 1234 443\r\n")
			got := asker(t, stranger, "GET", r.url(p), "X-Forwarded-For", "6.6.6.6", "Forwarded", "for=6.6.6.6")
			assert.Contains(t, got, "192.0.2.1|for=192.0.2.1;host=", "its own words are not believed")
			assert.NotContains(t, got, "6.6.6.6")
			proxy := behind(r.client(p), from2("127.0.0.1:1234"))
			got = asker(t, proxy, "GET", r.url(p), "X-Forwarded-For", "192.0.2.2")
			assert.Contains(t, got, "192.0.2.2, 127.0.0.1|", "those of a trusted proxy behind the proxy are")
			v6 := behind(r.client(p), from2("[2001:db8::1]:1234"))
			assert.Contains(t, asker(t, v6, "GET", r.url(p)), `2001:db8::1|for="[2001:db8::1]";`)
			_, err := r.client(p).Get(r.url(p))
			assert.Error(t, err, "no header")
		})
	}
	assert.Contains(t, asker(t, r.client("h3"), "GET", r.url("h3")), "127.0.0.1|", "QUIC has no header")
	require.Eventually(t, func() bool { return strings.Contains(r.log.String(), `"client_ip":"192.0.2.1"`) },
		20*time.Second, time.Millisecond, "the access log")
	assert.Contains(t, r.log.String(), "PROXY header refused")
}

// Forwarded and X-Forwarded-For tell backends the same chain, and what is malformed hides nothing of it.
func TestForwardingFieldsAgree(t *testing.T) {
	b := backend(t, func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, r.Header.Get("X-Forwarded-For")+"|"+r.Header.Get("Forwarded"))
	})
	r := startWith(t, "  drain_timeout: 5s\n", trusting, alone(b.URL, ""))
	for _, p := range protocols {
		c, host := r.client(p), strings.SplitN(r.url(p), "//", 2)[1]
		own := "for=127.0.0.1;host=\"" + host + "\";proto=" + strings.SplitN(r.url(p), ":", 2)[0]
		for _, tt := range [][3]string{
			{"Forwarded", "for=1.2.3.4, for=10.1.1.1", "1.2.3.4, 10.1.1.1, 127.0.0.1|for=1.2.3.4, for=10.1.1.1, "},
			{"X-Forwarded-For", "1.2.3.4, ::1", `1.2.3.4, ::1, 127.0.0.1|for=1.2.3.4, for="[::1]", `},
			{"Forwarded", `for=6.6.6.6, for="1.2.3.4`, "127.0.0.1|"},
		} {
			assert.Equal(t, tt[2]+own, asker(t, c, "GET", r.url(p), tt[0], tt[1]), p)
		}
	}
}

// alone is a configuration with one backend and what its pool says of upstream and health.
func alone(url, more string) string {
	return "pools: { p: { strategy: fallback, backends: [{ url: \"" + url + "\" }]" + more + ` } }
sites:
  - { hosts: [localhost], routes: [{ pool: p }] }
  - { hosts: ["127.0.0.1"], tls: off, routes: [{ pool: p }] }
`
}

func TestAReloadChangesWhoIsBelieved(t *testing.T) {
	_, yaml := named(t, 1)
	r := start(t, pool(yaml, "builtin/stateless", "{}"))
	header := from2("192.0.2.1:1")
	ask := func(p, header string) error {
		a, err := behind(r.client(p), header).Get(r.url(p))
		if err != nil {
			return err
		}
		defer a.Body.Close()
		if a.StatusCode != 200 {
			return io.ErrUnexpectedEOF
		}
		return nil
	}
	for _, p := range []string{"plain", "h1", "h2"} {
		require.NoError(t, ask(p, ""))
		require.Error(t, ask(p, header))
	}
	r.rewrite("  drain_timeout: 5s\n", required)
	require.NoError(t, r.Reload(t.Context()))
	for _, p := range []string{"plain", "h1", "h2"} {
		assert.NoError(t, ask(p, header))
		assert.Error(t, ask(p, ""))
	}
	r.rewrite("proxy_protocol: required", "proxy_protocol: optional")
	require.NoError(t, r.Reload(t.Context()))
	for _, p := range []string{"plain", "h1", "h2"} {
		assert.NoError(t, ask(p, header))
		assert.NoError(t, ask(p, ""))
	}
}

// A told is a backend that wants a PROXY header and answers with what it says.
type told struct {
	url    string
	locals atomic.Int64 // connections of the edge's own
	conns  atomic.Int64
}

func newTold(t *testing.T) *told {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	b := &told{url: "http://" + ln.Addr().String()}
	in := &pires.Listener{Listener: ln, ValidateHeader: func(h *pires.Header) error {
		if b.conns.Add(1); h.Command.IsLocal() {
			b.locals.Add(1)
		}
		return nil
	}, ConnPolicy: func(pires.ConnPolicyOptions) (pires.Policy, error) { return pires.REQUIRE, nil }}
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		to := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
		io.WriteString(w, r.RemoteAddr+" "+to.String())
	})}
	var serving sync.WaitGroup
	serving.Go(func() { s.Serve(in) })
	t.Cleanup(func() { s.Close(); serving.Wait() })
	return b
}

const announcing = ", upstream: { proxy_protocol: v2 }, health: { active: { interval: 20ms } }"

func TestABackendIsToldItsClients(t *testing.T) {
	b := newTold(t)
	r := startWith(t, "  drain_timeout: 5s\n", trusting, alone(b.url, announcing))
	for _, p := range protocols {
		t.Run(p, func(t *testing.T) {
			c := r.client(p)
			peer, to := ends(t, asker(t, c, "GET", r.url(p)))
			assert.Equal(t, "127.0.0.1", peer.Addr().String())
			assert.NotZero(t, peer.Port())
			assert.Equal(t, "127.0.0.1", to.Addr().String())
			name := map[bool]string{true: "http", false: "https"}[p == "plain"]
			assert.EqualValues(t, r.Port(name), to.Port(), "what the client connected to")
			for _, client := range []string{"192.0.2.1", "192.0.2.2", "2001:db8::1"} {
				seen, _ := ends(t, asker(t, c, "GET", r.url(p), "X-Forwarded-For", client))
				assert.Equal(t, netip.AddrPortFrom(netip.MustParseAddr(client), 0), seen)
			}
		})
	}
	require.Eventually(t, func() bool { return b.locals.Load() > 3 }, 20*time.Second, time.Millisecond, "probes")
	assert.EqualValues(t, 4*len(protocols), b.conns.Load()-b.locals.Load(), "one connection a request")
	assert.NotContains(t, r.log.String(), "backend health")
}

// ends are the two addresses that a told backend answers with.
func ends(t *testing.T, body string) (from, to netip.AddrPort) {
	t.Helper()
	first, second, _ := strings.Cut(body, " ")
	from, err := netip.ParseAddrPort(first)
	require.NoError(t, err)
	to, err = netip.ParseAddrPort(second)
	require.NoError(t, err)
	return from, to
}

// From one edge to the next: what the first announces the second believes.
func TestTwoEdgesInARowKnowTheClient(t *testing.T) {
	b := backend(t, func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, r.Header.Get("X-Forwarded-For"))
	})
	plain := strings.Replace(alone(b.URL, ""), `["127.0.0.1"]`, `["*"]`, 1)
	plain = strings.Replace(plain, "[localhost]", "[other.test]", 1)
	inner := startWith(t, "  drain_timeout: 5s\n", required, plain)
	outer := startWith(t, "  drain_timeout: 5s\n", trusting,
		alone(inner.url("plain"), ", upstream: { proxy_protocol: v2 }"))
	for _, p := range protocols {
		got := asker(t, outer.client(p), "GET", outer.url(p), "X-Forwarded-For", "192.0.2.1")
		assert.Equal(t, "192.0.2.1", got, p)
	}
}
