package edge_test

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Over max_connections requests wait in the queue; over that, or when the wait is over, they are refused.
func TestConnectionsToABackendAreBoundedAndTheirQueueToo(t *testing.T) {
	arrived, gate := make(chan struct{}), make(chan struct{})
	s := backend(t, func(w http.ResponseWriter, _ *http.Request) {
		arrived <- struct{}{}
		<-gate
	})
	yaml := fmt.Sprintf("      - { id: b0, url: %q }\n", s.URL)
	for name, tt := range map[string]struct {
		keys string
		wait time.Duration
	}{
		"no queue": {"max_connections: 1, queue: 0", 0},
		"a queue":  {"max_connections: 1, queue: 5, queue_timeout: 50ms", 50 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			text := pool(yaml, "builtin/stateless", "{}")
			r := start(t, strings.Replace(text, "    strategy: s\n", "    strategy: s\n    upstream: { "+tt.keys+" }\n", 1))
			for _, p := range protocols {
				c, first := r.client(p), make(chan int)
				go func() {
					status, _ := get(t, c, r.url(p))
					first <- status
				}()
				<-arrived
				began := time.Now()
				resp, err := c.Get(r.url(p))
				require.NoError(t, err, p)
				resp.Body.Close()
				assert.Equal(t, 503, resp.StatusCode, p)
				assert.Equal(t, "1", resp.Header.Get("Retry-After"), p)
				assert.GreaterOrEqual(t, time.Since(began), tt.wait, p)
				assert.Less(t, time.Since(began), 4*time.Second, p)
				gate <- struct{}{}
				assert.Equal(t, 200, <-first, p)
			}
		})
	}
}

// An idle connection to a backend is closed after idle_timeout.
func TestIdleConnectionsToABackendAreClosed(t *testing.T) {
	var open atomic.Int64
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		switch state {
		case http.StateNew:
			open.Add(1)
		case http.StateClosed:
			open.Add(-1)
		}
	}
	s.Start()
	t.Cleanup(s.Close)
	yaml := fmt.Sprintf("      - { id: b0, url: %q }\n", s.URL)
	text := pool(yaml, "builtin/stateless", "{}")
	r := start(t, strings.Replace(text, "    strategy: s\n", "    strategy: s\n    upstream: { idle_timeout: 100ms }\n", 1))
	status, _ := get(t, r.client("plain"), r.url("plain"))
	require.Equal(t, 200, status)
	require.Eventually(t, func() bool { return open.Load() == 0 }, 10*time.Second, time.Millisecond)
}
