package upstream_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/wedge-lb/wedge/edge/balance"
	"github.com/wedge-lb/wedge/edge/http1"
	"github.com/wedge-lb/wedge/edge/upstream"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A script is what a raw backend does with one connection; it ends with the test.
type script func(c net.Conn, r *bufio.Reader)

// rawBackend runs a script for each connection.
func rawBackend(t testing.TB, s script) *balance.Backend {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var wg sync.WaitGroup
	var mu sync.Mutex
	var conns []net.Conn
	wg.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			conns = append(conns, c)
			mu.Unlock()
			wg.Go(func() {
				defer func() { _ = c.Close() }()
				s(c, bufio.NewReader(c))
			})
		}
	})
	t.Cleanup(func() {
		_ = ln.Close()
		mu.Lock()
		for _, c := range conns {
			_ = c.Close()
		}
		mu.Unlock()
		wg.Wait()
	})
	return backendAt(ln.Addr().String(), "http")
}

func backendAt(address, scheme string) *balance.Backend {
	p := balance.NewPool("pool")
	p.Update([]balance.Spec{{ID: "b", Address: address, Scheme: scheme}})
	return p.Set().Find("b")
}

// transport makes a Transport that the test closes.
func transport(t testing.TB, s upstream.Settings) *upstream.Transport {
	tr := upstream.New(upstream.Options{Defaults: s})
	t.Cleanup(tr.Close)
	return tr
}

func request(method, path string) *http1.Request {
	return &http1.Request{Method: []byte(method), Scheme: []byte("http"), Authority: []byte("x.test"),
		Path: []byte(path), Abort: new(http1.Abort)}
}

// fetch does one exchange and reads the whole answer.
func fetch(tr *upstream.Transport, b *balance.Backend, r *http1.Request) (int, string, error) {
	var a http1.Response
	if err := tr.Do(b, r, &a); err != nil {
		return 0, "", err
	}
	got, err := io.ReadAll(a.Body)
	status := a.Status
	return status, string(got), errors.Join(err, a.Body.Close())
}

func kindOf(t testing.TB, err error) (balance.Kind, bool) {
	var f *balance.Failure
	require.ErrorAs(t, err, &f)
	return f.Kind, f.Sent
}

// readHead reads a request's head; "" at the end of the connection.
func readHead(r *bufio.Reader) string {
	var head strings.Builder
	for {
		l, err := r.ReadString('\n')
		if err != nil {
			return ""
		}
		if l == "\r\n" {
			return head.String()
		}
		head.WriteString(l)
	}
}

func say(c net.Conn, format string, args ...any) { _, _ = fmt.Fprintf(c, format, args...) }

// sized answers every request with its own target.
func sized(c net.Conn, r *bufio.Reader) {
	for {
		head := readHead(r)
		if head == "" {
			return
		}
		target := strings.Fields(head)[1]
		say(c, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(target), target)
	}
}

func stat(t testing.TB, tr *upstream.Transport) upstream.Stat {
	list := tr.Stats()
	require.Len(t, list, 1)
	return list[0]
}

func TestConnectionIsReused(t *testing.T) {
	b, tr := rawBackend(t, sized), transport(t, upstream.Settings{})
	for i := range 5 {
		path := fmt.Sprintf("/%d", i)
		status, body, err := fetch(tr, b, request("GET", path))
		require.NoError(t, err)
		assert.Equal(t, 200, status)
		assert.Equal(t, path, body)
	}
	s := stat(t, tr)
	assert.Equal(t, uint64(1), s.Dialed)
	assert.Equal(t, uint64(4), s.Reused)
	assert.Equal(t, 1, s.Open)
	assert.Equal(t, 1, s.Idle)
}

