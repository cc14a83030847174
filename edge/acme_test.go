package edge_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"github.com/letsencrypt/pebble/v2/ca"
	"github.com/letsencrypt/pebble/v2/db"
	"github.com/letsencrypt/pebble/v2/va"
	"github.com/letsencrypt/pebble/v2/wfe"
	"github.com/miekg/dns"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedge-lb/wedge/edge"
)

// pebble is Let's Encrypt's test authority in this process.
type pebble struct {
	t         *testing.T
	server    *httptest.Server
	ready     chan struct{} // closed by validate
	front     http.Handler
	authority *ca.CAImpl
	rootFile  string
	orders    atomic.Int64
}

// newPebble starts an authority that answers nothing until validate.
func newPebble(t *testing.T) *pebble {
	t.Helper()
	t.Setenv("PEBBLE_VA_NOSLEEP", "1")
	p := &pebble{t: t, ready: make(chan struct{})}
	p.server = httptest.NewTLSServer(p)
	t.Cleanup(p.server.Close)
	p.rootFile = filepath.Join(t.TempDir(), "pebble.pem")
	root := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.server.Certificate().Raw})
	require.NoError(t, os.WriteFile(p.rootFile, root, 0o600))
	return p
}

// validate lets p validate names, all of which it finds on loopback, at those ports.
func (p *pebble) validate(http, https int) {
	p.t.Helper()
	quiet := log.New(io.Discard, "", 0)
	store := db.NewMemoryStore()
	profiles := map[string]ca.Profile{"default": {Description: "default"}}
	p.authority = ca.New(quiet, store, "", "ecdsa", 0, 1, profiles)
	validator := va.New(quiet, http, https, false, loopbackDNS(p.t), store)
	p.t.Cleanup(func() { // it has no way to be stopped but to take its queue away
		queue := reflect.ValueOf(validator).Elem().FieldByName("tasks")
		reflect.NewAt(queue.Type(), unsafe.Pointer(queue.UnsafeAddr())).Elem().Close()
	})
	front := wfe.New(quiet, store, validator, p.authority, nil, false, false, 0, 0)
	p.front = front.Handler()
	close(p.ready)
}

func (p *pebble) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	select {
	case <-p.ready:
	case <-r.Context().Done():
		return
	}
	if r.URL.Path == "/order-plz" {
		p.orders.Add(1)
	}
	p.front.ServeHTTP(w, r)
}

func (p *pebble) roots() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(p.authority.GetRootCert(0).PEM())
	return pool
}

// loopbackDNS answers that every name is 127.0.0.1.
func loopbackDNS(t *testing.T) (address string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	started := make(chan struct{})
	s := &dns.Server{Listener: l, NotifyStartedFunc: func() { close(started) },
		Handler: dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
			a := new(dns.Msg).SetReply(q)
			if q.Question[0].Qtype == dns.TypeA {
				head := dns.RR_Header{Name: q.Question[0].Name, Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: 1}
				a.Answer = []dns.RR{&dns.A{Hdr: head, A: net.IPv4(127, 0, 0, 1)}}
			}
			w.WriteMsg(a)
		})}
	var wg sync.WaitGroup
	wg.Go(func() { s.ActivateAndServe() })
	<-started
	t.Cleanup(func() {
		s.Shutdown()
		wg.Wait()
	})
	return l.Addr().String()
}

