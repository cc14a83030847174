package observe_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedge-lb/wedge/edge/balance"
	"github.com/wedge-lb/wedge/edge/observe"
)

func TestRequestsAreCountedByRouteProtocolAndClass(t *testing.T) {
	m := observe.New("1.0")
	r := m.Route("shop.example.com", "/app/**")
	r.Done(0, "h1", 200, time.Millisecond)
	r.Done(1, "h1", 204, 2*time.Millisecond)
	r.Done(2, "h2", 503, time.Second)
	r.Done(3, "h3", 499, -time.Second)
	r.Done(4, "h3", 0, 0)
	r.Done(5, "h3", 999, 0)
	r.Done(6, "spdy", 200, 0)
	r.Retried(7)
	m.Route("other", "1")
	lines := scrape(t, m)
	const of = `{code_class="%s",proto="%s",route="/app/**",site="shop.example.com"} %d`
	total := func(class, proto string, n int) string {
		return "wedge_http_requests_total" + fmt.Sprintf(of, class, proto, n)
	}
	assert.ElementsMatch(t, []string{
		total("2xx", "h1", 3), total("5xx", "h2", 1), total("4xx", "h3", 1), total("other", "h3", 2),
	}, named(lines, "wedge_http_requests_total"))
	assert.ElementsMatch(t, []string{
		`wedge_upstream_retries_total{route="/app/**",site="shop.example.com"} 1`,
		`wedge_upstream_retries_total{route="1",site="other"} 0`,
	}, named(lines, "wedge_upstream_retries_total"))
	assert.Contains(t, lines,
		`wedge_http_request_duration_seconds_sum{proto="h1",route="/app/**",site="shop.example.com"} 0.003`)
	assert.Contains(t, lines,
		`wedge_http_request_duration_seconds_count{proto="h3",route="/app/**",site="shop.example.com"} 3`)
}

func TestAValueOnABoundIsInItsBucket(t *testing.T) {
	bounds := []string{"0.0005", "0.001", "0.0025", "0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5",
		"1", "2.5", "5", "10", "30", "60"}
	for i, bound := range bounds {
		d, err := time.ParseDuration(bound + "s")
		require.NoError(t, err)
		for _, over := range []time.Duration{-1, 0, 1} {
			t.Run(fmt.Sprint(d, over), func(t *testing.T) {
				m := observe.New("1.0")
				m.Route("s", "r").Done(0, "h1", 200, d+over)
				lines := strings.Join(named(scrape(t, m), "wedge_http_request_duration_seconds_bucket"), "\n")
				for j, b := range bounds {
					n := 0
					if j > i || j == i && over <= 0 {
						n = 1
					}
					assert.Contains(t, lines, fmt.Sprintf(`site="s",le="%s"} %d`, b, n))
				}
				assert.Contains(t, lines, `le="+Inf"} 1`)
			})
		}
	}
}

func TestAttemptsAreCountedByBackend(t *testing.T) {
	m := observe.New("1.0")
	b := m.Backend("shop", "shop-1")
	b.Answered(0, 200)
	b.Answered(1, 200)
	b.Answered(2, 302)
	b.Failed(3, "connect")
	b.Failed(4, "connect")
	b.Failed(5, "a reason nobody knows")
	lines := scrape(t, m)
	assert.ElementsMatch(t, []string{
		`wedge_upstream_requests_total{backend="shop-1",code_class="2xx",pool="shop"} 2`,
		`wedge_upstream_requests_total{backend="shop-1",code_class="3xx",pool="shop"} 1`,
	}, named(lines, "wedge_upstream_requests_total"))
	assert.ElementsMatch(t, []string{
		`wedge_upstream_errors_total{backend="shop-1",pool="shop",reason="connect"} 2`,
		`wedge_upstream_errors_total{backend="shop-1",pool="shop",reason="other"} 1`,
	}, named(lines, "wedge_upstream_errors_total"))
}

func TestEveryFailureAndOutcomeHasItsOwnLabel(t *testing.T) {
	m := observe.New("1.0")
	for k := balance.ConnectFailed; k <= balance.BadRequestBody; k++ {
		m.Backend("p", "b").Failed(0, k.String())
	}
	for o := range balance.Outcomes {
		m.Strategy("s").Decided(0, balance.Outcome(o).String(), 0)
	}
	lines := scrape(t, m)
	assert.Len(t, named(lines, "wedge_upstream_errors_total"), int(balance.BadRequestBody))
	assert.Len(t, named(lines, "wedge_strategy_decisions_total"), balance.Outcomes)
	for _, l := range slices.Concat(named(lines, "wedge_upstream_errors"), named(lines, "wedge_strategy_decisions")) {
		assert.True(t, strings.HasSuffix(l, " 1"), l)
		assert.NotContains(t, l, `"other"`)
	}
}

