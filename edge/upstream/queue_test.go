package upstream_test

import (
	"bufio"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedge-lb/wedge/edge/balance"
	"github.com/wedge-lb/wedge/edge/upstream"
)

// gated answers each request with its target once it is let through; order tells the targets as they arrive.
func gated(gate <-chan struct{}, order chan<- string) script {
	return func(c net.Conn, r *bufio.Reader) {
		for head := readHead(r); head != ""; head = readHead(r) {
			target := strings.Fields(head)[1]
			order <- target
			<-gate
			say(c, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(target), target)
		}
	}
}

// waiting asserts how many requests wait for a connection.
func waiting(t *testing.T, tr *upstream.Transport, n int) {
	t.Helper()
	require.Eventually(t, func() bool { return stat(t, tr).Waiting == n }, 5*time.Second, time.Millisecond)
}

func TestTheQueueIsBoundedAndInOrder(t *testing.T) {
	gate, order := make(chan struct{}), make(chan string, 10)
	b, tr := rawBackend(t, gated(gate, order)), transport(t, upstream.Settings{MaxConnections: 1, Queue: 4})
	results := make(chan error, 10)
	ask := func(path string) {
		go func() {
			_, _, err := fetch(tr, b, request("GET", path))
			results <- err
		}()
	}
	ask("/0")
	assert.Equal(t, "/0", <-order)
	gone := request("GET", "/gone")
	for i := 1; i <= 4; i++ {
		if i == 2 { // in the middle of the queue
			go func() {
				_, _, err := fetch(tr, b, gone)
				results <- err
			}()
		} else {
			ask(fmt.Sprintf("/%d", i))
		}
		waiting(t, tr, i)
	}
	start := time.Now()
	_, _, err := fetch(tr, b, request("GET", "/over"))
	kind, sent := kindOf(t, err)
	assert.Equal(t, balance.Busy, kind)
	assert.False(t, sent)
	assert.Less(t, time.Since(start), time.Second, "refused at once")

	gone.Abort.Abort()
	kind, _ = kindOf(t, <-results)
	assert.Equal(t, balance.ClientGone, kind)
	waiting(t, tr, 3)
	ask("/5") // in the room that was left
	waiting(t, tr, 4)
	for _, want := range []string{"/1", "/3", "/4", "/5"} {
		gate <- struct{}{}
		require.NoError(t, <-results)
		assert.Equal(t, want, <-order)
	}
	gate <- struct{}{}
	require.NoError(t, <-results)
	waiting(t, tr, 0)
	assert.EqualValues(t, 1, stat(t, tr).Dialed)
}

func TestThereMayBeNoQueue(t *testing.T) {
	gate, order := make(chan struct{}), make(chan string, 1)
	b, tr := rawBackend(t, gated(gate, order)), transport(t, upstream.Settings{MaxConnections: 1, Queue: -1})
	first := make(chan error)
	go func() {
		_, _, err := fetch(tr, b, request("GET", "/"))
		first <- err
	}()
	<-order
	_, _, err := fetch(tr, b, request("GET", "/"))
	kind, _ := kindOf(t, err)
	assert.Equal(t, balance.Busy, kind)
	gate <- struct{}{}
	require.NoError(t, <-first)
}

// TestTheQueueEndsWithItsTime leaves nothing behind that a connection could be given to.
func TestTheQueueEndsWithItsTime(t *testing.T) {
	gate, order := make(chan struct{}), make(chan string, 1)
	b := rawBackend(t, gated(gate, order))
	tr := transport(t, upstream.Settings{MaxConnections: 1, QueueTimeout: 20 * time.Millisecond})
	results := make(chan error, 20)
	go func() {
		_, _, err := fetch(tr, b, request("GET", "/"))
		results <- err
	}()
	<-order
	for range 19 {
		go func() {
			_, _, err := fetch(tr, b, request("GET", "/"))
			results <- err
		}()
	}
	for range 19 {
		kind, _ := kindOf(t, <-results)
		assert.Equal(t, balance.Busy, kind)
	}
	waiting(t, tr, 0)
	gate <- struct{}{}
	require.NoError(t, <-results)
	assert.Equal(t, 1, stat(t, tr).Idle)
}
