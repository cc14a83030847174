package edge_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// scripted starts a backend that does as script does with each connection, and gives it as a YAML line.
func scripted(t *testing.T, script func(c net.Conn, r *bufio.Reader)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer c.Close()
				script(c, bufio.NewReader(c))
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		wg.Wait()
	})
	return one("http://" + l.Addr().String())
}

// answering is a script that reads requests whole and says text to each.
func answering(text string) func(net.Conn, *bufio.Reader) {
	return func(c net.Conn, r *bufio.Reader) {
		for {
			q, err := http.ReadRequest(r)
			if err != nil {
				return
			}
			io.Copy(io.Discard, q.Body)
			io.WriteString(c, text)
		}
	}
}

// limited replaces limits of a running edge's listeners.
func (r *running) limited(t *testing.T, limits string) {
	t.Helper()
	r.rewrite("drain_timeout: 5s", "drain_timeout: 5s\n  limits: "+limits)
	require.NoError(t, r.Reload(t.Context()))
}

func TestAnAnswerThatAsksForAnUpgradeSaysWhich(t *testing.T) {
	r := start(t, pool(scripted(t, answering("HTTP/1.1 426 Upgrade Required\r\nUpgrade: next/2\r\n"+
		"Connection: upgrade\r\nContent-Length: 0\r\n\r\n")), "builtin/stateless", "{}"))
	for _, p := range protocols {
		t.Run(p, func(t *testing.T) {
			resp, err := r.client(p).Get(r.url(p))
			require.NoError(t, err)
			defer resp.Body.Close()
			assert.Equal(t, 426, resp.StatusCode)
			want := map[string]string{"plain": "next/2", "h1": "next/2"}[p] // h2 and h3 have no such field
			assert.Equal(t, want, resp.Header.Get("Upgrade"))
			if want != "" {
				assert.Equal(t, "426 Upgrade Required", resp.Status)
				assert.Equal(t, []string{"upgrade"}, resp.Header.Values("Connection"))
			}
		})
	}
}

func TestAStatusThatIsNoneIsABadGateway(t *testing.T) {
	for _, status := range []int{600, 999, 99} {
		text := fmt.Sprintf("HTTP/1.1 %03d Hm\r\nContent-Length: 0\r\n\r\n", status)
		r := start(t, pool(scripted(t, answering(text)), "builtin/stateless", "{}"))
		each(t, r, func(t *testing.T, c *http.Client, url string) {
			got, _ := get(t, c, url)
			assert.Equal(t, 502, got, status)
		})
	}
}

func TestABodyThatComesTooSlowlyTimesOut(t *testing.T) {
	r := start(t, pool(scripted(t, answering("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")), "builtin/stateless", "{}"))
	r.limited(t, "{ body_timeout: 200ms }")
	each(t, r, func(t *testing.T, c *http.Client, url string) {
		body, w := io.Pipe()
		go io.WriteString(w, "some")
		defer w.Close()
		q, err := http.NewRequest("POST", url, body)
		require.NoError(t, err)
		q.ContentLength = 10
		resp, err := c.Do(q)
		require.NoError(t, err)
		defer resp.Body.Close()
		assert.Equal(t, 408, resp.StatusCode)
	})
}

