package examples_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/quic-go/quic-go/http3"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/wedge-lb/wedge/edge"
	"github.com/wedge-lb/wedge/edge/config"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// running is an edge with one pool, which a guest balances.
type running struct {
	*edge.Server
	t     *testing.T
	dir   string
	hosts string // the backends, as lines of YAML
	mu    sync.Mutex
	text  string
	log   bytes.Buffer // the access log; written under mu
}

const configuration = `version: 1
state_dir: "STATE"
server: { listen: { http: "127.0.0.1:0", https: "127.0.0.1:0" } }
tls: { issuer: internal }
logging: { access: { format: json } }
plugins:
  guest: { source: "file:./guest.wasm" }
strategies:
  s: { use: guest, options: OPTIONS }
pools:
  p:
    strategy: s
    retry: { budget: 100% }
    health: { passive: { connect_errors: 0 } }
    backends:
BACKENDSsites:
  - { hosts: [localhost], routes: [{ pool: p }] }
  - { hosts: ["127.0.0.1"], tls: off, routes: [{ pool: p }] }
`

// start runs an edge on free ports.
func start(t *testing.T, module []byte, options, backends string) *running {
	t.Helper()
	dir, err := os.MkdirTemp("", "wedge-guest-") // short: it holds a socket
	require.NoError(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	require.NoError(t, os.WriteFile(filepath.Join(dir, "guest.wasm"), module, 0o600))
	r := &running{t: t, dir: dir, hosts: backends}
	r.text = strings.NewReplacer("STATE", dir, "OPTIONS", options, "BACKENDS", backends).Replace(configuration)
	conf, err := r.config()
	require.NoError(t, err)
	r.Server, err = edge.New(conf, edge.Options{Load: r.config, Access: r})
	require.NoError(t, err)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()
	t.Cleanup(func() { stop(); require.NoError(t, <-ended) })
	select {
	case <-r.Ready():
	case err := <-ended:
		ended <- nil
		require.FailNow(t, "the edge did not start", err)
	}
	return r
}

func (r *running) config() (*config.Config, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return config.Parse("wedge.yaml", []byte(r.text), config.Options{Dir: r.dir})
}

// Write takes lines of the access log.
func (r *running) Write(line []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.log.Write(line)
}

// change replaces a part of the configuration, and reloads it.
func (r *running) change(old, with string) {
	r.t.Helper()
	r.mu.Lock()
	require.Contains(r.t, r.text, old)
	r.text = strings.ReplaceAll(r.text, old, with)
	r.mu.Unlock()
	require.NoError(r.t, r.Reload(r.t.Context()))
}

// outcome is what the access log tells of a request.
type outcome struct {
	Backend, Outcome, Reason string
	Status, Attempts         int
}

// outcomes are those of the first n requests, once they are written.
func (r *running) outcomes(n int) []outcome {
	r.t.Helper()
	var lines []string
	require.Eventually(r.t, func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		lines = strings.Split(strings.TrimSpace(r.log.String()), "\n")
		return len(lines) >= n && lines[0] != ""
	}, 10*time.Second, 10*time.Millisecond)
	list := make([]outcome, n)
	for i := range list {
		require.NoError(r.t, json.Unmarshal([]byte(lines[i]), &list[i]))
	}
	return list
}

var protocols = []string{"plain", "h1", "h2", "h3"}

// client speaks one protocol to the edge.
func (r *running) client(protocol string) *http.Client {
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(r.RootPEM())
	conf := &tls.Config{RootCAs: roots}
	if protocol == "h3" {
		tr := &http3.Transport{TLSClientConfig: conf}
		r.t.Cleanup(func() { tr.Close() })
		return &http.Client{Transport: tr, Timeout: time.Minute}
	}
	var speak http.Protocols
	speak.SetHTTP1(protocol != "h2")
	speak.SetHTTP2(protocol == "h2")
	tr := &http.Transport{TLSClientConfig: conf, Protocols: &speak}
	r.t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: time.Minute}
}

func (r *running) url(protocol string) string {
	if protocol == "plain" {
		return fmt.Sprintf("http://127.0.0.1:%d/", r.Port("http"))
	}
	return fmt.Sprintf("https://localhost:%d/", r.Port("https"))
}

// ask sends one request, with headers in pairs, and tells who answered, and the cookie that was set.
func (r *running) ask(c *http.Client, protocol string, headers ...string) (backend, cookie string) {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.t.Context(), http.MethodGet, r.url(protocol), nil)
	require.NoError(r.t, err)
	for i := 0; i < len(headers); i += 2 {
		req.Header.Add(headers[i], headers[i+1])
	}
	resp, err := c.Do(req)
	require.NoError(r.t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(r.t, err)
	require.Equal(r.t, http.StatusOK, resp.StatusCode, "%s", body)
	for _, set := range resp.Cookies() {
		cookie = set.Name + "=" + set.Value
	}
	return string(body), cookie
}

// backends runs servers that answer with their names, and gives them as lines of YAML; the text of each is
// what else its line holds.
func backends(t *testing.T, more ...string) string {
	t.Helper()
	var lines strings.Builder
	for i, m := range more {
		name := fmt.Sprintf("b%d", i)
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			io.WriteString(w, name)
		}))
		t.Cleanup(s.Close)
		fmt.Fprintf(&lines, "      - { id: %s, url: %q%s }\n", name, s.URL, m)
	}
	return lines.String()
}

// dead is the line of a backend that refuses connections: its port is bound, and nobody listens.
func dead(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, l.Close())
	return fmt.Sprintf("      - { id: dead, url: %q }\n", "http://"+l.Addr().String())
}
