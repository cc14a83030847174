package proxy_test

import (
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/wedge-lb/wedge/edge/balance"
	"github.com/wedge-lb/wedge/edge/observe"
	"github.com/wedge-lb/wedge/edge/proxy"
)

// watched is a client that notes whether it is looked after.
type watched struct {
	reply
	calls []bool
}

func (w *watched) Watch(on bool) { w.calls = append(w.calls, on) }

// Who leaves the queue, or is taken out of it by the route's time, is counted by the reason; the front is told to
// look after those who wait, and them alone.
func TestWhoLeavesTheQueueIsCounted(t *testing.T) {
	for reason, want := range map[string]int{"client_gone": 0, "route_timeout": 504, "queue_timeout": 503} {
		synctest.Test(t, func(t *testing.T) {
			metrics := observe.New("test")
			b := setUp(t, first("a"), func(r *proxy.Route, _ *proxy.Generation) {
				r.Waits = metrics.Pool("p")
				if reason == "route_timeout" {
					r.Timeout = time.Second
				}
			})
			x, out := new(proxy.Exchange), new(watched)
			request(x)
			x.Reply = out
			b.proxy.Serve(x)
			assert.Equal(t, 200, out.status)
			assert.Empty(t, out.calls, "it does not wait")
			b.pool.SetLimits(balance.Limits{Backend: 1, Queue: 5, Wait: time.Minute})
			for i := range b.pool.Set().Backends {
				b.pool.Set().Row(uint32(i)).Begin(false)
			}
			request(x)
			out = new(watched)
			x.Reply = out
			if reason == "client_gone" {
				time.AfterFunc(time.Second, x.Abort.Abort)
			}
			b.proxy.Serve(x)
			assert.Equal(t, want, out.status)
			assert.Equal(t, []bool{true, false}, out.calls)
			page := httptest.NewRecorder()
			metrics.Handler().ServeHTTP(page, httptest.NewRequest("GET", "/", nil))
			assert.Contains(t, page.Body.String(), `wedge_pool_shed_total{pool="p",reason="`+reason+`"} 1`)
		})
	}
}