func TestTrailersCannotSayWhatTheEdgeSays(t *testing.T) {
	seen := make(chan http.Header, 1)
	b := scripted(t, func(c net.Conn, r *bufio.Reader) {
		for {
			q, err := http.ReadRequest(r)
			if err != nil {
				return
			}
			io.Copy(io.Discard, q.Body)
			seen <- q.Trailer
			io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
		}
	})
	r := start(t, pool(b, "builtin/stateless", "{}"))
	each(t, r, func(t *testing.T, c *http.Client, url string) {
		q, err := http.NewRequest("POST", url, io.MultiReader(strings.NewReader("body")))
		require.NoError(t, err)
		q.Trailer = http.Header{"X-Sum": {"1"}, "X-Request-Id": {"mine"}, "Tracestate": {"a=b"},
			"Traceparent": {"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}}
		resp, err := c.Do(q)
		require.NoError(t, err)
		resp.Body.Close()
		assert.Equal(t, http.Header{"X-Sum": {"1"}}, <-seen)
	})
}

// An answer that comes before the end of the request's body says that the connection ends with it, so that a
// client does not take what it sent behind for served.
func TestAnEarlyAnswerSaysThatItIsTheLast(t *testing.T) {
	early := func(c net.Conn, r *bufio.Reader) {
		for {
			q, err := http.ReadRequest(r)
			if err != nil {
				return
			}
			fmt.Fprintf(c, "HTTP/1.1 %s Early\r\nContent-Length: 2\r\n\r\nok", q.URL.Path[1:])
			io.Copy(io.Discard, q.Body) // what the client sends behind its answer may complete a small one
		}
	}
	r := start(t, pool(scripted(t, early), "builtin/stateless", "{}")+
		"  - { hosts: [lb.test], routes: [{ pool: p }] }\n  - { hosts: [plain.test], tls: off, routes: [{ pool: p }] }\n")
	const next = "GET /200 HTTP/1.1\r\nHost: none.test\r\n\r\n"
	for name, tt := range map[string]struct{ path, rest, status string }{
		"417 instead of 100":  {"/417", "Expect: 100-continue\r\nContent-Length: 5\r\n\r\n", "417"},
		"413 instead of 100":  {"/413", "Expect: 100-continue\r\nContent-Length: 500000\r\n\r\n", "413"},
		"200 instead of 100":  {"/200", "Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n", "200"},
		"413 in the middle":   {"/413", "Content-Length: 50000\r\n\r\npart", "413"},
		"a bad chunk":         {"/200", "Transfer-Encoding: chunked\r\n\r\nxyz\r\n", "(400|200)"},
		"404 to a large body": {"/", "X-Host: none\r\nContent-Length: 500000\r\n\r\n", "(404|421)"},
	} {
		for _, w := range h1Ways(r) {
			t.Run(name+", "+w.name, func(t *testing.T) {
				host := map[string]string{"plain": "plain.test", "TLS": "lb.test"}[w.name]
				if strings.HasPrefix(tt.rest, "X-Host") {
					host = "none.test"
				}
				c := w.dial(t)
				defer c.Close()
				require.NoError(t, c.SetDeadline(time.Now().Add(10*time.Second)))
				fmt.Fprintf(c, "POST %s HTTP/1.1\r\nHost: %s\r\n%s", tt.path, host, tt.rest)
				in := bufio.NewReader(c)
				a, err := http.ReadResponse(in, nil)
				require.NoError(t, err)
				assert.Regexp(t, tt.status, a.Status)
				assert.True(t, a.Close)
				_, err = io.ReadAll(a.Body)
				require.NoError(t, err)
				io.WriteString(c, next)
				require.NoError(t, c.(interface{ CloseWrite() error }).CloseWrite())
				rest, _ := io.ReadAll(in)
				assert.Empty(t, string(rest))
			})
		}
	}
}

func TestAnAnswerOfWhichNothingCouldBeSentIsABadGateway(t *testing.T) {
	const head = "HTTP/1.1 200 OK\r\nX-Its: own\r\nTransfer-Encoding: chunked\r\n\r\n"
	const sized = "HTTP/1.1 200 OK\r\nX-Its: own\r\nContent-Length: 9\r\n\r\n"
	for name, tt := range map[string]struct {
		first, then string
		status      int
	}{
		"a bad chunk with the head":    {head + "xyz\r\n", "", 502},
		"a sized body that is missing": {sized, "", 502},
		"nothing for long":             {sized, "wait", 504},
	} {
		r := start(t, strings.Replace(pool(scripted(t, func(c net.Conn, r *bufio.Reader) {
			if _, err := http.ReadRequest(r); err != nil {
				return
			}
			io.WriteString(c, tt.first)
			if tt.then == "wait" {
				io.Copy(io.Discard, r)
				return
			}
			<-time.After(20 * time.Millisecond)
			io.WriteString(c, tt.then)
		}), "builtin/stateless", "{}"), "strategy: s\n", "strategy: s\n    upstream: { body_timeout: 300ms }\n", 1))
		each(t, r, func(t *testing.T, c *http.Client, url string) {
			resp, err := c.Get(url)
			require.NoError(t, err, name)
			defer resp.Body.Close()
			body, err := io.ReadAll(resp.Body)
			require.NoError(t, err, name)
			assert.Equal(t, tt.status, resp.StatusCode, name)
			assert.Contains(t, string(body), "request id: ")
			assert.Empty(t, resp.Header.Get("X-Its"))
			assert.EqualValues(t, len(body), resp.ContentLength)
		})
	}
}

// The head of a stream does not wait for its body.
func TestAStreamThatBreaksBehindItsHeadIsCut(t *testing.T) {
	r := start(t, pool(scripted(t, func(c net.Conn, r *bufio.Reader) {
		if _, err := http.ReadRequest(r); err != nil {
			return
		}
		io.WriteString(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
		<-time.After(20 * time.Millisecond)
		io.WriteString(c, "xyz\r\n")
	}), "builtin/stateless", "{}"))
	each(t, r, func(t *testing.T, c *http.Client, url string) {
		resp, err := c.Get(url)
		require.NoError(t, err)
		defer resp.Body.Close()
		_, err = io.ReadAll(resp.Body)
		assert.Error(t, err)
	})
}

func TestAnAnswerOfWhichAPartWasSentIsCut(t *testing.T) {
	r := start(t, pool(scripted(t, func(c net.Conn, r *bufio.Reader) {
		if _, err := http.ReadRequest(r); err != nil {
			return
		}
		io.WriteString(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\npart\r\n")
		<-time.After(50 * time.Millisecond)
		io.WriteString(c, "xyz\r\n")
	}), "builtin/stateless", "{}"))
	each(t, r, func(t *testing.T, c *http.Client, url string) {
		resp, err := c.Get(url)
		require.NoError(t, err)
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		assert.Error(t, err)
		assert.Equal(t, 200, resp.StatusCode)
		assert.Equal(t, "part", string(body))
	})
}
