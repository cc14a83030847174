package edge_test

import (
	"bufio"
	"bytes"
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

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// serveTCP is a server that serves each connection by f and closes it.
func serveTCP(t *testing.T, f func(c *net.TCPConn)) (address string) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var all sync.WaitGroup
	var mu sync.Mutex
	open := map[net.Conn]bool{}
	all.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			open[c] = true
			mu.Unlock()
			all.Go(func() {
				f(c.(*net.TCPConn))
				c.Close()
				mu.Lock()
				delete(open, c)
				mu.Unlock()
			})
		}
	})
	t.Cleanup(func() {
		ln.Close()
		mu.Lock()
		for c := range open {
			c.Close()
		}
		mu.Unlock()
		all.Wait()
	})
	return ln.Addr().String()
}

// resetting reads each request whole and resets its connection.
func resetting(t *testing.T, seen *atomic.Int64) (address string) {
	return serveTCP(t, func(c *net.TCPConn) {
		r, err := http.ReadRequest(bufio.NewReader(c))
		if err != nil {
			return
		}
		seen.Add(1)
		io.Copy(io.Discard, r.Body)
		c.SetLinger(0)
	})
}

func backendLine(id, address string) string {
	return fmt.Sprintf("      - { id: %s, url: \"http://%s\" }\n", id, address)
}

// roulette is a backend that resets each connection at some stage of a request, or serves it. It notes the token,
// in the path, of each request of which it read the first line.
type roulette struct {
	mu   sync.Mutex
	seen map[string]int
}

func (o *roulette) serve(c *net.TCPConn) {
	in := bufio.NewReader(c)
	for n := rand.IntN(10); n > 2; n = rand.IntN(10) { // 0: nothing is read
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		o.mu.Lock()
		o.seen[strings.Fields(line)[1]]++
		o.mu.Unlock()
		if n == 3 || !o.answer(c, bufio.NewReader(io.MultiReader(strings.NewReader(line), in)), n) {
			break
		}
	}
	c.SetLinger(0)
}

// answer reads the request and answers, as far as n says.
func (o *roulette) answer(c net.Conn, in *bufio.Reader, n int) (whole bool) {
	r, err := http.ReadRequest(in)
	if err != nil || n == 4 {
		return false
	}
	if n == 5 {
		io.CopyN(io.Discard, r.Body, 10)
		return false
	}
	if _, err := io.Copy(io.Discard, r.Body); err != nil || n == 6 {
		return false
	}
	const head, body = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", "hello"
	switch n {
	case 7:
		io.WriteString(c, head[:20])
		return false
	case 8:
		io.WriteString(c, head+body[:2])
		return false
	}
	io.WriteString(c, head+body)
	return rand.IntN(2) == 0 && in.Buffered() == 0
}

// No POST reaches a backend twice, whatever its connections do.
func TestNoPostIsSentTwice(t *testing.T) {
	const requests = 10000
	origins, yaml := []*roulette{}, ""
	for i := range 3 {
		o := &roulette{seen: map[string]int{}}
		origins = append(origins, o)
		yaml += backendLine(fmt.Sprint("b", i), serveTCP(t, o.serve))
	}
	r := start(t, keyed(yaml, "builtin/stateless", "{}",
		"retry: { on: [connect_error, reset, timeout, \"500\", \"502\", \"503\", \"504\"], budget: 100% }"))
	var all sync.WaitGroup
	var good, bad atomic.Int64
	for i, p := range protocols {
		for j := range 2 {
			c := r.client(p)
			all.Go(func() {
				for k := range requests / len(protocols) / 2 {
					var body io.Reader = strings.NewReader(strings.Repeat("x", 1+k%4000))
					if k%3 == 0 {
						body = io.MultiReader(body) // of unknown length
					}
					resp, err := c.Post(fmt.Sprintf("%s/%d-%d-%d", r.url(p), i, j, k), "text/plain", body)
					if err != nil {
						bad.Add(1)
						continue
					}
					if _, err = io.Copy(io.Discard, resp.Body); err == nil && resp.StatusCode == 200 {
						good.Add(1)
					}
					resp.Body.Close()
				}
			})
		}
	}
	all.Wait()
	times := map[string]int{}
	for _, o := range origins {
		o.mu.Lock() // of an answer that was cut, the server may not have noticed yet
		for token, n := range o.seen {
			times[token] += n
		}
		o.mu.Unlock()
	}
	for token, n := range times {
		assert.Equal(t, 1, n, token)
	}
	t.Logf("%d of %d arrived, %d were answered whole, %d cut", len(times), requests, good.Load(), bad.Load())
	assert.Greater(t, len(times), requests/2)
	assert.Positive(t, good.Load())
}

