package edge_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedge-lb/wedge/edge/admin"
)

// A fault is what a faulty backend does with a request that it has read.
type fault func(c *net.TCPConn, r *http.Request)

// The faults of backends.
var (
	faultReset    fault = func(c *net.TCPConn, _ *http.Request) { c.SetLinger(0) }
	faultClose    fault = func(*net.TCPConn, *http.Request) {}
	faultSilence  fault = func(c *net.TCPConn, _ *http.Request) { io.Copy(io.Discard, c) }
	faultHalfHead fault = says("HTTP/1.1 200 OK\r\nContent-Le")
	faultGarbage  fault = says("220 smtp.example.com ESMTP\r\n")
	faultFraming  fault = says("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nabc")
	faultEndless  fault = func(c *net.TCPConn, _ *http.Request) {
		flood(c, "HTTP/1.1 200 OK\r\n",
			"X-More: and more\r\n")
	}
	faultTruncated fault = says("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nonly a part")
	faultChunks    fault = says("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
	faultSlow      fault = func(c *net.TCPConn, r *http.Request) {
		slowly(c, strings.Replace(reply(r, "slow"), "\r\n", "\r\nConnection: close\r\n", 1))
	}
	fault503 fault = says("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\n\r\nsick")
)

func says(text string) fault {
	return func(c *net.TCPConn, _ *http.Request) { io.WriteString(c, text) }
}

// flood writes head and then more until nobody takes it.
func flood(c *net.TCPConn, head, more string) {
	io.WriteString(c, head)
	for {
		if _, err := io.WriteString(c, more); err != nil {
			return
		}
	}
}

// slowly writes text byte by byte, and closes only when the other side has.
func slowly(c *net.TCPConn, text string) {
	for i := range len(text) {
		if _, err := io.WriteString(c, text[i:i+1]); err != nil {
			return
		}
		time.Sleep(100 * time.Microsecond) // the fault itself: nobody waits for it
	}
	io.Copy(io.Discard, c)
}

// reply is a good answer that repeats the request's mark, by which cross-talk would show.
func reply(r *http.Request, name string) string {
	body := name + " " + r.Header.Get("X-Mark")
	return fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
}

// faulty is a backend of raw sockets that fails as it is told, and else answers with its name and the mark.
type faulty struct {
	url  string
	name string
	mode atomic.Pointer[fault]
	hits atomic.Int64
}

func newFaulty(t *testing.T, name string) *faulty {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	f := &faulty{url: "http://" + l.Addr().String(), name: name}
	var wg sync.WaitGroup
	var mu sync.Mutex
	open := map[net.Conn]bool{}
	t.Cleanup(wg.Wait)
	t.Cleanup(func() {
		l.Close()
		mu.Lock()
		defer mu.Unlock()
		for c := range open {
			c.Close()
		}
	})
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			open[c] = true
			mu.Unlock()
			wg.Go(func() {
				defer c.Close()
				f.serve(c.(*net.TCPConn))
			})
		}
	})
	return f
}

func (f *faulty) serve(c *net.TCPConn) {
	from := bufio.NewReader(c)
	for {
		r, err := http.ReadRequest(from)
		if err != nil {
			return
		}
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			return
		}
		f.hits.Add(1)
		if mode := f.mode.Load(); mode != nil {
			(*mode)(c, r)
			return
		}
		if _, err := io.WriteString(c, reply(r, f.name)); err != nil {
			return
		}
	}
}

func (f *faulty) fail(mode fault) { f.mode.Store(&mode) }
func (f *faulty) heal()           { f.mode.Store(nil) }

func (f *faulty) line() string { return fmt.Sprintf("      - { id: %s, url: %q }\n", f.name, f.url) }

// withPool is a configuration of those backends whose pool has some more lines.
func withPool(lines string, backends ...*faulty) string {
	var yaml strings.Builder
	for _, f := range backends {
		yaml.WriteString(f.line())
	}
	text := pool(yaml.String(), "builtin/stateless", "{algorithm: round_robin}")
	return strings.Replace(text, "    strategy: s\n", "    strategy: s\n"+lines, 1)
}

