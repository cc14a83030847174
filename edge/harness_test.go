package edge_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/wedge-lb/wedge/edge"
	"github.com/wedge-lb/wedge/edge/config"
)

// cache keeps compiled plugins between the edges of one run.
var cache string

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == compilePlugin {
		if err := edge.CompilePlugin(os.Args[2:], os.Stdin, os.Stdout); err != nil {
			panic(err)
		}
		return
	}
	var err error
	if cache, err = os.MkdirTemp("", "wedge-plugins-"); err != nil {
		panic(err)
	}
	code := m.Run()
	os.RemoveAll(cache)
	if code == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

const compilePlugin = "compile-plugin"

// compiler makes this program the child that compiles plugins.
func compiler(t testing.TB) []string {
	t.Helper()
	if raced {
		return nil
	}
	self, err := os.Executable()
	require.NoError(t, err)
	return []string{self, compilePlugin}
}

// running is an edge under test.
type running struct {
	*edge.Server
	t     *testing.T
	dir   string
	log   *syncBuffer
	mu    sync.Mutex
	text  string
	dials map[string]*atomic.Int64 // connections that clients made, by protocol
	stop  context.CancelFunc
	ended chan error
}

// syncBuffer is a log that tests can read while it is written.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// start runs an edge on free ports. The text follows a common head; STATE stands for its state directory.
func start(t *testing.T, text string) *running {
	t.Helper()
	return startWith(t, "", "", text)
}

// startWith is start with a part of head replaced.
func startWith(t *testing.T, old, with, text string) *running {
	t.Helper()
	dir, err := os.MkdirTemp("", "wedge-test-") // short: it holds a socket
	require.NoError(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	return startAt(t, dir, strings.Replace(head, old, with, 1)+text)
}

// startAt runs an edge with a state directory that may have been another's before.
func startAt(t *testing.T, dir, text string) *running {
	t.Helper()
	r := &running{t: t, dir: dir, text: text, log: &syncBuffer{}, ended: make(chan error, 1),
		dials: map[string]*atomic.Int64{}}
	for _, p := range protocols {
		r.dials[p] = new(atomic.Int64)
	}
	conf, err := r.config()
	require.NoError(t, err)
	logger := slog.New(slog.NewTextHandler(r.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	r.Server, err = edge.New(conf, edge.Options{
		Logger: logger, Load: r.config, PluginCache: cache, Access: r.log, Compiler: compiler(t),
	})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	r.stop = cancel
	go func() { r.ended <- r.Run(ctx) }()
	t.Cleanup(r.close)
	select {
	case <-r.Ready():
	case err := <-r.ended:
		r.ended <- nil
		require.NoError(t, err)
	case <-time.After(30 * time.Second):
		require.FailNow(t, "the edge was not ready in time", r.log.String())
	}
	return r
}

const head = `version: 1
state_dir: "STATE"
server:
  listen: { http: "127.0.0.1:0", https: "127.0.0.1:0" }
  drain_timeout: 5s
tls: { issuer: internal }
`

func (r *running) config() (*config.Config, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	text := strings.ReplaceAll(r.text, "STATE", r.dir)
	return config.Parse("wedge.yaml", []byte(text), config.Options{Dir: r.dir})
}

// rewrite changes the configuration text for the next reload.
func (r *running) rewrite(old, with string) {
	r.t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	require.Contains(r.t, r.text, old)
	r.text = strings.ReplaceAll(r.text, old, with)
}

func (r *running) close() {
	r.stop()
	require.NoError(r.t, <-r.ended, r.log.String())
	if r.t.Failed() {
		r.t.Log(r.log.String())
	}
}

func (r *running) url(protocol string) string {
	if protocol == "plain" {
		return fmt.Sprintf("http://127.0.0.1:%d", r.Port("http"))
	}
	return fmt.Sprintf("https://localhost:%d", r.Port("https"))
}

// protocols are the ways to an edge that visible behaviour is tested over.
var protocols = []string{"plain", "h1", "h2", "h3"}

// client speaks one protocol to the edge, with a cookie jar of its own.
func (r *running) client(protocol string) *http.Client {
	r.t.Helper()
	jar, err := cookiejar.New(nil)
	require.NoError(r.t, err)
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(r.RootPEM())
	c := &http.Client{Jar: jar, Timeout: 60 * time.Second}
	c.Transport = transport(r.t, protocol, &tls.Config{RootCAs: roots}, r.dials[protocol])
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return c
}

// transport speaks one protocol and counts the connections that it makes.
func transport(t *testing.T, protocol string, conf *tls.Config, dials *atomic.Int64) http.RoundTripper {
	if protocol == "h3" {
		ended, end := context.WithCancel(context.Background())
		tr := &http3.Transport{TLSClientConfig: conf, DisableCompression: true}
		tr.Dial = func(ctx context.Context, addr string, t *tls.Config, q *quic.Config) (*quic.Conn, error) {
			dials.Add(1)
			c, err := quic.DialAddrEarly(ctx, addr, t, q)
			if err == nil {
				context.AfterFunc(ended, func() { c.CloseWithError(0, "") }) // tr forgets those that fail
			}
			return c, err
		}
		t.Cleanup(func() { tr.Close(); end() })
		return tr
	}
	var speak http.Protocols
	speak.SetHTTP1(protocol != "h2")
	speak.SetHTTP2(protocol == "h2")
	tr := &http.Transport{TLSClientConfig: conf, Protocols: &speak, DisableCompression: true, MaxIdleConnsPerHost: 100}
	tr.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		dials.Add(1)
		return new(net.Dialer).DialContext(ctx, network, addr)
	}
	t.Cleanup(tr.CloseIdleConnections)
	return tr
}

// get gives status and body.
func get(t *testing.T, c *http.Client, url string) (int, string) {
	t.Helper()
	resp, err := c.Get(url)
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, string(body)
}

// named starts n backends that answer with their names, b0, b1, ... and gives them as YAML lines.
func named(t *testing.T, n int) ([]*httptest.Server, string) {
	t.Helper()
	var list []*httptest.Server
	var yaml strings.Builder
	for i := range n {
		name := fmt.Sprintf("b%d", i)
		s := backend(t, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, name) })
		list = append(list, s)
		fmt.Fprintf(&yaml, "      - { id: %s, url: %q }\n", name, s.URL)
	}
	return list, yaml.String()
}

func replaceOnce(t *testing.T, text, old, with string) string {
	t.Helper()
	require.Contains(t, text, old)
	return strings.Replace(text, old, with, 1)
}

func backend(t *testing.T, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s
}

// pool is a configuration with one pool of those backends, for every host, over TLS and plain.
func pool(backends, strategy, options string) string {
	return fmt.Sprintf(`strategies:
  s: { use: %q, options: %s }
pools:
  p:
    strategy: s
    backends:
%ssites:
  - { hosts: [localhost], routes: [{ pool: p }] }
  - { hosts: ["127.0.0.1"], tls: off, routes: [{ pool: p }] }
`, strategy, options, backends)
}

// freeAddress is an address nobody listens on.
func freeAddress(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	return l.Addr().String()
}