func TestDecisionsAndFaultsAreCountedByStrategy(t *testing.T) {
	m := observe.New("1.0")
	s := m.Strategy("spread")
	s.Decided(0, "new", 150*time.Nanosecond)
	s.Decided(9, "hit", 20*time.Millisecond)
	s.Fault("trap")
	s.Fault("trap")
	for i := range 100 {
		s.Fault(fmt.Sprint("kind ", i))
	}
	lines := scrape(t, m)
	assert.ElementsMatch(t, []string{
		`wedge_strategy_decisions_total{outcome="new",strategy="spread"} 1`,
		`wedge_strategy_decisions_total{outcome="hit",strategy="spread"} 1`,
		`wedge_strategy_decisions_total{outcome="repick",strategy="spread"} 0`,
		`wedge_strategy_decisions_total{outcome="fallback",strategy="spread"} 0`,
		`wedge_strategy_decisions_total{outcome="rejected",strategy="spread"} 0`,
	}, named(lines, "wedge_strategy_decisions_total"))
	assert.Contains(t, lines, `wedge_strategy_decision_duration_seconds_bucket{strategy="spread",le="1e-07"} 0`)
	assert.Contains(t, lines, `wedge_strategy_decision_duration_seconds_bucket{strategy="spread",le="2e-07"} 1`)
	assert.Contains(t, lines, `wedge_strategy_decision_duration_seconds_bucket{strategy="spread",le="0.01"} 1`)
	assert.Contains(t, lines, `wedge_strategy_decision_duration_seconds_bucket{strategy="spread",le="+Inf"} 2`)
	assert.Contains(t, lines, `wedge_strategy_faults_total{kind="trap",strategy="spread"} 2`)
	assert.Len(t, named(lines, "wedge_strategy_faults_total"), 33, "kinds are bounded")
}

func TestHandlesLiveAsLongAsTheyAreAskedFor(t *testing.T) {
	m := observe.New("1.0")
	first := m.Mark()
	m.Retain(first)
	stays, leaves := m.Route("s", "stays"), m.Route("s", "leaves")
	m.Backend("p", "leaves").Answered(0, 200)
	m.Strategy("leaves")
	stays.Done(0, "h1", 200, 0)
	leaves.Done(0, "h1", 200, 0)

	m.Mark() // a configuration that was refused in the end
	m.Route("s", "never")

	mark := m.Mark()
	assert.Same(t, stays, m.Route("s", "stays"))
	assert.Contains(t, strings.Join(scrape(t, m), "\n"), "leaves", "until the new one is in force")
	m.Retain(mark)
	lines := strings.Join(scrape(t, m), "\n")
	assert.Contains(t, lines, `wedge_http_requests_total{code_class="2xx",proto="h1",route="stays",site="s"} 1`)
	assert.NotContains(t, lines, "leaves")
	assert.NotContains(t, lines, "never")
	leaves.Done(0, "h1", 200, 0) // requests in progress still hold it
	assert.NotSame(t, leaves, m.Route("s", "leaves"))
}

func TestHandlesThatAreNilCountNothing(t *testing.T) {
	var r *observe.Route
	var b *observe.Backend
	var s *observe.Strategy
	r.Done(0, "h1", 200, 0)
	r.Retried(0)
	b.Answered(0, 200)
	b.Failed(0, "connect")
	s.Decided(0, "new", 0)
	s.Fault("trap")
}

