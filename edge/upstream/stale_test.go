package upstream_test

import (
	"bufio"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedge-lb/wedge/edge/balance"
	"github.com/wedge-lb/wedge/edge/http1"
	"github.com/wedge-lb/wedge/edge/upstream"
)

// oneEach answers one request for each connection and closes it without a word; closed tells when.
func oneEach(closed chan<- struct{}) script {
	return func(c net.Conn, r *bufio.Reader) {
		if readHead(r) == "" {
			return
		}
		say(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
		_ = c.Close()
		closed <- struct{}{}
	}
}

func TestStaleConnectionIsSeenBeforeAnythingIsSent(t *testing.T) {
	for name, prepare := range map[string]func(*http1.Request){
		"GET": func(*http1.Request) {},
		"POST": func(r *http1.Request) {
			r.Method, r.Length, r.Buffered = []byte("POST"), 2, []byte("hi")
		},
		"streamed POST": func(r *http1.Request) {
			r.Method, r.Length, r.Body = []byte("POST"), 2, strings.NewReader("hi")
		},
	} {
		t.Run(name, func(t *testing.T) {
			closed := make(chan struct{}, 10)
			b, tr := rawBackend(t, oneEach(closed)), transport(t, upstream.Settings{})
			for i := range 3 {
				r := request("GET", "/")
				prepare(r)
				status, _, err := fetch(tr, b, r)
				require.NoError(t, err, "request %d", i)
				assert.Equal(t, 200, status)
				<-closed
				rest()
			}
			assert.Equal(t, uint64(3), stat(t, tr).Dialed)
		})
	}
}

// dropping answers the first request of a connection and closes it when it has read a second one, until it
// has seen so many connections; seen counts the requests.
func dropping(seen *atomic.Int64) script {
	return func(c net.Conn, r *bufio.Reader) {
		for first := true; readHead(r) != ""; first = false {
			seen.Add(1)
			if !first {
				return
			}
			say(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
		}
	}
}

func TestIdempotentRequestIsRepeatedOnce(t *testing.T) {
	for _, method := range []string{"GET", "OPTIONS", "PUT", "DELETE"} {
		t.Run(method, func(t *testing.T) {
			var seen atomic.Int64
			b, tr := rawBackend(t, dropping(&seen)), transport(t, upstream.Settings{})
			for range 2 {
				_, _, err := fetch(tr, b, request(method, "/"))
				require.NoError(t, err)
			}
			assert.Equal(t, int64(3), seen.Load())
		})
	}
}

func TestARepeatIsAskedFor(t *testing.T) {
	var seen atomic.Int64
	b, tr := rawBackend(t, dropping(&seen)), transport(t, upstream.Settings{})
	asked, allowed := 0, true
	ask := func() error {
		r := request("GET", "/")
		r.Again = func() bool { asked++; return allowed }
		_, _, err := fetch(tr, b, r)
		return err
	}
	require.NoError(t, ask())
	require.Zero(t, asked, "a new connection")
	require.NoError(t, ask())
	require.Equal(t, 1, asked)
	require.EqualValues(t, 3, seen.Load())
	allowed = false
	kind, sent := kindOf(t, ask())
	assert.Equal(t, balance.Reset, kind)
	assert.True(t, sent)
	assert.Equal(t, 2, asked)
	assert.EqualValues(t, 4, seen.Load(), "not sent again")
}

func TestWhatWasNotSentNeedsNoPermission(t *testing.T) {
	closed := make(chan struct{}, 10)
	b, tr := rawBackend(t, oneEach(closed)), transport(t, upstream.Settings{})
	for i := range 3 {
		r := request("GET", "/")
		r.Again = func() bool { t.Error("asked"); return false }
		_, _, err := fetch(tr, b, r)
		require.NoError(t, err, "request %d", i)
		<-closed
		rest()
	}
}

func TestLargeBufferedBodyIsRepeatedWhole(t *testing.T) {
	var conns atomic.Int64
	b := rawBackend(t, func(c net.Conn, r *bufio.Reader) {
		if conns.Add(1) > 1 {
			echoing(c, r)
			return
		}
		readHead(r)
		say(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
		readHead(r)
		_, _ = r.Discard(100_000)
	})
	tr := transport(t, upstream.Settings{})
	_, _, err := fetch(tr, b, request("GET", "/"))
	require.NoError(t, err)
	r := request("PUT", "/")
	r.Buffered = []byte(strings.Repeat("x", 100_000))
	r.Length = int64(len(r.Buffered))
	_, body, err := fetch(tr, b, r)
	require.NoError(t, err)
	assert.True(t, string(r.Buffered) == body)
}

func TestRequestThatMayHaveArrivedIsNotRepeated(t *testing.T) {
	for name, prepare := range map[string]func(*http1.Request){
		"POST":  func(r *http1.Request) { r.Method = []byte("POST") },
		"PATCH": func(r *http1.Request) { r.Method = []byte("PATCH") },
		"streamed PUT": func(r *http1.Request) {
			r.Method, r.Length, r.Body = []byte("PUT"), 2, strings.NewReader("hi")
		},
		"an upgrade": func(r *http1.Request) { r.Upgrade = []byte("websocket") },
	} {
		t.Run(name, func(t *testing.T) {
			var seen atomic.Int64
			b, tr := rawBackend(t, dropping(&seen)), transport(t, upstream.Settings{})
			_, _, err := fetch(tr, b, request("GET", "/"))
			require.NoError(t, err)
			r := request("GET", "/")
			prepare(r)
			_, _, err = fetch(tr, b, r)
			kind, sent := kindOf(t, err)
			assert.Equal(t, balance.Reset, kind)
			assert.True(t, sent)
			assert.Equal(t, int64(2), seen.Load())
			assert.Equal(t, 0, stat(t, tr).Open)
		})
	}
}

func TestNewConnectionThatEndsIsNotTriedAgain(t *testing.T) {
	var seen atomic.Int64
	b := rawBackend(t, func(_ net.Conn, r *bufio.Reader) {
		readHead(r)
		seen.Add(1)
	})
	_, _, err := fetch(transport(t, upstream.Settings{}), b, request("GET", "/"))
	kind, sent := kindOf(t, err)
	assert.Equal(t, balance.Reset, kind)
	assert.True(t, sent)
	assert.Equal(t, int64(1), seen.Load())
}

func TestAnswerThatBeganIsNotTriedAgain(t *testing.T) {
	var seen atomic.Int64
	b := rawBackend(t, func(c net.Conn, r *bufio.Reader) {
		for readHead(r) != "" {
			if seen.Add(1) == 2 {
				say(c, "HTTP/1.1 200 OK\r\nContent-")
				return
			}
			say(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
		}
	})
	tr := transport(t, upstream.Settings{})
	_, _, err := fetch(tr, b, request("GET", "/"))
	require.NoError(t, err)
	_, _, err = fetch(tr, b, request("GET", "/"))
	kind, _ := kindOf(t, err)
	assert.Equal(t, balance.Reset, kind)
	assert.ErrorIs(t, err, io.ErrUnexpectedEOF)
	assert.Equal(t, int64(2), seen.Load())
}

func TestResetIsAFailure(t *testing.T) {
	b := rawBackend(t, func(c net.Conn, r *bufio.Reader) {
		readHead(r)
		_ = c.(*net.TCPConn).SetLinger(0)
	})
	_, _, err := fetch(transport(t, upstream.Settings{}), b, request("POST", "/"))
	kind, sent := kindOf(t, err)
	assert.Equal(t, balance.Reset, kind)
	assert.True(t, sent)
}
