package edge_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// keyed is a pool configuration with more keys.
func keyed(backends, strategy, options, keys string) string {
	return strings.Replace(pool(backends, strategy, options), "    strategy: s\n",
		"    strategy: s\n    "+keys+"\n", 1)
}

// A held is backends, b0, b1, ..., whose requests to /hold last until they are let go.
type held struct {
	t       *testing.T
	arrived chan string // the name of who got a request to /hold
	gates   map[string]chan struct{}
	yaml    string
}

func hold(t *testing.T, n int) *held {
	h := &held{t: t, arrived: make(chan string, 100), gates: map[string]chan struct{}{}}
	var yaml strings.Builder
	for i := range n {
		name := fmt.Sprintf("b%d", i)
		gate := make(chan struct{})
		s := backend(t, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/hold" {
				h.arrived <- name
				select {
				case <-gate:
				case <-r.Context().Done():
				}
			}
			io.WriteString(w, name)
		})
		h.gates[name] = gate
		fmt.Fprintf(&yaml, "      - { id: %s, url: %q }\n", name, s.URL)
	}
	h.yaml = yaml.String()
	return h
}

// start sends a request that lasts, and gives where it is. answer gives what it was answered.
func (h *held) start(c *http.Client, url string) (name string, answer chan string) {
	h.t.Helper()
	answer = h.send(c, url)
	select {
	case name = <-h.arrived:
	case <-time.After(10 * time.Second):
		require.FailNow(h.t, "no request arrived")
	}
	return name, answer
}

// send sends a request that may have to wait.
func (h *held) send(c *http.Client, url string) (answer chan string) {
	answer = make(chan string, 1)
	go func() {
		resp, err := c.Get(url + "/hold")
		if err != nil {
			answer <- err.Error()
			return
		}
		defer resp.Body.Close()
		body, _ := io.ReadAll(resp.Body)
		answer <- fmt.Sprint(resp.StatusCode, " ", string(body))
	}()
	return answer
}

// end lets one request of a backend go.
func (h *held) end(name string) { h.gates[name] <- struct{}{} }

// waiting waits until n requests are in the queue.
func (r *running) waiting(n int) {
	r.t.Helper()
	require.Eventually(r.t, func() bool { return r.counter("wedge_pool_queue_length", "") == n },
		10*time.Second, 2*time.Millisecond)
}

// idle waits until the edge is done with every request, which is a little after the client is.
func (r *running) idle() {
	r.t.Helper()
	require.Eventually(r.t, func() bool {
		return r.counter("wedge_upstream_requests_in_flight", "")+r.counter("wedge_pool_requests_in_flight", "") == 0
	}, 10*time.Second, 2*time.Millisecond)
}

// What is over a limit is refused at once if nobody may wait, and says when to come back.
func TestOverALimitWithoutAQueueIs503AtOnce(t *testing.T) {
	for _, limit := range []string{"max_in_flight", "backend_max_in_flight"} {
		h := hold(t, 1)
		r := start(t, keyed(h.yaml, "builtin/stateless", "{}", "limits: { "+limit+": 1, queue: 0 }"))
		for _, p := range protocols {
			c := r.client(p)
			_, first := h.start(c, r.url(p))
			for range 3 {
				began := time.Now()
				resp, err := c.Get(r.url(p))
				require.NoError(t, err, p)
				resp.Body.Close()
				assert.Equal(t, 503, resp.StatusCode, p)
				seconds, err := strconv.Atoi(resp.Header.Get("Retry-After"))
				require.NoError(t, err, p)
				assert.GreaterOrEqual(t, seconds, 1, p)
				assert.Less(t, time.Since(began), 50*time.Millisecond, p)
			}
			h.end("b0")
			assert.Equal(t, "200 b0", <-first, p)
			r.idle()
			status, _ := get(t, c, r.url(p))
			assert.Equal(t, 200, status, p)
			r.idle()
		}
		assert.Equal(t, 3*len(protocols), r.counter("wedge_pool_shed_total", "queue_full"))
	}
}

// Requests wait for room, the first come first, for a bounded time, and no more than may.
func TestRequestsWaitForRoomInABoundedQueue(t *testing.T) {
	for _, limit := range []string{"max_in_flight", "backend_max_in_flight"} {
		h := hold(t, 1)
		r := start(t, keyed(h.yaml, "builtin/stateless", "{}",
			"limits: { "+limit+": 1, queue: 2, queue_timeout: 20s }"))
		for _, p := range protocols {
			c := r.client(p)
			_, first := h.start(c, r.url(p))
			second := h.send(c, r.url(p))
			r.waiting(1)
			third := h.send(c, r.url(p))
			r.waiting(2)
			status, _ := get(t, c, r.url(p))
			assert.Equal(t, 503, status, p)
			h.end("b0")
			assert.Equal(t, "200 b0", <-first, p)
			<-h.arrived
			r.waiting(1)
			h.end("b0")
			assert.Equal(t, "200 b0", <-second, p)
			<-h.arrived
			h.end("b0")
			assert.Equal(t, "200 b0", <-third, p)
			r.idle()
		}
		r.rewrite("queue_timeout: 20s", "queue_timeout: 50ms")
		require.NoError(t, r.Reload(context.Background()))
		for _, p := range protocols {
			c := r.client(p)
			_, first := h.start(c, r.url(p))
			began := time.Now()
			resp, err := c.Get(r.url(p))
			require.NoError(t, err, p)
			resp.Body.Close()
			assert.Equal(t, 503, resp.StatusCode, p)
			assert.NotEmpty(t, resp.Header.Get("Retry-After"), p)
			assert.GreaterOrEqual(t, time.Since(began), 50*time.Millisecond, p)
			h.end("b0")
			<-first
			r.idle()
		}
		assert.Equal(t, len(protocols), r.counter("wedge_pool_shed_total", "queue_timeout"))
		assert.Positive(t, r.counter("wedge_pool_queue_wait_seconds_count", ""))
	}
}