func TestWhatIsWatchedIsReadAtEachScrape(t *testing.T) {
	m := observe.New("1.0")
	var inFlight int64 = 3
	require.NoError(t, m.WatchBackends(func(emit func(pool, backend, state string, inFlight int64)) {
		emit("shop", "shop-1", "draining", inFlight)
		emit("shop", "bad\xff", "ready", 0)
	}))
	require.NoError(t, m.WatchCertificates(func(emit func(string, time.Time)) {
		emit("shop.example.com", time.Unix(1_800_000_000, 0))
	}))
	require.NoError(t, m.WatchConnections(func(emit func(string, int64)) { emit("h2", 12) }))
	require.NoError(t, m.WatchPools(func(emit func(string, bool)) { emit("shop", true) }))
	dropped := observe.Family{Name: "wedge_access_log_dropped_total", Help: "Lines.", Counter: true}
	require.NoError(t, m.Watch(dropped, func(emit observe.Emit) { emit(7) }))
	lines := scrape(t, m)
	for _, want := range []string{
		`wedge_backend_state{backend="shop-1",pool="shop",state="draining"} 1`,
		`wedge_backend_state{backend="shop-1",pool="shop",state="ready"} 0`,
		"wedge_backend_state{backend=\"bad\uFFFD\",pool=\"shop\",state=\"ready\"} 1",
		`wedge_upstream_requests_in_flight{backend="shop-1",pool="shop"} 3`,
		`wedge_certificate_not_after_timestamp_seconds{name="shop.example.com"} 1.8e+09`,
		`wedge_connections{proto="h2"} 12`,
		`wedge_pool_panic{pool="shop"} 1`,
		`wedge_access_log_dropped_total 7`,
	} {
		assert.Contains(t, lines, want)
	}
	inFlight = 4
	assert.Contains(t, scrape(t, m), `wedge_upstream_requests_in_flight{backend="shop-1",pool="shop"} 4`)
	err := m.WatchConnections(func(func(string, int64)) {})
	assert.ErrorContains(t, err, "metric wedge_connections: ")
}

func TestTheEdgeTellsOfItself(t *testing.T) {
	m := observe.New("1.2.3")
	lines := scrape(t, m)
	assert.Contains(t, lines, "wedge_config_last_reload_successful 1")
	assert.Regexp(t, `wedge_build_info{goversion="go1\.[^"]*",version="1\.2\.3"} 1`, strings.Join(lines, "\n"))
	assert.NotEmpty(t, named(lines, "go_goroutines"))
	m.Reloaded(false)
	assert.Contains(t, scrape(t, m), "wedge_config_last_reload_successful 0")
	m.Reloaded(true)
	assert.Contains(t, scrape(t, m), "wedge_config_last_reload_successful 1")
}

// TestCountsDuringScrapes is a hammer: nothing that many goroutines count at once gets lost.
func TestCountsDuringScrapes(t *testing.T) {
	m := observe.New("1.0")
	const goroutines, rounds = 8, 5000
	var wg sync.WaitGroup
	for g := range goroutines {
		wg.Go(func() {
			r, b, s := m.Route("s", "r"), m.Backend("p", "b"), m.Strategy("x")
			for i := range rounds {
				r.Done(uint32(g), "h2", 200, time.Duration(i))
				b.Answered(uint32(i), 200)
				s.Decided(uint32(i*g), "new", time.Duration(i+1))
			}
		})
	}
	wg.Go(func() {
		for range 20 {
			scrape(t, m)
			m.Retain(m.Mark() - 1)
			m.Route("s", "r")
			m.Backend("p", "b")
			m.Strategy("x")
		}
	})
	r, b, s := m.Route("s", "r"), m.Backend("p", "b"), m.Strategy("x")
	wg.Wait()
	require.Same(t, r, m.Route("s", "r"))
	require.Same(t, b, m.Backend("p", "b"))
	require.Same(t, s, m.Strategy("x"))
	lines := scrape(t, m)
	const n = goroutines * rounds
	for _, series := range []string{
		`wedge_http_requests_total{code_class="2xx",proto="h2",route="r",site="s"}`,
		`wedge_upstream_requests_total{backend="b",code_class="2xx",pool="p"}`,
		`wedge_strategy_decisions_total{outcome="new",strategy="x"}`,
		`wedge_strategy_decision_duration_seconds_count{strategy="x"}`,
	} {
		assert.Contains(t, lines, fmt.Sprintf("%s %d", series, n))
	}
}

func TestCountingDoesNotAllocate(t *testing.T) {
	m := observe.New("1.0")
	r, b, s := m.Route("s", "r"), m.Backend("p", "b"), m.Strategy("x")
	assert.Zero(t, testing.AllocsPerRun(1000, func() {
		r.Done(3, "h2", 200, time.Millisecond)
		r.Retried(3)
		b.Answered(3, 200)
		b.Failed(3, "reset")
		s.Decided(3, "hit", time.Microsecond)
	}))
}

func BenchmarkCount(b *testing.B) {
	m := observe.New("1.0")
	r, up, s := m.Route("s", "r"), m.Backend("p", "b"), m.Strategy("x")
	b.Run("route", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			r.Done(3, "h2", 200, 700*time.Microsecond)
		}
	})
	b.Run("backend", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			up.Answered(3, 200)
		}
	})
	b.Run("strategy", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			s.Decided(3, "new", 150)
		}
	})
}
