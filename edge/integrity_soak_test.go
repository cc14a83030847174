//go:build soak

package edge_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/quic-go/quic-go/http3"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const mixed = 1_000_000 // requests

// A million requests of every kind, each with a token of its own: no answer reaches another request, and nothing
// stays behind.
func TestAMillionMixedRequestsAreNeverCrossed(t *testing.T) {
	var yaml strings.Builder
	for i := range 3 {
		s := backend(t, mixedBackend)
		fmt.Fprintf(&yaml, "      - { id: b%d, url: %q }\n", i, s.URL)
	}
	calm := "    strategy: s\n    health: { passive: { connect_errors: 0 } }\n"
	r := startProcess(t, strings.Replace(pool(yaml.String(), "builtin/stateless", "{}"), "    strategy: s\n", calm, 1))
	m := &mix{urls: map[string]string{}}
	var wg sync.WaitGroup
	began := time.Now()
	for _, front := range []struct {
		protocol string
		workers  int
	}{{"plain", 24}, {"h1", 12}, {"h2", 16}, {"h3", 8}} {
		c := r.client(front.protocol)
		m.urls[front.protocol] = r.url(front.protocol)
		url := r.url(front.protocol)
		for range front.workers {
			wg.Go(func() { m.work(c, url, front.protocol) })
		}
	}
	wg.Wait()
	t.Logf("%d requests in %s: %d answered, %d cut by the backend, %d left by the client, %d upgraded, %d failed",
		m.sent.Load(), time.Since(began), m.good.Load(), m.cut.Load(), m.left.Load(), m.upgraded.Load(), m.failed.Load())
	assert.Zero(t, m.crossed.Load(), "answers of another request")
	assert.Zero(t, m.failed.Load(), "requests that should have been answered: %v", m.why.Load())
	r.settles()
}

// settles waits until the edge holds no request, and tells what is left if it does not.
func (p *process) settles() {
	p.t.Helper()
	ctx := context.Background()
	assert.Eventually(p.t, func() bool {
		pools, err := p.admin.Pools(ctx)
		require.NoError(p.t, err)
		for _, b := range pools[0].Backends {
			if b.InFlight != 0 {
				return false
			}
		}
		return true
	}, 20*time.Second, 100*time.Millisecond, "requests in flight")
	_, files := p.usage()
	p.t.Logf("%d files open at the end", files)
}

// mix is what happened to the requests.
type mix struct {
	urls                                             map[string]string
	sent, good, cut, left, upgraded, crossed, failed atomic.Int64
	why                                              atomic.Value
}

func (m *mix) work(c *http.Client, url, protocol string) {
	for n := m.sent.Add(1); n <= mixed; n = m.sent.Add(1) {
		token := fmt.Sprintf("%s-%d-%x", protocol, n, rand.Uint64())
		switch kind := n % 50; {
		case kind == 0 && (protocol == "plain"):
			m.upgrade(url, token)
		case kind <= 2:
			m.disturb(c, url, token, kind == 1)
		case kind < 12:
			m.ask(c, "POST", url+"/echo", token, strings.Repeat(token+" ", int(n%300)))
		case kind < 16:
			m.ask(c, "GET", url+"/hints", token, "")
		case kind < 20:
			m.ask(c, "GET", url+"/chunked", token, "")
		default:
			m.ask(c, "GET", url+"/plain", token, "")
		}
	}
}

// disturb lets the client leave, or the backend cut its answer. quic-go's client forgets a connection, and
// leaves it open, after such a request: over h3 each has a connection of its own.
func (m *mix) disturb(c *http.Client, url, token string, leave bool) {
	if shared, ok := c.Transport.(*http3.Transport); ok {
		own := &http3.Transport{TLSClientConfig: shared.TLSClientConfig}
		defer own.Close()
		c = &http.Client{Transport: own, Timeout: c.Timeout}
	}
	if leave {
		m.leave(c, url, token)
		return
	}
	m.broken(c, url, token)
}

func (m *mix) fail(err error) {
	m.failed.Add(1)
	m.why.CompareAndSwap(nil, fmt.Sprint(err))
}

