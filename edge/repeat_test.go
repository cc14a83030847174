package edge_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
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
	yaml := fmt.Sprintf("      - { id: b0, url: \"http://%s\" }\n", onceEach(t, &seen))
	r := start(t, pool(yaml, "builtin/stateless", "{}"))
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
