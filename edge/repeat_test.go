package edge_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// onceEach answers the first request of each connection and resets it at the second; seen counts requests.
func onceEach(t *testing.T, seen *atomic.Int64) (address string) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var all sync.WaitGroup
	all.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			all.Go(func() {
				defer c.Close()
				in := bufio.NewReader(c)
				for n := range 2 {
					if _, err := http.ReadRequest(in); err != nil {
						return
					}
					if seen.Add(1); n == 0 {
						io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
					}
				}
				c.(*net.TCPConn).SetLinger(0)
			})
		}
	})
	t.Cleanup(func() {
		ln.Close()
		all.Wait()
	})
	return ln.Addr().String()
}

// A request that met a dead connection of the pool is repeated within the budget for retries, and counted.
func TestTheRetryBudgetBoundsRepeats(t *testing.T) {
	var seen atomic.Int64
	r := start(t, pool(backendLine("b0", onceEach(t, &seen)), "builtin/stateless", "{}"))
	c, began, refused := r.client("plain"), time.Now(), 0
	const requests = 400
	for range requests {
		if status, _ := get(t, c, r.url("plain")); status != 200 {
			require.Equal(t, 502, status)
			refused++
		}
	}
	repeats := r.counter("wedge_upstream_retries_total", "")
	seconds := int(time.Since(began).Seconds()) + 1
	t.Logf("%d repeats and %d refused of %d requests in %v", repeats, refused, requests, time.Since(began))
	assert.GreaterOrEqual(t, repeats, 10, "there are some")
	assert.LessOrEqual(t, repeats, requests/5+10*seconds)
	assert.EqualValues(t, requests+repeats, seen.Load(), "none is left out of the count")
	assert.Positive(t, refused)
}

// A closing backend ends the connection at a request to /fin or /rst if that is not its first, and to /never in any
// case. It notes how often each path was asked for.
type closing struct {
	mu   sync.Mutex
	seen map[string]int
}

func (o *closing) serve(c *net.TCPConn) {
	in := bufio.NewReader(c)
	for n := 0; ; n++ {
		r, err := http.ReadRequest(in)
		if err != nil {
			return
		}
		io.Copy(io.Discard, r.Body)
		path := r.URL.Path
		o.mu.Lock()
		o.seen[path]++
		o.mu.Unlock()
		kind, _, _ := strings.Cut(path[1:], "-")
		if kind == "never" || kind != "warm" && n > 0 {
			if kind != "fin" {
				c.SetLinger(0)
			}
			return
		}
		io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
	}
}

// A connection of the pool that ends without an answer costs no client of an idempotent request an error, unless
// the operator wants no request to be seen twice; the log has each attempt.
func TestAStaleConnectionIsFollowedByANewOneOnce(t *testing.T) {
	twice, once := [2]int{200, 2}, [2]int{502, 1}
	for name, tt := range map[string]struct {
		retry string
		want  [2]int // status, and how often the backend saw it
	}{
		"by default":        {"budget: 100%", twice},
		"on reset":          {"budget: 100%, on: [reset]", twice},
		"one attempt":       {"budget: 100%, on: [connect_error, reset], attempts: 1", once},
		"no budget":         {"budget: 0%", once},
		"on nothing":        {"budget: 100%, on: []", once},
		"on something else": {"budget: 100%, on: [timeout]", once},
	} {
		t.Run(name, func(t *testing.T) {
			o := &closing{seen: map[string]int{}}
			r := start(t, keyed(backendLine("b0", serveTCP(t, o.serve)), "builtin/stateless", "{}",
				"retry: { "+tt.retry+" }\n    upstream: { max_connections: 1 }\n    health: { passive: { max_ejected: 0% } }"))
			attempts := map[string]int{}
			for _, p := range protocols {
				c := r.client(p)
				for _, end := range []string{"fin", "rst", "never"} {
					for _, method := range []string{"GET", "PUT", "DELETE", "POST"} {
						want := tt.want
						if method == "POST" {
							want = once
						}
						if end == "never" {
							want[0] = 502
						}
						path := fmt.Sprint("/", end, "-", p, "-", method)
						status, _ := get(t, c, r.url(p)+"/warm")
						require.Equal(t, 200, status)
						req, err := http.NewRequest(method, r.url(p)+path, nil)
						require.NoError(t, err)
						resp, err := c.Do(req)
						require.NoError(t, err, path)
						resp.Body.Close()
						o.mu.Lock()
						assert.Equal(t, want, [2]int{resp.StatusCode, o.seen[path]}, path)
						o.mu.Unlock()
						attempts[path] = want[1]
					}
				}
			}
			for path, n := range attempts {
				r.attempted(path, n)
			}
		})
	}
}

// attempted waits until the log has a request to a path with so many attempts.
func (r *running) attempted(path string, n int) {
	r.t.Helper()
	line := regexp.MustCompile(fmt.Sprintf(`"attempts":%d,.*"path":"%s"`, n, regexp.QuoteMeta(path)))
	require.Eventually(r.t, func() bool { return line.MatchString(r.log.String()) },
		10*time.Second, time.Millisecond, "%d attempts of %s", n, path)
}
