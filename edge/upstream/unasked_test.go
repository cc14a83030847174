package upstream_test

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedge-lb/wedge/edge/upstream"
)

const unasked = "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\nunasked"

// blurting gives answer to a request for /first and, when it is told to, one that nobody asked for; other
// requests are answered by their own target.
func blurting(answer string, now <-chan struct{}, done chan<- struct{}) script {
	return func(c net.Conn, r *bufio.Reader) {
		for head := readHead(r); head != ""; head = readHead(r) {
			target := strings.Fields(head)[1]
			if target != "/first" {
				say(c, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(target), target)
				continue
			}
			say(c, "%s", answer)
			<-now
			say(c, unasked)
			done <- struct{}{}
		}
	}
}

// TestAnswerIsLookedBehindHoweverSoonTheNextRequestComes is of backends that send the body of an answer that has none by rule,
// and of requests that follow at once.
func TestAnswerIsLookedBehindHoweverSoonTheNextRequestComes(t *testing.T) {
	large := strings.Repeat("x", 100_000)
	for name, tt := range map[string]struct{ method, answer string }{
		"to HEAD":     {"HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 44\r\n\r\n"},
		"204":         {"GET", "HTTP/1.1 204 No Content\r\n\r\n"},
		"304":         {"GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 44\r\n\r\n"},
		"of length 0": {"GET", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"},
		"large":       {"GET", "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + large},
	} {
		t.Run(name, func(t *testing.T) {
			now, done := make(chan struct{}), make(chan struct{})
			b, tr := rawBackend(t, blurting(tt.answer, now, done)), transport(t, upstream.Settings{})
			for i := range 20 {
				_, _, err := fetch(tr, b, request(tt.method, "/first"))
				require.NoError(t, err)
				now <- struct{}{}
				<-done
				_, body, err := fetch(tr, b, request("POST", "/second"))
				require.NoError(t, err)
				require.Equal(t, "/second", body, "round %d", i)
			}
		})
	}
}

func TestTLSAnswerWithoutABodyIsLookedBehind(t *testing.T) {
	now, done := make(chan struct{}), make(chan struct{})
	s, settings := secureBackend(t, "h1", echoHandler) // for its certificate
	b := rawBackend(t, func(c net.Conn, _ *bufio.Reader) {
		secure := tls.Server(c, &tls.Config{Certificates: s.TLS.Certificates})
		blurting("HTTP/1.1 204 No Content\r\n\r\n", now, done)(secure, bufio.NewReader(secure))
	})
	secure, tr := backendAt(b.Address, "https"), transport(t, settings)
	for i := range 10 {
		_, _, err := fetch(tr, secure, request("GET", "/first"))
		require.NoError(t, err)
		now <- struct{}{}
		<-done
		_, body, err := fetch(tr, secure, request("POST", "/second"))
		require.NoError(t, err)
		require.Equal(t, "/second", body, "round %d", i)
	}
}

// TestAWaiterIsHandedNoAnswerOfAnother fills the one connection of a pool and lets others wait for it.
func TestAWaiterIsHandedNoAnswerOfAnother(t *testing.T) {
	b := rawBackend(t, func(c net.Conn, r *bufio.Reader) {
		for head := readHead(r); head != ""; head = readHead(r) {
			// one write: what is behind the body is there when the body has been read to its end
			say(c, "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n%-100000s%s", strings.Fields(head)[1], unasked)
		}
	})
	tr := transport(t, upstream.Settings{MaxConnections: 1})
	var all sync.WaitGroup
	for i := range 20 {
		all.Go(func() {
			want := fmt.Sprintf("/%d", i)
			_, body, err := fetch(tr, b, request("POST", want))
			if assert.NoError(t, err) {
				assert.Equal(t, want, strings.TrimSpace(body))
			}
		})
	}
	all.Wait()
}

// TestAWaiterIsHandedNoOldConnection though it was young when the exchange before began.
func TestAWaiterIsHandedNoOldConnection(t *testing.T) {
	hold, served := make(chan struct{}), make(chan struct{}, 2)
	b := rawBackend(t, func(c net.Conn, r *bufio.Reader) {
		for readHead(r) != "" {
			served <- struct{}{}
			<-hold
			say(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
		}
	})
	const lifetime = 30 * time.Millisecond
	tr := transport(t, upstream.Settings{MaxConnections: 1, Lifetime: lifetime})
	results := make(chan error, 2)
	ask := func() {
		_, _, err := fetch(tr, b, request("GET", "/"))
		results <- err
	}
	go ask()
	<-served
	began := time.Now()
	go ask()
	require.Eventually(t, func() bool { return time.Since(began) > 2*lifetime }, time.Second, time.Millisecond)
	hold <- struct{}{}
	require.NoError(t, <-results)
	hold <- struct{}{}
	require.NoError(t, <-results)
	assert.EqualValues(t, 2, stat(t, tr).Dialed)
}
