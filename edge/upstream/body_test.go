package upstream_test

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedge-lb/wedge/edge/balance"
	"github.com/wedge-lb/wedge/edge/http1"
	"github.com/wedge-lb/wedge/edge/upstream"
)

// echoing answers each request with its body, by net/http's reading of it.
func echoing(c net.Conn, r *bufio.Reader) {
	for {
		q, err := http.ReadRequest(r)
		if err != nil {
			return
		}
		body, err := io.ReadAll(q.Body)
		if err != nil {
			return
		}
		say(c, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	}
}

// A heldBody gives what is written to it, and counts who closed it.
type heldBody struct {
	*io.PipeReader
	closed chan struct{}
}

func newHeldBody() (*heldBody, *io.PipeWriter) {
	r, w := io.Pipe()
	return &heldBody{r, make(chan struct{}, 8)}, w
}

func (h *heldBody) Close() error {
	h.closed <- struct{}{}
	return h.PipeReader.Close()
}

func TestStreamedRequestBodies(t *testing.T) {
	long := strings.Repeat("0123456789", 50_000)
	for name, shape := range map[string]func(io.Reader) io.Reader{
		"in one piece":  func(r io.Reader) io.Reader { return r },
		"in bits":       iotest.HalfReader,
		"end with data": iotest.DataErrReader,
	} {
		for _, length := range []int64{int64(len(long)), http1.Unknown} {
			t.Run(name, func(t *testing.T) {
				tr := transport(t, upstream.Settings{})
				b := rawBackend(t, echoing)
				for range 2 {
					r := request("POST", "/")
					r.Length, r.Body = length, shape(strings.NewReader(long))
					_, got, err := fetch(tr, b, r)
					require.NoError(t, err)
					assert.True(t, long == got)
				}
				assert.Equal(t, uint64(1), stat(t, tr).Dialed)
			})
		}
	}
}

func TestBufferedBodyOfUnknownLength(t *testing.T) {
	tr := transport(t, upstream.Settings{})
	r := request("POST", "/")
	r.Length, r.Buffered = http1.Unknown, []byte("hello")
	_, got, err := fetch(tr, rawBackend(t, echoing), r)
	require.NoError(t, err)
	assert.Equal(t, "hello", got)
}

func TestLargeBufferedBody(t *testing.T) {
	tr := transport(t, upstream.Settings{})
	r := request("POST", "/")
	r.Buffered = bytes.Repeat([]byte("x"), 5<<20)
	r.Length = int64(len(r.Buffered))
	_, got, err := fetch(tr, rawBackend(t, echoing), r)
	require.NoError(t, err)
	assert.Len(t, got, 5<<20)
}

func TestTrailersOfARequest(t *testing.T) {
	heads := make(chan string, 1)
	b := rawBackend(t, func(c net.Conn, r *bufio.Reader) {
		readHead(r)
		heads <- readHead(r) // the chunks up to the empty line
		say(c, "HTTP/1.1 204 No Content\r\n\r\n")
	})
	r := request("POST", "/")
	r.Length, r.Body = http1.Unknown, strings.NewReader("hello")
	r.Trailers = new(http1.Fields)
	r.Trailers.Add([]byte("X-Sum"), []byte("1"))
	r.Trailers.Add([]byte("Host"), []byte("evil"))
	_, _, err := fetch(transport(t, upstream.Settings{}), b, r)
	require.NoError(t, err)
	assert.Equal(t, "5\r\nhello\r\n0\r\nX-Sum: 1\r\n", <-heads)
}

func TestContinue(t *testing.T) {
	b := rawBackend(t, func(c net.Conn, r *bufio.Reader) {
		if !strings.Contains(readHead(r), "Expect: 100-continue") {
			return
		}
		say(c, "HTTP/1.1 100 Continue\r\n\r\n")
		body := make([]byte, 5)
		_, _ = io.ReadFull(r, body)
		say(c, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n%s", body)
	})
	body, w := newHeldBody()
	r := request("POST", "/")
	r.Length, r.Body = 5, body
	r.Fields.Add([]byte("Expect"), []byte("100-continue"))
	var informed []int
	r.Informed = func(status int, _ http1.Fields) error {
		informed = append(informed, status)
		go func() {
			_, _ = io.WriteString(w, "hello")
			_ = w.Close()
		}()
		return nil
	}
	tr := transport(t, upstream.Settings{})
	_, got, err := fetch(tr, b, r)
	require.NoError(t, err)
	assert.Equal(t, "hello", got)
	assert.Equal(t, []int{100}, informed)
	assert.Equal(t, 1, stat(t, tr).Idle)
}

func TestClientThatCannotBeInformed(t *testing.T) {
	b := rawBackend(t, func(c net.Conn, r *bufio.Reader) {
		readHead(r)
		say(c, "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
	})
	r := request("GET", "/")
	r.Informed = func(int, http1.Fields) error { return errors.New("gone") }
	_, _, err := fetch(transport(t, upstream.Settings{}), b, r)
	kind, _ := kindOf(t, err)
	assert.Equal(t, balance.ClientGone, kind)
}

func TestEarlyAnswer(t *testing.T) {
	b := rawBackend(t, func(c net.Conn, r *bufio.Reader) {
		readHead(r)
		say(c, "HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\n\r\nbig")
		_, _ = io.Copy(io.Discard, r)
	})
	body, w := newHeldBody()
	defer func() { _ = w.Close() }()
	r := request("POST", "/")
	r.Length, r.Body = 1<<20, body
	tr := transport(t, upstream.Settings{})
	status, got, err := fetch(tr, b, r)
	require.NoError(t, err)
	assert.Equal(t, 413, status)
	assert.Equal(t, "big", got)
	assert.Len(t, body.closed, 1, "the wait for the client was ended")
	assert.Equal(t, 0, stat(t, tr).Open, "the connection is not used again")
}

func TestAnswerWhileTheBodyIsSent(t *testing.T) {
	b := rawBackend(t, func(c net.Conn, r *bufio.Reader) {
		readHead(r)
		say(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
		for {
			l, err := r.ReadString('\n') // a chunk's size, which is passed back with its data
			if err != nil {
				return
			}
			data, _ := r.ReadString('\n')
			say(c, "%s%s", l, data)
			if l == "0\r\n" {
				return
			}
		}
	})
	body, w := newHeldBody()
	r := request("POST", "/")
	r.Length, r.Body = http1.Unknown, body
	var a http1.Response
	tr := transport(t, upstream.Settings{})
	require.NoError(t, tr.Do(b, r, &a))
	buf := make([]byte, 64)
	for _, word := range []string{"ping", "pong"} {
		_, err := io.WriteString(w, word)
		require.NoError(t, err)
		n, err := a.Body.Read(buf)
		require.NoError(t, err)
		assert.Equal(t, word, string(buf[:n]))
	}
	require.NoError(t, w.Close())
	rest, err := io.ReadAll(a.Body)
	require.NoError(t, err)
	assert.Empty(t, rest)
	require.NoError(t, a.Body.Close())
}

func TestBadRequestBody(t *testing.T) {
	refused := &http1.Error{Status: 400, Reason: "invalid chunk size"}
	for name, tt := range map[string]struct {
		body   io.Reader
		length int64
		want   error
	}{
		"malformed": {
			io.MultiReader(strings.NewReader("abc"), iotest.ErrReader(refused)), http1.Unknown, refused,
		},
		"malformed and sized": {io.MultiReader(strings.NewReader("abc"), iotest.ErrReader(refused)), 10, refused},
		"cut short":           {strings.NewReader("abc"), 10, io.ErrUnexpectedEOF},
		"of no end":           {endless{}, 10, io.ErrNoProgress},
	} {
		t.Run(name, func(t *testing.T) {
			got := make(chan string, 1)
			b := rawBackend(t, func(_ net.Conn, r *bufio.Reader) {
				all, _ := io.ReadAll(r)
				got <- string(all)
			})
			r := request("POST", "/")
			r.Length, r.Body = tt.length, tt.body
			tr := transport(t, upstream.Settings{})
			_, _, err := fetch(tr, b, r)
			kind, sent := kindOf(t, err)
			assert.Equal(t, balance.BadRequestBody, kind)
			assert.True(t, sent)
			assert.ErrorIs(t, err, tt.want)
			assert.NotContains(t, <-got, "\r\n0\r\n", "the backend sees no whole request")
			assert.Equal(t, 0, stat(t, tr).Open)
		})
	}
}

// endless never gives anything.
type endless struct{}

func (endless) Read([]byte) (int, error) { return 0, nil }

func TestBackendThatTakesNoBody(t *testing.T) {
	done := make(chan struct{})
	defer close(done)
	b := rawBackend(t, func(_ net.Conn, r *bufio.Reader) {
		readHead(r)
		<-done
	})
	for name, prepare := range map[string]func(*http1.Request){
		"streamed": func(r *http1.Request) { r.Length, r.Body = 1<<40, zeros{} },
		"buffered": func(r *http1.Request) {
			r.Length, r.Buffered = 64<<20, make([]byte, 64<<20)
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := request("POST", "/")
			prepare(r)
			_, _, err := fetch(transport(t, upstream.Settings{BodyTimeout: 50 * time.Millisecond}), b, r)
			kind, sent := kindOf(t, err)
			assert.Equal(t, balance.TimedOut, kind, "%v", err)
			assert.True(t, sent)
		})
	}
}

// zeros never ends.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

func TestAbortWhileTheBodyIsSent(t *testing.T) {
	arrived := make(chan struct{})
	b := rawBackend(t, func(_ net.Conn, r *bufio.Reader) {
		readHead(r)
		close(arrived)
		_, _ = io.Copy(io.Discard, r)
	})
	body, w := newHeldBody()
	defer func() { _ = w.Close() }()
	r := request("POST", "/")
	r.Length, r.Body = http1.Unknown, body
	go func() {
		<-arrived
		r.Abort.Abort()
	}()
	tr := transport(t, upstream.Settings{})
	_, _, err := fetch(tr, b, r)
	kind, _ := kindOf(t, err)
	assert.Equal(t, balance.ClientGone, kind)
	assert.Len(t, body.closed, 1)
}

func TestSlowUploadIsNoTimeout(t *testing.T) {
	b := rawBackend(t, echoing)
	body, w := newHeldBody()
	r := request("POST", "/")
	r.Length, r.Body = http1.Unknown, body
	go func() {
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for range 10 {
			<-tick.C
			_, _ = io.WriteString(w, "x")
		}
		_ = w.Close()
	}()
	_, got, err := fetch(transport(t, upstream.Settings{ResponseTimeout: 250 * time.Millisecond}), b, r)
	require.NoError(t, err)
	assert.Equal(t, "xxxxxxxxxx", got)
}