// startIn is start with the whole text of a configuration and a state directory that may have been used.
func startIn(t *testing.T, dir, text string) *running {
	t.Helper()
	r := &running{t: t, dir: dir, text: text, log: &syncBuffer{}, ended: make(chan error, 1)}
	conf, err := r.config()
	require.NoError(t, err)
	logger := slog.New(slog.NewTextHandler(r.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	r.Server, err = edge.New(conf, edge.Options{Logger: logger, Load: r.config, PluginCache: cache})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	r.stop = cancel
	go func() { r.ended <- r.Run(ctx) }()
	t.Cleanup(r.close)
	select {
	case <-r.Ready():
	case <-time.After(30 * time.Second):
		require.FailNow(t, "the edge was not ready in time", r.log.String())
	}
	return r
}

// finish ends r before the test does.
func (r *running) finish() {
	r.stop()
	err := <-r.ended
	r.ended <- nil
	require.NoError(r.t, err)
}

// ports are those that an authority validates at.
func (r *running) ports() (http, https int) { return r.Port("http"), r.Port("https") }

func acmeConfig(p *pebble, challenge, backends string) string {
	return fmt.Sprintf(`version: 1
state_dir: "STATE"
server:
  listen: { http: "127.0.0.1:0", https: "127.0.0.1:0" }
  drain_timeout: 5s
logging: { access: { format: "off" } }
tls: { ca: "%s/dir", ca_root: %q, email: ops@shop.test, challenges: [%s] }
pools:
  p:
    backends:
%ssites:
  - { hosts: [shop.test, www.shop.test], routes: [{ pool: p }] }
`, p.server.URL, p.rootFile, challenge, backends)
}

func TestACertificateFromAnAuthorityServesEveryProtocol(t *testing.T) {
	for _, challenge := range []string{"http-01", "tls-alpn-01"} {
		t.Run(challenge, func(t *testing.T) {
			p := newPebble(t)
			_, yaml := named(t, 1)
			dir, text := t.TempDir(), acmeConfig(p, challenge, yaml)
			r := startIn(t, dir, text)
			p.validate(r.ports())
			first := map[string]*x509.Certificate{}
			for _, host := range []string{"shop.test", "www.shop.test"} {
				first[host] = r.obtained(t, p, host)
			}
			assertServes(t, r, p)
			orders := p.orders.Load()
			assert.GreaterOrEqual(t, orders, int64(2), "one for each host; a validator late to know the ports costs more")
			assert.LessOrEqual(t, orders, int64(4))
			assertNoOrderForStrangers(t, r, p)
			r.finish()

			again := startIn(t, dir, text)
			for host, want := range first {
				got, err := again.leaf(p, host)
				require.NoError(t, err, "served at once")
				assert.True(t, want.Equal(got), host)
			}
			assertServes(t, again, p)
			assert.Equal(t, orders, p.orders.Load(), "a restart orders nothing")
		})
	}
}

// obtained waits for the certificate of host and gives it.
func (r *running) obtained(t *testing.T, p *pebble, host string) (leaf *x509.Certificate) {
	t.Helper()
	require.Eventually(t, func() bool {
		var err error
		leaf, err = r.leaf(p, host)
		return err == nil
	}, 30*time.Second, 20*time.Millisecond, r.log.String())
	return leaf
}

// leaf is the certificate that a handshake for host shows, if it is valid.
func (r *running) leaf(p *pebble, host string) (*x509.Certificate, error) {
	conf := &tls.Config{ServerName: host, RootCAs: p.roots()}
	c, err := tls.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", r.Port("https")), conf)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	return c.ConnectionState().PeerCertificates[0], nil
}

func assertServes(t *testing.T, r *running, p *pebble) {
	t.Helper()
	for i, protocol := range secure {
		resp, err := r.guest(protocol, &tls.Config{RootCAs: p.roots()}).Get("https://www.shop.test/")
		require.NoError(t, err, protocol)
		body, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		resp.Body.Close()
		assert.Equal(t, 200, resp.StatusCode, protocol)
		assert.Equal(t, i+1, resp.ProtoMajor, protocol)
		assert.Equal(t, "b0", string(body), protocol)
	}
}

// assertNoOrderForStrangers asks for hosts that no site has, on every way in.
func assertNoOrderForStrangers(t *testing.T, r *running, p *pebble) {
	t.Helper()
	before := p.orders.Load()
	for _, host := range []string{"unknown.test", "a.shop.test", "shop.test.unknown.test", "127.0.0.1"} {
		for _, protocol := range secure {
			_, err := r.guest(protocol, &tls.Config{RootCAs: p.roots()}).ask(host, host)
			assert.Error(t, err, "%s over %s", host, protocol)
		}
		req, err := http.NewRequest("GET", r.url("plain")+"/.well-known/acme-challenge/token", nil)
		require.NoError(t, err)
		req.Host = host
		resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
		require.NoError(t, err)
		resp.Body.Close()
		assert.Equal(t, 404, resp.StatusCode, host)
	}
	assert.Equal(t, before, p.orders.Load())
}

func TestPlainRequestsOfAHostWithACertificateAreRedirected(t *testing.T) {
	p := newPebble(t)
	_, yaml := named(t, 1)
	r := startIn(t, t.TempDir(), acmeConfig(p, "http-01", yaml))
	p.validate(r.ports())
	r.obtained(t, p, "shop.test")
	req, err := http.NewRequest("GET", r.url("plain")+"/a?b", nil)
	require.NoError(t, err)
	req.Host = "shop.test"
	resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
	require.NoError(t, err)
	resp.Body.Close()
	assert.Equal(t, 308, resp.StatusCode)
	assert.Equal(t, fmt.Sprintf("https://shop.test:%d/a?b", r.Port("https")), resp.Header.Get("Location"))
}

// What the configuration says of the authority is checked before anything is served.
func TestAnUnreadableRootOfTheAuthorityIsRefused(t *testing.T) {
	p := newPebble(t)
	_, yaml := named(t, 1)
	text := strings.Replace(acmeConfig(p, "http-01", yaml), p.rootFile, "/nowhere.pem", 1)
	assertPlaced(t, refusal(t, text), text, "/nowhere.pem")
}