// ask sends a request whose whole answer must be its own token's.
func (m *mix) ask(c *http.Client, method, url, token, body string) {
	req, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		m.fail(err)
		return
	}
	req.Header.Set("X-Token", token)
	resp, err := c.Do(req)
	if err != nil {
		m.fail(err)
		return
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != 200 {
		m.fail(fmt.Errorf("%s %s: %s %v %.80s", method, url, resp.Status, err, got))
		return
	}
	if resp.Header.Get("X-Token") != token || !bytes.Equal(got, []byte(token+body)) {
		m.crossed.Add(1)
		return
	}
	m.good.Add(1)
}

// leave ends a request from the client's side before its answer is complete.
func (m *mix) leave(c *http.Client, url, token string) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Duration(rand.IntN(4000))*time.Microsecond)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, "GET", url+"/slow", nil)
	if err != nil {
		m.fail(err)
		return
	}
	req.Header.Set("X-Token", token)
	m.left.Add(1)
	m.own(c.Do(req))(token)
}

// broken asks for an answer that the backend cuts.
func (m *mix) broken(c *http.Client, url, token string) {
	req, err := http.NewRequest("POST", url+"/broken", strings.NewReader("x"))
	if err != nil {
		m.fail(err)
		return
	}
	req.Header.Set("X-Token", token)
	m.cut.Add(1)
	m.own(c.Do(req))(token)
}

// own holds that what came of an answer, if anything, is the token's.
func (m *mix) own(resp *http.Response, err error) func(token string) {
	return func(token string) {
		if err != nil {
			return
		}
		defer resp.Body.Close()
		got, _ := io.ReadAll(resp.Body) // it may be cut
		if resp.StatusCode < 500 && !strings.HasPrefix(token, string(got[:min(len(got), len(token))])) {
			m.crossed.Add(1)
		}
	}
}

// upgrade opens a tunnel and expects its own bytes back.
func (m *mix) upgrade(url, token string) {
	m.upgraded.Add(1)
	conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		m.fail(err)
		return
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(20 * time.Second))
	fmt.Fprintf(conn, "GET /tunnel HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Token: %s\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n", token)
	in := bufio.NewReader(conn)
	resp, err := http.ReadResponse(in, nil)
	if err != nil || resp.StatusCode != 101 {
		m.fail(fmt.Errorf("upgrade: %v %v", resp, err))
		return
	}
	fmt.Fprintf(conn, "%s\n", token)
	if line, err := in.ReadString('\n'); err != nil || line != token+"\n" {
		m.crossed.Add(1)
		return
	}
	m.good.Add(1)
}

// mixedBackend answers each path in its way, always with the token of the request.
func mixedBackend(w http.ResponseWriter, r *http.Request) {
	token := r.Header.Get("X-Token")
	w.Header().Set("X-Token", token)
	switch r.URL.Path {
	case "/echo":
		body, _ := io.ReadAll(r.Body)
		io.WriteString(w, token+string(body))
	case "/hints":
		w.Header().Set("Link", "</a>; rel=preload")
		w.WriteHeader(http.StatusEarlyHints)
		io.WriteString(w, token)
	case "/chunked":
		half := len(token) / 2
		io.WriteString(w, token[:half])
		http.NewResponseController(w).Flush()
		io.WriteString(w, token[half:])
	case "/slow":
		io.WriteString(w, token[:4])
		http.NewResponseController(w).Flush()
		select {
		case <-r.Context().Done():
		case <-time.After(5 * time.Millisecond):
			io.WriteString(w, token[4:])
		}
	case "/broken":
		w.Header().Set("Content-Length", "1000")
		io.WriteString(w, token)
		http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	case "/tunnel":
		echoTunnel(w)
	default:
		io.WriteString(w, token)
	}
}

func echoTunnel(w http.ResponseWriter) {
	conn, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer conn.Close()
	io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
	line, err := rw.ReadString('\n')
	if err == nil {
		io.WriteString(conn, line)
	}
}