// With every backend failing, retries stay within the budget.
func TestTheBudgetBoundsRetriesInAnOutage(t *testing.T) {
	busy := func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) }
	var seen atomic.Int64
	for name, list := range map[string][2]string{
		"answers of 503":      {strings.TrimPrefix(backend(t, busy).URL, "http://"), strings.TrimPrefix(backend(t, busy).URL, "http://")},
		"refused connections": {freeAddress(t), freeAddress(t)},
		"resets":              {resetting(t, &seen), resetting(t, &seen)},
	} {
		t.Run(name, func(t *testing.T) {
			r := start(t, keyed(backendLine("b0", list[0])+backendLine("b1", list[1]), "builtin/stateless", "{}",
				"retry: { on: [connect_error, reset, \"503\"] }\n    health: { passive: { max_ejected: 0% } }"))
			began := time.Now()
			const requests = 2000
			var all sync.WaitGroup
			for _, p := range protocols {
				c := r.client(p)
				all.Go(func() {
					for range requests / len(protocols) {
						status, _ := get(t, c, r.url(p))
						assert.GreaterOrEqual(t, status, 502)
					}
				})
			}
			all.Wait()
			retries := r.counter("wedge_upstream_retries_total", "")
			most := requests/5 + 10*(int(time.Since(began).Seconds())+1)
			t.Logf("%d retries of %d requests in %v", retries, requests, time.Since(began))
			assert.LessOrEqual(t, retries, most)
			assert.Greater(t, retries, requests/10, "the budget is there to be used")
		})
	}
}

// What is configured is tried again on another backend, and what is not is not; a refusal is by its own condition.
func TestConditionsOfRetries(t *testing.T) {
	hangs := serveTCP(t, func(c *net.TCPConn) { io.Copy(io.Discard, c) })
	status := func(code int) string {
		s := backend(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "7")
			w.WriteHeader(code)
			io.WriteString(w, "a word of the backend")
		})
		return strings.TrimPrefix(s.URL, "http://")
	}
	var seen atomic.Int64
	reset, refused := resetting(t, &seen), freeAddress(t)
	for _, tt := range []struct {
		name, bad, on string
		without       int // the status when it is not tried again
		post          bool
	}{
		{"reset", reset, "reset", 502, false},
		{"timeout", hangs, "timeout", 504, false},
		{"500", status(500), `"500"`, 500, false},
		{"502", status(502), `"502"`, 502, false},
		{"503", status(503), `"503"`, 503, false},
		{"504", status(504), `"504"`, 504, false},
		{"refused", refused, "connect_error", 502, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			good := backend(t, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "well") })
			yaml := backendLine("b0", tt.bad) + backendLine("b1", strings.TrimPrefix(good.URL, "http://"))
			keys := "retry: { on: [%s], per_try_timeout: 100ms, budget: 100%% }\n    health: { passive: { max_ejected: 0%% } }"
			r := start(t, keyed(yaml, "builtin/stateless", "{}", fmt.Sprintf(keys, tt.on)))
			for _, p := range protocols {
				c := r.client(p)
				for range 2 { // in turn, so that each is the first once
					code, body := get(t, c, r.url(p))
					assert.Equal(t, "200 well", fmt.Sprint(code, " ", body), p)
				}
				for range 2 {
					resp, err := c.Post(r.url(p), "text/plain", strings.NewReader("x"))
					require.NoError(t, err, p)
					resp.Body.Close()
					if tt.post {
						assert.Equal(t, 200, resp.StatusCode, p)
					} else {
						assert.Contains(t, []int{200, tt.without}, resp.StatusCode, p)
					}
				}
			}
			assert.Positive(t, r.counter("wedge_upstream_retries_total", ""))
			others := `"500"`
			if tt.on == others {
				others = "timeout"
			}
			before := r.counter("wedge_upstream_retries_total", "")
			r.rewrite("on: ["+tt.on+"]", "on: ["+others+"]")
			require.NoError(t, r.Reload(t.Context()))
			c, codes := r.client("h1"), map[int]int{}
			for range 4 {
				code, _ := get(t, c, r.url("h1"))
				codes[code]++
			}
			assert.Equal(t, map[int]int{200: 2, tt.without: 2}, codes)
			assert.Equal(t, before, r.counter("wedge_upstream_retries_total", ""))
		})
	}
}