func TestRequestOnTheWire(t *testing.T) {
	heads := make(chan string, 1)
	b := rawBackend(t, func(c net.Conn, r *bufio.Reader) {
		head := readHead(r)
		body := make([]byte, 5)
		_, _ = io.ReadFull(r, body)
		heads <- head + string(body)
		say(c, "HTTP/1.1 204 No Content\r\n\r\n")
	})
	r := request("POST", "/a")
	r.Query, r.HasQuery = []byte("b"), true
	r.Fields.Add([]byte("X"), []byte("y"))
	r.Length, r.Buffered = 5, []byte("hello")
	status, body, err := fetch(transport(t, upstream.Settings{}), b, r)
	require.NoError(t, err)
	assert.Equal(t, 204, status)
	assert.Empty(t, body)
	assert.Equal(t, "POST /a?b HTTP/1.1\r\nHost: x.test\r\nX: y\r\nContent-Length: 5\r\nhello", <-heads)
}

func TestConnectionIsNotReusedAfter(t *testing.T) {
	const wrong = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwrong"
	for name, answer := range map[string]string{
		"Connection: close":      "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok",
		"HTTP/1.0":               "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
		"bytes behind the body":  "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok" + wrong,
		"bytes behind a 204":     "HTTP/1.1 204 No Content\r\n\r\n" + wrong,
		"bytes behind the chunk": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\nwrong",
	} {
		t.Run(name, func(t *testing.T) {
			b := rawBackend(t, func(c net.Conn, r *bufio.Reader) {
				for readHead(r) != "" {
					say(c, "%s", answer)
				}
			})
			tr := transport(t, upstream.Settings{})
			for range 2 {
				_, body, err := fetch(tr, b, request("GET", "/"))
				require.NoError(t, err)
				assert.NotContains(t, body, "wrong")
			}
			assert.Equal(t, uint64(2), stat(t, tr).Dialed)
			assert.Equal(t, 0, stat(t, tr).Open)
		})
	}
}

// rest lets the time pass after which a connection is looked at before it is used.
func rest() {
	for start := time.Now(); time.Since(start) < 3*time.Millisecond; {
		runtime.Gosched()
	}
}