// A full backend is passed over by every strategy and by the fallback; that is no bad pick.
func TestAFullBackendIsPassedOver(t *testing.T) {
	for name, options := range map[string]string{
		"builtin/stateless":       `{ algorithm: least_load }`,
		"builtin/consistent-hash": `{ key: path }`,
		"builtin/cookie-sticky":   "{}",
	} {
		t.Run(name, func(t *testing.T) {
			h := hold(t, 3)
			r := start(t, keyed(h.yaml, name, options, "limits: { backend_max_in_flight: 1, queue: 0 }"))
			seen := map[string]bool{}
			var answers []chan string
			for range 3 {
				at, answer := h.start(r.client("h1"), r.url("h1"))
				seen[at] = true
				answers = append(answers, answer)
			}
			assert.Len(t, seen, 3)
			status, _ := get(t, r.client("h1"), r.url("h1"))
			assert.Equal(t, 503, status)
			for at := range seen {
				h.end(at)
			}
			for _, a := range answers {
				assert.Contains(t, <-a, "200")
			}
			assert.Zero(t, r.counter("wedge_strategy_faults_total", ""))
		})
	}
}

// Who is pinned waits for the own backend though another has room: the session lives there.
func TestAPinnedRequestWaitsForItsBackend(t *testing.T) {
	h := hold(t, 2)
	r := start(t, keyed(h.yaml, "builtin/cookie-sticky", "{}",
		"limits: { backend_max_in_flight: 1, queue: 5, queue_timeout: 20s }"))
	for _, p := range protocols {
		c := r.client(p)
		_, home := get(t, c, r.url(p))
		r.idle()
		at, first := h.start(c, r.url(p))
		require.Equal(t, home, at, p)
		second := h.send(c, r.url(p))
		r.waiting(1)
		_, other := get(t, r.client(p), r.url(p))
		assert.NotEqual(t, home, other, "a new session goes where there is room")
		h.end(home)
		assert.Equal(t, "200 "+home, <-first, p)
		assert.Equal(t, home, <-h.arrived, p)
		h.end(home)
		assert.Equal(t, "200 "+home, <-second, p)
		r.idle()
	}
	r.rewrite("queue_timeout: 20s", "queue_timeout: 30ms")
	require.NoError(t, r.Reload(context.Background()))
	c := r.client("h2")
	_, home := get(t, c, r.url("h2"))
	r.idle()
	_, first := h.start(c, r.url("h2"))
	status, _ := get(t, c, r.url("h2"))
	assert.Equal(t, 503, status)
	h.end(home)
	<-first
	r.idle()
	status, now := get(t, c, r.url("h2"))
	assert.Equal(t, fmt.Sprint(200, home), fmt.Sprint(status, now), "the pin stays")
}

// A waiting pinned request whose backend goes away is not held up: it is decided on anew.
func TestAPinnedRequestDoesNotWaitForABackendThatIsGone(t *testing.T) {
	h := hold(t, 2)
	r := start(t, keyed(h.yaml, "builtin/cookie-sticky", "{}",
		"limits: { backend_max_in_flight: 1, queue: 5, queue_timeout: 20s }"))
	c := r.client("h1")
	_, home := get(t, c, r.url("h1"))
	r.idle()
	_, first := h.start(c, r.url("h1"))
	second := h.send(c, r.url("h1"))
	r.waiting(1)
	r.setState(home, "maintenance")
	away := <-h.arrived
	assert.NotEqual(t, home, away)
	h.end(away)
	assert.Equal(t, "200 "+away, <-second)
	h.end(home)
	<-first
}

// With a reserve new sessions are shed first.
func TestTheReserveIsForPinnedRequests(t *testing.T) {
	for _, limit := range []string{"max_in_flight", "backend_max_in_flight"} {
		h := hold(t, 1)
		r := start(t, keyed(h.yaml, "builtin/cookie-sticky", "{}",
			"limits: { "+limit+": 4, pinned_reserve: 50%, queue: 0 }"))
		for _, p := range protocols {
			pinned := r.client(p)
			get(t, pinned, r.url(p))
			r.idle()
			var answers []chan string
			for range 2 {
				_, a := h.start(r.client(p), r.url(p))
				answers = append(answers, a)
			}
			status, _ := get(t, r.client(p), r.url(p))
			assert.Equal(t, 503, status, "a new session")
			for range 2 {
				_, a := h.start(pinned, r.url(p))
				answers = append(answers, a)
			}
			status, _ = get(t, pinned, r.url(p))
			assert.Equal(t, 503, status, "over the whole")
			for range answers {
				h.end("b0")
			}
			for _, a := range answers {
				assert.Equal(t, "200 b0", <-a, p)
			}
			r.idle()
		}
	}
}

