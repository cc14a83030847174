package edge_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/wedge-lb/wedge/edge/http1/http1test"
)

// hardened are the cases that ask for more than the RFCs do and on which the edge decided otherwise, with the
// reason.
var hardened = map[string]string{}

// origin is a strict backend that records what reaches it.
type origin struct {
	*http1test.Origin
	address net.Addr
}

func newOrigin(t *testing.T) *origin {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	o := &origin{http1test.NewOrigin(l), l.Addr()}
	t.Cleanup(o.Close)
	return o
}

// attacked is an edge in front of o for a site.
func attacked(t *testing.T, o *origin, hosts, tls string) *running {
	t.Helper()
	return start(t, fmt.Sprintf(`logging: { access: { format: "off" } }
sites:
  - { hosts: [%q], tls: %s, to: ["http://%s"] }
`, hosts, tls, o.address))
}

// The corpus of attacks on HTTP/1.1, through a whole edge.
func TestNoAttackOfTheCorpusPasses(t *testing.T) {
	cases, err := http1test.Load("../testdata/http1/http1_cases.json")
	require.NoError(t, err)
	const lanes = 12
	problems := make([][]string, len(cases))
	var wg sync.WaitGroup
	for lane := range lanes {
		o := newOrigin(t)
		proxy := strings.TrimPrefix(attacked(t, o, "*", "off").url("plain"), "http://")
		wg.Go(func() {
			for i := lane; i < len(cases); i += lanes {
				problems[i] = cases[i].Play(proxy, o.Origin)
			}
		})
	}
	wg.Wait()
	failed := map[string]int{}
	for i, c := range cases {
		reason := hardened[c.Name]
		switch {
		case len(problems[i]) == 0:
			assert.Empty(t, reason, "%s passes: it needs no reason any more", c.Name)
			continue
		case c.Level == "hardening" && reason != "":
			t.Logf("%s: %s, because %s", c.Name, problems[i], reason)
		default:
			t.Errorf("%s %s: %s (%s)", c.Level, c.Name, strings.Join(problems[i], "; "), c.Why)
		}
		failed[c.Level]++
	}
	t.Logf("%d cases; failed: must %d, control %d, hardening %d", len(cases),
		failed["must"], failed["control"], failed["hardening"])
}

// way is a connection on which HTTP/1.1 is spoken.
type way struct {
	name string
	dial func(t *testing.T) net.Conn
}

func h1Ways(r *running) []way {
	return []way{
		{"plain", func(t *testing.T) net.Conn {
			c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", r.Port("http")))
			require.NoError(t, err)
			return c
		}},
		{"TLS", func(t *testing.T) net.Conn {
			roots := x509.NewCertPool()
			roots.AppendCertsFromPEM(r.RootPEM())
			conf := &tls.Config{RootCAs: roots, ServerName: "lb.test", NextProtos: []string{"http/1.1"}}
			c, err := tls.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", r.Port("https")), conf)
			require.NoError(t, err)
			return c
		}},
	}
}

func TestThereIsNoH2WithoutALPN(t *testing.T) {
	o := newOrigin(t)
	r := start(t, fmt.Sprintf(`sites:
  - { hosts: [lb.test], to: ["http://%s"] }
  - { hosts: [plain.test], tls: off, to: ["http://%s"] }
`, o.address, o.address))
	for _, w := range h1Ways(r) {
		host := map[string]string{"plain": "plain.test", "TLS": "lb.test"}[w.name]
		t.Run(w.name+", upgrade", func(t *testing.T) {
			o.Reset()
			got := exchange(t, w.dial(t), "GET / HTTP/1.1\r\nHost: "+host+"\r\n"+
				"Connection: Upgrade, HTTP2-Settings, close\r\nUpgrade: h2c\r\n"+
				"HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\n")
			assert.Regexp(t, `^HTTP/1\.1 (200|400) `, got, "no 101")
			raw := strings.ToLower(string(o.Seen().Raw))
			assert.NotContains(t, raw, "h2c")
			assert.NotContains(t, raw, "http2-settings")
		})
		t.Run(w.name+", prior knowledge", func(t *testing.T) {
			o.Reset()
			var request bytes.Buffer
			request.WriteString(http2.ClientPreface)
			f := http2.NewFramer(&request, nil)
			require.NoError(t, f.WriteSettings())
			var block bytes.Buffer
			e := hpack.NewEncoder(&block)
			for _, field := range good(":scheme", "http", ":authority", host) {
				require.NoError(t, e.WriteField(hpack.HeaderField{Name: field[0], Value: field[1]}))
			}
			require.NoError(t, f.WriteHeaders(http2.HeadersFrameParam{
				StreamID: 1, BlockFragment: block.Bytes(), EndStream: true, EndHeaders: true}))
			got := exchange(t, w.dial(t), request.String())
			assert.Regexp(t, `^HTTP/1\.1 (400|505) `, got, "no frame of HTTP/2")
			assert.Equal(t, 1, strings.Count(got, "HTTP/1.1 "), "one answer")
			assert.Empty(t, o.Seen().Raw, "the backend saw nothing")
		})
	}
}

// exchange sends bytes and reads until the edge closes.
func exchange(t *testing.T, c net.Conn, request string) string {
	t.Helper()
	defer c.Close()
	require.NoError(t, c.SetDeadline(time.Now().Add(10*time.Second)))
	_, err := io.WriteString(c, request)
	require.NoError(t, err)
	got, err := io.ReadAll(c)
	var late net.Error
	require.False(t, errors.As(err, &late) && late.Timeout(), "the edge keeps the connection")
	return string(got)
}
