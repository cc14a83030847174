//go:build soak

package edge_test

import (
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// An overload is the requests of an open loop: they come whether or not those before were answered.
type overload struct {
	mu      sync.Mutex
	served  int
	refused []time.Duration // until the 503
	others  []string
}

func (o *overload) ask(c *http.Client, url string) {
	began := time.Now()
	resp, err := c.Get(url)
	took := time.Since(began)
	o.mu.Lock()
	defer o.mu.Unlock()
	if err != nil {
		o.others = append(o.others, err.Error())
		return
	}
	io.Copy(io.Discard, resp.Body)
	resp.Body.Close()
	switch {
	case resp.StatusCode == 200:
		o.served++
	case resp.StatusCode == 503 && resp.Header.Get("Retry-After") != "":
		o.refused = append(o.refused, took)
	default:
		o.others = append(o.others, resp.Status)
	}
}

// At twice the capacity the edge serves at least 80 % of what it serves at its peak, and what is over gets 503
// with Retry-After within 50 ms: of the edge, by its own log. What clients see is theirs as well, who share the
// processors.
func TestOverloadIsShedQuickly(t *testing.T) {
	const slots, work, lasts = 16, 40 * time.Millisecond, 10 * time.Second
	var now, most atomic.Int64
	s := backend(t, func(w http.ResponseWriter, _ *http.Request) {
		if n := now.Add(1); n > most.Load() {
			most.Store(n)
		}
		time.Sleep(work)
		now.Add(-1)
		io.WriteString(w, "ok")
	})
	yaml := fmt.Sprintf("      - { id: b0, url: %q }\n", s.URL)
	for name, queue := range map[string]string{"no queue": "queue: 0", "a queue": "queue: 16, queue_timeout: 20ms"} {
		t.Run(name, func(t *testing.T) {
			r := start(t, keyed(yaml, "builtin/stateless", "{}",
				fmt.Sprintf("limits: { backend_max_in_flight: %d, %s }", slots, queue)))
			for _, p := range []string{"plain", "h2", "h3"} {
				c := r.client(p)
				peak := closedLoop(t, c, r.url(p), slots, lasts/4)
				o, every := new(overload), time.Duration(float64(time.Second)/(2*peak))
				var all sync.WaitGroup
				began := time.Now()
				for n := 0; time.Since(began) < lasts; n++ {
					time.Sleep(time.Until(began.Add(time.Duration(n) * every)))
					all.Go(func() { o.ask(c, r.url(p)) })
				}
				goodput := float64(o.counted()) / time.Since(began).Seconds()
				all.Wait()
				require.NotEmpty(t, o.refused)
				slices.Sort(o.refused)
				late := o.refused[len(o.refused)*99/100]
				own := r.refusals()
				t.Logf("%s: peak %.0f/s, at twice that %.0f/s served, %d refused, 99 %% within %v, by clients %v",
					p, peak, goodput, len(o.refused), own, late)
				assert.Empty(t, o.others)
				assert.GreaterOrEqual(t, goodput, peak*0.8)
				assert.Less(t, own, 50*time.Millisecond)
			}
			assert.LessOrEqual(t, most.Load(), int64(slots))
		})
	}
}

// refusals is how long 99 of 100 answers of 503 have taken at most, by the access log.
func (r *running) refusals() time.Duration {
	var all []time.Duration
	for _, m := range regexp.MustCompile(`"status":503.*?"duration_ns":(\d+)`).FindAllStringSubmatch(r.log.String(), -1) {
		n, err := strconv.ParseInt(m[1], 10, 64)
		require.NoError(r.t, err)
		all = append(all, time.Duration(n))
	}
	require.NotEmpty(r.t, all)
	slices.Sort(all)
	return all[len(all)*99/100]
}

func (o *overload) counted() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.served
}

// closedLoop gives how many requests a second n clients have served that ask again when they are answered.
func closedLoop(t *testing.T, c *http.Client, url string, n int, d time.Duration) float64 {
	var served atomic.Int64
	var all sync.WaitGroup
	began := time.Now()
	for range n {
		all.Go(func() {
			for time.Since(began) < d {
				if status, _ := get(t, c, url); status == 200 {
					served.Add(1)
				}
			}
		})
	}
	all.Wait()
	return float64(served.Load()) / time.Since(began).Seconds()
}