// marked asks with a mark. The body is "" if the answer was cut.
func marked(t *testing.T, c *http.Client, url, mark string) (status int, body string) {
	t.Helper()
	req, err := http.NewRequest("POST", url+"/", strings.NewReader("body of "+mark)) // no client repeats it
	require.NoError(t, err)
	req.Header.Set("X-Mark", mark)
	resp, err := c.Do(req)
	if err != nil {
		return 0, ""
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if err != nil {
		return resp.StatusCode, ""
	}
	return resp.StatusCode, string(got)
}

func TestEachFaultOfABackendHasItsStatusAndReachesNobodyElse(t *testing.T) {
	const cut = -1 // an answer that has begun can only be cut
	for name, tt := range map[string]struct {
		fault  fault
		status int
	}{
		"reset":                       {faultReset, 502},
		"closed without an answer":    {faultClose, 502},
		"black hole":                  {faultSilence, 504},
		"cut within the head":         {faultHalfHead, 502},
		"another protocol":            {faultGarbage, 502},
		"two lengths":                 {faultFraming, 502},
		"a head without an end":       {faultEndless, 502},
		"cut within the body":         {faultTruncated, cut},
		"cut within chunks":           {faultChunks, cut},
		"byte by byte, slow to close": {faultSlow, 200},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sick, well := newFaulty(t, "b0"), newFaulty(t, "b1")
			patience := "300ms"
			if tt.status == 200 {
				patience = "10s"
			}
			r := start(t, withPool("    health: { passive: { connect_errors: 0 } }\n"+
				"    upstream: { response_timeout: "+patience+" }\n", sick, well))
			var sent atomic.Int64
			ask := func(c *http.Client, url string) (int, string, string) {
				mark := fmt.Sprintf("m%d", sent.Add(1))
				status, body := marked(t, c, url, mark)
				return status, body, mark
			}
			var wg sync.WaitGroup
			for _, p := range protocols {
				c, url := r.client(p), r.url(p)
				for range 4 {
					status, body, mark := ask(c, url)
					require.Equal(t, 200, status, p)
					require.Contains(t, []string{"b0 " + mark, "b1 " + mark}, body)
				}
			}
			sick.fail(tt.fault)
			for _, p := range protocols {
				c, url := r.client(p), r.url(p)
				wg.Go(func() {
					for range 8 {
						status, body, mark := ask(c, url)
						switch {
						case body == "b1 "+mark, tt.status == 200 && body == "slow "+mark:
							assert.Equal(t, 200, status, p)
						case tt.status == cut:
							assert.Empty(t, body, "%s: a part must not look whole", p)
						default:
							assert.Equal(t, tt.status, status, "%s: %s", p, body)
							assert.NotContains(t, body, "127.0.0.1", p)
						}
					}
				})
			}
			wg.Wait()
			require.Positive(t, sick.hits.Load())
			sick.heal()
			for _, p := range protocols {
				c, url := r.client(p), r.url(p)
				for range 4 {
					status, body, mark := ask(c, url)
					assert.Equal(t, 200, status, "%s: nothing is left of it", p)
					assert.Contains(t, []string{"b0 " + mark, "b1 " + mark}, body, p)
				}
			}
		})
	}
}

// A backend that fails costs as many requests as the rule says, and those in flight beside them.
func TestABackendThatFailsIsEjectedWithinItsBound(t *testing.T) {
	for name, tt := range map[string]struct {
		rule  string
		fault fault
		bound int64
	}{
		"503 in a row":    {"consecutive_5xx: 5", fault503, 5},
		"resets in a row": {"consecutive_5xx: 5", faultReset, 5},
		"a black hole":    {"consecutive_5xx: 3", faultSilence, 3},
		"truncation":      {"consecutive_5xx: 3", faultTruncated, 3},
		"an error rate":   {"error_rate: 30%, min_requests: 10, window: 1m", fault503, 10},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sick, one, two := newFaulty(t, "b0"), newFaulty(t, "b1"), newFaulty(t, "b2")
			r := start(t, withPool("    health: { passive: { "+tt.rule+", eject_for: 24h } }\n"+
				"    upstream: { response_timeout: 200ms }\n", sick, one, two))
			sick.fail(tt.fault)
			bad := int64(0)
			for i := range 160 {
				p := protocols[i%len(protocols)]
				mark := fmt.Sprintf("m%d", i)
				c := r.client(p)
				if status, body := marked(t, c, r.url(p), mark); status != 200 || !strings.HasSuffix(body, mark) {
					bad++
				}
				c.CloseIdleConnections()
			}
			assert.Equal(t, tt.bound, bad, "its own requests failed, no others")
			assert.Equal(t, tt.bound, sick.hits.Load())
			r.await("b0", func(b admin.Backend) bool { return b.Ejected && b.State == "down" })
		})
	}
}