// The reserve is for pins whoever chooses, also when the strategy that made them is gone.
func TestTheFallbackKeepsTheReserveForPins(t *testing.T) {
	h := hold(t, 2)
	r := start(t, keyed(h.yaml, "builtin/cookie-sticky", "{}",
		"limits: { backend_max_in_flight: 2, pinned_reserve: 50%, queue: 0 }"))
	c := r.client("h2")
	_, home := get(t, c, r.url("h2"))
	r.idle()
	r.rewrite("    strategy: s\n", "    strategy: fallback\n")
	require.NoError(t, r.Reload(t.Context()))
	var answers []chan string
	for range 2 {
		at, a := h.start(c, r.url("h2"))
		assert.Equal(t, home, at)
		answers = append(answers, a)
	}
	status, _ := get(t, c, r.url("h2"))
	assert.Equal(t, 503, status)
	_, other := get(t, r.client("h2"), r.url("h2"))
	assert.NotEqual(t, home, other)
	for _, a := range answers {
		h.end(home)
		assert.Equal(t, "200 "+home, <-a)
	}
}

// A client that leaves while it waits is out of the queue.
func TestAClientThatLeavesLeavesTheQueue(t *testing.T) {
	h := hold(t, 1)
	r := start(t, keyed(h.yaml, "builtin/stateless", "{}", "limits: { max_in_flight: 1, queue_timeout: 60s }"))
	for _, p := range protocols {
		c := r.client(p)
		_, first := h.start(c, r.url(p))
		ctx, leave := context.WithCancel(context.Background())
		req, err := http.NewRequestWithContext(ctx, "GET", r.url(p), nil)
		require.NoError(t, err)
		gone := make(chan error, 1)
		go func() {
			resp, err := c.Do(req)
			if err == nil {
				resp.Body.Close()
			}
			gone <- err
		}()
		r.waiting(1)
		leave()
		require.Error(t, <-gone, p)
		r.waiting(0)
		h.end("b0")
		assert.Equal(t, "200 b0", <-first, p)
		r.idle()
	}
}

// A reload that gives more room lets those in that wait; one that takes the limits away lets all in.
func TestAReloadLooksAtTheQueueAgain(t *testing.T) {
	h := hold(t, 1)
	r := start(t, keyed(h.yaml, "builtin/stateless", "{}", "limits: { max_in_flight: 1, queue_timeout: 60s }"))
	c := r.client("h2")
	_, first := h.start(c, r.url("h2"))
	answers := []chan string{first}
	for i := range 4 {
		answers = append(answers, h.send(c, r.url("h2")))
		r.waiting(i + 1)
	}
	r.rewrite("max_in_flight: 1", "max_in_flight: 2")
	require.NoError(t, r.Reload(context.Background()))
	<-h.arrived
	r.waiting(3)
	r.rewrite("max_in_flight: 2", "backend_max_in_flight: 3")
	require.NoError(t, r.Reload(context.Background()))
	for range 3 { // the bound is not theirs: they have a place of the pool, and wait for the backend
		h.end("b0")
		<-h.arrived
	}
	r.rewrite("backend_max_in_flight: 3", "queue: 7")
	require.NoError(t, r.Reload(context.Background()))
	h.end("b0")
	h.end("b0")
	for _, a := range answers {
		assert.Equal(t, "200 b0", <-a)
	}
	r.waiting(0)
}

// An upgraded stream holds its place until it ends.
func TestAnUpgradedStreamHoldsItsPlace(t *testing.T) {
	s := backend(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") == "" {
			return
		}
		c, rw, err := w.(http.Hijacker).Hijack()
		if err != nil {
			return
		}
		defer c.Close()
		io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n")
		io.Copy(c, rw)
	})
	r := start(t, keyed(fmt.Sprintf("      - { id: b0, url: %q }\n", s.URL), "builtin/stateless", "{}",
		"limits: { max_in_flight: 1, backend_max_in_flight: 1, queue: 0 }"))
	c, err := net.Dial("tcp", strings.TrimPrefix(r.url("plain"), "http://"))
	require.NoError(t, err)
	defer c.Close()
	io.WriteString(c, "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n")
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	require.NoError(t, err)
	require.Equal(t, 101, resp.StatusCode)
	status, _ := get(t, r.client("plain"), r.url("plain"))
	assert.Equal(t, 503, status)
	c.Close()
	require.Eventually(t, func() bool {
		status, _ := get(t, r.client("plain"), r.url("plain"))
		return status == 200
	}, 10*time.Second, 5*time.Millisecond)
}
