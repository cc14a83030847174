package edge_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// What backends report of their load decides, where a strategy asks for it; clients never see it.
func TestBackendsReportTheirLoad(t *testing.T) {
	var busy, percent atomic.Int64 // the backend that is, and how much
	yaml, counts := "", [2]atomic.Int64{}
	for i := range 2 {
		s := backend(t, func(w http.ResponseWriter, _ *http.Request) {
			counts[i].Add(1)
			share := 0.2
			if busy.Load() == int64(i) {
				share = float64(percent.Load()) / 100
			}
			if i == 0 {
				w.Header().Set("Endpoint-Load-Metrics", fmt.Sprintf("TEXT cpu_utilization=0.5,application_utilization=%g", share))
				w.Header().Set("Trailer", "Endpoint-Load-Metrics, X-More")
				defer func() {
					w.Header().Set("X-More", "yes")
					w.Header().Set("Endpoint-Load-Metrics", "TEXT cpu_utilization=0.5")
				}()
			} else {
				w.Header().Set("endpoint-load-metrics", fmt.Sprintf(`JSON {"cpu_utilization": %g}`, share))
			}
			io.WriteString(w, "ok")
		})
		yaml += backendLine(fmt.Sprint("b", i), strings.TrimPrefix(s.URL, "http://"))
	}
	percent.Store(30)
	r := start(t, pool(yaml, "builtin/stateless", "{ algorithm: least_utilization }"))
	const requests = 400
	for _, p := range protocols {
		c := r.client(p)
		for _, who := range []int64{0, 1} {
			busy.Store(who)
			percent.Add(11) // more than what the other is known for
			counts[0].Store(0)
			counts[1].Store(0)
			for range requests {
				resp, err := c.Get(r.url(p))
				require.NoError(t, err, p)
				assert.Empty(t, resp.Header.Get("endpoint-load-metrics"), p)
				io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
				assert.Empty(t, resp.Trailer.Get("endpoint-load-metrics"), p)
			}
			assert.Greater(t, counts[1-who].Load(), counts[who].Load()*3, p)
		}
	}
	r.rewrite("least_utilization", "round_robin")
	require.NoError(t, r.Reload(t.Context()))
	resp, err := r.client("h1").Get(r.url("h1"))
	require.NoError(t, err)
	resp.Body.Close()
	assert.Empty(t, resp.Header.Get("endpoint-load-metrics"))
}
