package upstream_test

import (
	"bufio"
	"errors"
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

	"github.com/wedge-lb/wedge/edge/balance"
	"github.com/wedge-lb/wedge/edge/http1"
	"github.com/wedge-lb/wedge/edge/upstream"
)

// moody answers each request with its own target, in one of many ways, and counts the POSTs of each target.
func moody(posts *sync.Map) script {
	return func(c net.Conn, r *bufio.Reader) {
		for {
			q, err := http.ReadRequest(r)
			if err != nil {
				return
			}
			token := q.URL.Path
			if q.Method == "POST" {
				n, _ := posts.LoadOrStore(token, new(atomic.Int64))
				n.(*atomic.Int64).Add(1)
			}
			mood := rand.IntN(16)
			if mood == 0 { // an early answer
				say(c, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(token), token)
			}
			if _, err := io.Copy(io.Discard, q.Body); err != nil {
				return
			}
			if !answerInMood(c, mood, token) {
				return
			}
		}
	}
}

// answerInMood is false when the connection is to be closed.
func answerInMood(c net.Conn, mood int, token string) bool {
	switch mood {
	case 0:
	case 1:
		return false
	case 2:
		say(c, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(token)+5, token)
		return false
	case 3:
		say(c, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", len(token), token)
		return false
	case 4:
		say(c, "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(token), token)
	case 5:
		say(c, "HTTP/1.1 200 OK\r\n\r\n%s", token)
		return false
	case 6:
		say(c, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s/surplus", len(token), token)
	case 7, 8, 9:
		say(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", len(token), token)
	case 10:
		_ = c.(*net.TCPConn).SetLinger(0)
		return false
	default:
		say(c, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(token), token)
	}
	return true
}

// TestNoAnswerGoesToAnotherRequest mixes everything that can happen to connections: each answer that arrives
// is the one to its own request, no POST arrives twice, and nothing is left open.
func TestNoAnswerGoesToAnotherRequest(t *testing.T) {
	var posts sync.Map
	b, tr := rawBackend(t, moody(&posts)), transport(t, upstream.Settings{MaxConnections: 8})
	var answered, failed atomic.Int64
	var wg sync.WaitGroup
	for client := range 16 {
		wg.Go(func() {
			for i := range 400 {
				token := fmt.Sprintf("/%d/%d", client, i)
				if exchangeToken(t, tr, b, token) {
					answered.Add(1)
				} else {
					failed.Add(1)
				}
			}
		})
	}
	wg.Wait()
	assert.Greater(t, answered.Load(), failed.Load())
	posts.Range(func(token, n any) bool {
		return assert.Equal(t, int64(1), n.(*atomic.Int64).Load(), "POST %s", token)
	})
	tr.Remove("pool")
	require.Empty(t, tr.Stats())
}

// exchangeToken is true if the whole answer came.
func exchangeToken(t *testing.T, tr *upstream.Transport, b *balance.Backend, token string) bool {
	r := request("GET", token)
	switch rand.IntN(4) {
	case 0:
		r.Method, r.Length, r.Buffered = []byte("POST"), 2, []byte("hi")
	case 1:
		r.Method, r.Length, r.Body = []byte("POST"), http1.Unknown, strings.NewReader("hello")
	}
	if rand.IntN(10) == 0 {
		stop := time.AfterFunc(time.Duration(rand.IntN(300))*time.Microsecond, r.Abort.Abort)
		defer stop.Stop()
	}
	_, body, err := fetch(tr, b, r)
	if err == nil {
		return assert.Equal(t, token, body)
	}
	assert.True(t, strings.HasPrefix(token, body), "%q of %q", body, token)
	var f *balance.Failure
	if errors.As(err, &f) {
		assert.NotEqual(t, balance.Busy, f.Kind)
	}
	return false
}