// When every attempt gets an error, the last one's answer is the client's, as it came.
func TestTheLastAnswerIsDeliveredAsItCame(t *testing.T) {
	yaml := ""
	var asked atomic.Int64
	for i := range 2 {
		s := backend(t, func(w http.ResponseWriter, _ *http.Request) {
			asked.Add(1)
			w.Header().Set("Retry-After", "7")
			w.Header().Set("X-By", fmt.Sprint("b", i))
			w.WriteHeader(503)
			io.WriteString(w, "closed for lunch")
		})
		yaml += backendLine(fmt.Sprint("b", i), strings.TrimPrefix(s.URL, "http://"))
	}
	r := start(t, keyed(yaml, "builtin/cookie-sticky", "{}", `retry: { on: ["503"], budget: 100% }`))
	for n, p := range protocols {
		resp, err := r.client(p).Get(r.url(p))
		require.NoError(t, err)
		body, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		resp.Body.Close()
		assert.Equal(t, 503, resp.StatusCode, p)
		assert.Equal(t, "closed for lunch", string(body), p)
		assert.Equal(t, "7", resp.Header.Get("Retry-After"), p)
		assert.EqualValues(t, 2*(n+1), asked.Load(), p)
	}
	require.Eventually(t, func() bool {
		return strings.Count(r.log.String(), `"attempts":2`) == len(protocols)
	}, 10*time.Second, 5*time.Millisecond)
	assert.Equal(t, len(protocols), r.counter("wedge_upstream_retries_total", ""))
}

// The token names the backend that answered.
func TestARetryIsPinnedToWhoAnswered(t *testing.T) {
	var seen atomic.Int64
	good, yaml := named(t, 1)
	_ = good
	yaml += backendLine("b9", resetting(t, &seen))
	r := start(t, keyed(yaml, "builtin/cookie-sticky", "{}",
		"retry: { on: [reset], budget: 100% }\n    health: { passive: { max_ejected: 0% } }"))
	for _, p := range protocols {
		for range 4 {
			c := r.client(p)
			_, body := get(t, c, r.url(p))
			require.Equal(t, "b0", body, p)
			before := seen.Load()
			_, body = get(t, c, r.url(p))
			require.Equal(t, "b0", body, p)
			assert.Equal(t, before, seen.Load(), "its second request goes there at once")
		}
	}
	assert.Positive(t, seen.Load())
}

// Bodies of up to body_bytes are sent again, whole; larger ones are not, and neither are methods that are not
// idempotent.
func TestBodiesAreReplayedUpToTheirBound(t *testing.T) {
	for _, protocol := range []string{"h1", "h2c"} {
		t.Run(protocol, func(t *testing.T) {
			var seen atomic.Int64
			var speak http.Protocols
			speak.SetHTTP1(true)
			speak.SetUnencryptedHTTP2(true)
			bad := upstreamServer(t, &speak, func(_ http.ResponseWriter, r *http.Request) {
				seen.Add(1)
				io.Copy(io.Discard, r.Body)
				panic(http.ErrAbortHandler)
			})
			good := upstreamServer(t, &speak, mirror)
			r := start(t, keyed(backendLine("b0", bad)+backendLine("b1", good), "builtin/stateless", "{}",
				"retry: { on: [reset], body_bytes: 20KiB, budget: 100% }\n    upstream: { protocol: "+protocol+" }"))
			for _, p := range protocols {
				c := r.client(p)
				for _, size := range []int{0, 1, 8 << 10, 8<<10 + 1, 8<<10 + 2, 20<<10 - 1, 20 << 10, 20<<10 + 1, 300 << 10} {
					for _, chunked := range []bool{false, true} {
						codes := map[int]int{}
						for range 2 {
							codes[r.put(c, p, "PUT", size, chunked)]++
						}
						want := map[int]int{200: 2}
						if size > 20<<10 {
							want = map[int]int{200: 1, 502: 1}
						}
						assert.Equal(t, want, codes, "%s %d %v", p, size, chunked)
					}
				}
				codes := map[int]int{}
				for range 2 {
					codes[r.put(c, p, "POST", 10, true)]++
				}
				assert.Equal(t, map[int]int{200: 1, 502: 1}, codes)
			}
		})
	}
}