func TestAnswerThatComesUnaskedIsNotDelivered(t *testing.T) {
	extra, written := make(chan struct{}), make(chan struct{})
	b := rawBackend(t, func(c net.Conn, r *bufio.Reader) {
		if strings.HasPrefix(readHead(r), "GET") {
			say(c, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfirst")
			<-extra
			say(c, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwrong")
			written <- struct{}{}
			_, _ = r.ReadByte()
			return
		}
		say(c, "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsecond")
	})
	tr := transport(t, upstream.Settings{})
	_, body, err := fetch(tr, b, request("GET", "/"))
	require.NoError(t, err)
	assert.Equal(t, "first", body)
	extra <- struct{}{}
	<-written
	rest()
	_, body, err = fetch(tr, b, request("POST", "/"))
	require.NoError(t, err)
	assert.Equal(t, "second", body, "on a new connection")
}

func TestAnswerBodies(t *testing.T) {
	for name, tt := range map[string]struct{ method, answer, want string }{
		"chunked": {
			"GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n3;x\r\ncde\r\n0\r\n\r\n",
			"abcde",
		},
		"until the end": {"GET", "HTTP/1.1 200 OK\r\n\r\nabcde", "abcde"},
		"to HEAD":       {"HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", ""},
		"a 304":         {"GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", ""},
		"after hints": {
			"GET", "HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
			"ok",
		},
		"larger than a buf": {
			"GET", "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + strings.Repeat("x", 100000),
			strings.Repeat("x", 100000),
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := rawBackend(t, func(c net.Conn, r *bufio.Reader) {
				readHead(r)
				say(c, "%s", tt.answer)
			})
			_, body, err := fetch(transport(t, upstream.Settings{}), b, request(tt.method, "/"))
			require.NoError(t, err)
			assert.Equal(t, tt.want, body)
		})
	}
}

func TestTrailersOfAnAnswer(t *testing.T) {
	b := rawBackend(t, func(c net.Conn, r *bufio.Reader) {
		readHead(r)
		say(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX-Sum: 1\r\nContent-Length: 3\r\n\r\n")
	})
	var a http1.Response
	require.NoError(t, transport(t, upstream.Settings{}).Do(b, request("GET", "/"), &a))
	_, err := io.ReadAll(a.Body)
	require.NoError(t, err)
	assert.Equal(t, "X-Sum: 1\r\n", string(http1.AppendFields(nil, *a.Trailers)))
	require.NoError(t, a.Body.Close())
}

func TestAnswerCutShort(t *testing.T) {
	for name, answer := range map[string]string{
		"sized":   "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab",
		"chunked": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
	} {
		t.Run(name, func(t *testing.T) {
			b := rawBackend(t, func(c net.Conn, r *bufio.Reader) {
				readHead(r)
				say(c, "%s", answer)
			})
			tr := transport(t, upstream.Settings{})
			_, body, err := fetch(tr, b, request("GET", "/"))
			assert.ErrorIs(t, err, io.ErrUnexpectedEOF)
			assert.Equal(t, "ab", body)
			assert.Equal(t, 0, stat(t, tr).Open)
		})
	}
}

func TestBadAnswers(t *testing.T) {
	for name, answer := range map[string]string{
		"not HTTP":              "SSH-2.0-OpenSSH_9.9\r\n",
		"length and coding":     "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n",
		"an endless head":       "HTTP/1.1 200 OK\r\n" + strings.Repeat("A: aaaaaaaaaaaaaaaaaaaaaaa\r\n", 3000),
		"an endless line":       "HTTP/1.1 200 " + strings.Repeat("a", 100_000),
		"interim without end":   strings.Repeat("HTTP/1.1 103 Early Hints\r\n\r\n", 20),
		"a switch not asked":    "HTTP/1.1 101 S\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
		"a bare LF in the head": "HTTP/1.1 200 OK\nContent-Length: 2\r\n\r\nok",
	} {
		t.Run(name, func(t *testing.T) {
			b := rawBackend(t, func(c net.Conn, r *bufio.Reader) {
				readHead(r)
				say(c, "%s", answer)
				_, _ = r.ReadByte()
			})
			tr := transport(t, upstream.Settings{})
			_, _, err := fetch(tr, b, request("GET", "/"))
			kind, sent := kindOf(t, err)
			assert.Equal(t, balance.BadAnswer, kind, "%v", err)
			assert.True(t, sent)
			assert.Equal(t, 0, stat(t, tr).Open)
		})
	}
}

func TestConnectFailures(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := ln.Addr().String()
	require.NoError(t, ln.Close())
	tr := transport(t, upstream.Settings{})
	_, _, err = fetch(tr, backendAt(address, "http"), request("GET", "/"))
	kind, sent := kindOf(t, err)
	assert.Equal(t, balance.ConnectFailed, kind)
	assert.False(t, sent)
	assert.Equal(t, 0, stat(t, tr).Open)
}

func TestBlackHole(t *testing.T) {
	b := rawBackend(t, func(_ net.Conn, r *bufio.Reader) { _, _ = io.Copy(io.Discard, r) })
	tr := transport(t, upstream.Settings{ResponseTimeout: 50 * time.Millisecond})
	start := time.Now()
	_, _, err := fetch(tr, b, request("GET", "/"))
	kind, sent := kindOf(t, err)
	assert.Equal(t, balance.TimedOut, kind)
	assert.True(t, sent)
	assert.Less(t, time.Since(start), 2*time.Second)
	assert.Equal(t, 0, stat(t, tr).Open)
}

func TestHeadThatDrips(t *testing.T) {
	b := rawBackend(t, func(c net.Conn, r *bufio.Reader) {
		readHead(r)
		say(c, "HTTP/1.1 200 OK\r\nA: ")
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for range tick.C {
			if _, err := io.WriteString(c, "a"); err != nil {
				return
			}
		}
	})
	tr := transport(t, upstream.Settings{ResponseTimeout: 100 * time.Millisecond})
	start := time.Now()
	_, _, err := fetch(tr, b, request("GET", "/"))
	kind, _ := kindOf(t, err)
	assert.Equal(t, balance.TimedOut, kind)
	assert.Less(t, time.Since(start), 5*time.Second)
}

func TestBodyThatStops(t *testing.T) {
	b := rawBackend(t, func(c net.Conn, r *bufio.Reader) {
		readHead(r)
		say(c, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab")
		_, _ = r.ReadByte()
	})
	tr := transport(t, upstream.Settings{BodyTimeout: 50 * time.Millisecond})
	_, body, err := fetch(tr, b, request("GET", "/"))
	assert.Error(t, err)
	assert.Equal(t, "ab", body)
}

func TestAbortWhileWaitingForTheHead(t *testing.T) {
	arrived := make(chan struct{})
	b := rawBackend(t, func(_ net.Conn, r *bufio.Reader) {
		readHead(r)
		close(arrived)
		_, _ = r.ReadByte()
	})
	tr := transport(t, upstream.Settings{})
	r := request("GET", "/")
	go func() {
		<-arrived
		r.Abort.Abort()
	}()
	_, _, err := fetch(tr, b, r)
	kind, _ := kindOf(t, err)
	assert.Equal(t, balance.ClientGone, kind)
	assert.Equal(t, 0, stat(t, tr).Open)

	_, _, err = fetch(tr, b, r) // aborted before it began
	kind, sent := kindOf(t, err)
	assert.Equal(t, balance.ClientGone, kind)
	assert.False(t, sent)
}

func TestMaxConnections(t *testing.T) {
	hold := make(chan struct{})
	b := rawBackend(t, func(c net.Conn, r *bufio.Reader) {
		for readHead(r) != "" {
			<-hold
			say(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
		}
	})
	tr := transport(t, upstream.Settings{MaxConnections: 1, QueueTimeout: 100 * time.Millisecond})
	first := make(chan error, 1)
	go func() {
		_, _, err := fetch(tr, b, request("GET", "/1"))
		first <- err
	}()
	require.Eventually(t, func() bool {
		l := tr.Stats()
		return len(l) == 1 && l[0].Open == 1
	}, time.Second, time.Millisecond)

	_, _, err := fetch(tr, b, request("GET", "/2"))
	kind, sent := kindOf(t, err)
	assert.Equal(t, balance.Busy, kind)
	assert.False(t, sent)

	gone := request("GET", "/3")
	time.AfterFunc(10*time.Millisecond, gone.Abort.Abort)
	_, _, err = fetch(tr, b, gone)
	kind, _ = kindOf(t, err)
	assert.Equal(t, balance.ClientGone, kind)

	tr.Configure("pool", upstream.Settings{MaxConnections: 1})
	second := make(chan error, 1)
	go func() {
		_, _, err := fetch(tr, b, request("GET", "/4"))
		second <- err
	}()
	hold <- struct{}{}
	require.NoError(t, <-first)
	hold <- struct{}{}
	require.NoError(t, <-second)
	assert.Equal(t, uint64(1), stat(t, tr).Dialed)
}

func TestIdleConnectionsAreClosedInTime(t *testing.T) {
	b := rawBackend(t, sized)
	tr := transport(t, upstream.Settings{IdleTimeout: 30 * time.Millisecond})
	_, _, err := fetch(tr, b, request("GET", "/"))
	require.NoError(t, err)
	assert.Eventually(t, func() bool { return stat(t, tr).Open == 0 }, 5*time.Second, time.Millisecond)
}

func TestConfigureAndRemove(t *testing.T) {
	b := rawBackend(t, sized)
	tr := transport(t, upstream.Settings{})
	get := func() {
		_, _, err := fetch(tr, b, request("GET", "/"))
		require.NoError(t, err)
	}
	get()
	tr.Configure("pool", upstream.Settings{ResponseTimeout: time.Minute})
	get()
	assert.Equal(t, uint64(1), stat(t, tr).Dialed, "a timeout changes nothing of a connection")
	tr.Configure("other", upstream.Settings{Protocol: "h2c"})
	assert.Equal(t, 1, stat(t, tr).Open)
	b.Pool.Update([]balance.Spec{{ID: "b", Address: "127.0.0.1:1", Scheme: "http"}})
	tr.Configure("pool", upstream.Settings{})
	assert.Empty(t, tr.Stats(), "the backend has left")
	get() // a request that holds the old row
	tr.Remove("pool")
	assert.Empty(t, tr.Stats())
}