// upstreamServer is a backend of some protocols.
func upstreamServer(t *testing.T, p *http.Protocols, h http.HandlerFunc) (address string) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s := &http.Server{Handler: h, Protocols: p}
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ln) }()
	t.Cleanup(func() {
		s.Close()
		<-ended
	})
	return ln.Addr().String()
}

// mirror answers with the body, once it has all of it.
func mirror(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	w.Write(body)
}

// put sends a body and checks that what comes back is the same.
func (r *running) put(c *http.Client, protocol, method string, size int, chunked bool) (status int) {
	r.t.Helper()
	data := make([]byte, size)
	for i := range data {
		data[i] = byte(i * 31 >> 3)
	}
	var body io.Reader = bytes.NewReader(data)
	if chunked {
		body = io.MultiReader(body)
	}
	req, err := http.NewRequest(method, r.url(protocol), body)
	require.NoError(r.t, err)
	resp, err := c.Do(req)
	require.NoError(r.t, err)
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	require.NoError(r.t, err)
	if resp.StatusCode == 200 {
		assert.True(r.t, bytes.Equal(data, got), "%s %d", method, size)
	}
	return resp.StatusCode
}

// An upload that is kept is sent on as it comes all the same, and one that a backend broke off goes on to another
// while the client still sends.
func TestAnUploadThatIsKeptIsNotHeldBack(t *testing.T) {
	first := make(chan string, 10)
	bad := serveTCP(t, func(c *net.TCPConn) {
		r, err := http.ReadRequest(bufio.NewReader(c))
		if err != nil {
			return
		}
		p := make([]byte, 5)
		io.ReadFull(r.Body, p)
		first <- "b0 " + string(p)
		c.SetLinger(0)
	})
	good := backend(t, func(w http.ResponseWriter, r *http.Request) {
		p := make([]byte, 5)
		io.ReadFull(r.Body, p)
		first <- "b1 " + string(p)
		rest, _ := io.ReadAll(r.Body)
		io.WriteString(w, string(p)+string(rest))
	})
	yaml := backendLine("b0", bad) + backendLine("b1", strings.TrimPrefix(good.URL, "http://"))
	r := start(t, keyed(yaml, "builtin/stateless", "{}", "retry: { on: [reset], budget: 100% }"))
	for _, p := range protocols {
		c, retried := r.client(p), false
		for range 2 {
			out, in := io.Pipe()
			req, err := http.NewRequest("PUT", r.url(p), out)
			require.NoError(t, err)
			go io.WriteString(in, "hello")
			answer := make(chan string, 1)
			go func() {
				resp, err := c.Do(req)
				if err != nil {
					answer <- err.Error()
					return
				}
				defer resp.Body.Close()
				body, _ := io.ReadAll(resp.Body)
				answer <- string(body)
			}()
			got := <-first // though the body has not ended
			if got == "b0 hello" {
				retried = true
				got = <-first
			}
			assert.Equal(t, "b1 hello", got, p)
			io.WriteString(in, " world")
			in.Close()
			assert.Equal(t, "hello world", <-answer, p)
		}
		assert.True(t, retried, p)
	}
}

// A body of which nothing was read goes to another backend if the first refuses, whatever its size and method.
func TestAStreamedPostGoesElsewhereIfNothingWasWritten(t *testing.T) {
	for _, protocol := range []string{"h1", "h2c"} {
		var speak http.Protocols
		speak.SetHTTP1(true)
		speak.SetUnencryptedHTTP2(true)
		good := upstreamServer(t, &speak, mirror)
		r := start(t, keyed(backendLine("b0", freeAddress(t))+backendLine("b1", good), "builtin/stateless", "{}",
			"upstream: { protocol: "+protocol+" }\n    retry: { budget: 100% }\n"+
				"    health: { passive: { max_ejected: 0% } }"))
		for _, p := range protocols {
			c := r.client(p)
			for range 2 {
				assert.Equal(t, 200, r.put(c, p, "POST", 1<<20, true), "%s to %s", p, protocol)
			}
		}
		assert.Positive(t, r.counter("wedge_upstream_retries_total", ""))
	}
}
