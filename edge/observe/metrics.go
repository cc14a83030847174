package observe

import (
	"net/http"
	"runtime"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

type counter = atomic.Uint64

// Metrics are the metrics of one edge, on a registry of their own. It is safe for concurrent use.
type Metrics struct {
	registry   *prometheus.Registry
	mark       atomic.Uint64
	routes     family[Route]
	backends   family[Backend]
	strategies family[Strategy]
	pools      family[Pool]
	reload     prometheus.Gauge
}

// New makes the metrics of an edge; version is for wedge_build_info.
func New(version string) *Metrics {
	m := &Metrics{registry: prometheus.NewRegistry()}
	requests, decisions := requestScale(), decisionScale()
	routes, backends, strategies := newRouteDescs(), newBackendDescs(), newStrategyDescs()
	m.routes = family[Route]{make: func() *Route { return newRoute(requests) }, collect: routes.collect}
	m.backends = family[Backend]{make: newBackend, collect: backends.collect}
	m.strategies = family[Strategy]{
		make: func() *Strategy { return newStrategy(decisions) }, collect: strategies.collect,
	}
	waits, pools := waitScale(), newPoolDescs()
	m.pools = family[Pool]{make: func() *Pool { return newPool(waits) }, collect: pools.collect}
	m.reload = prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "wedge_config_last_reload_successful", Help: "Whether the last configuration was taken.",
	})
	m.reload.Set(1)
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "wedge_build_info", Help: "What runs; always 1.",
		ConstLabels: prometheus.Labels{"version": version, "goversion": runtime.Version()},
	})
	build.Set(1)
	m.registry.MustRegister(m.collector(), m.reload, build, collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

func (m *Metrics) collector() prometheus.Collector {
	return collector{collect: func(out chan<- prometheus.Metric) {
		m.routes.gather(out)
		m.backends.gather(out)
		m.strategies.gather(out)
		m.pools.gather(out)
	}}
}

// Route gives the counters of a route, the same for the same names. Handles are for keeping: ask for them
// when a configuration is built, not for each request.
func (m *Metrics) Route(site, route string) *Route {
	return m.routes.get(namesOf(site, route), m.mark.Load())
}

// Backend gives the counters of a backend, as Route does.
func (m *Metrics) Backend(pool, id string) *Backend {
	return m.backends.get(namesOf(pool, id), m.mark.Load())
}

// DropBackend forgets a backend that has left. Its handle may be used on, but is not read any more.
func (m *Metrics) DropBackend(pool, id string) { m.backends.drop(namesOf(pool, id)) }

// Strategy gives the counters of a strategy, as Route does.
func (m *Metrics) Strategy(name string) *Strategy {
	return m.strategies.get(namesOf(name, ""), m.mark.Load())
}

// Pool gives the counters of a pool, as Route does.
func (m *Metrics) Pool(name string) *Pool { return m.pools.get(namesOf(name, ""), m.mark.Load()) }

// Mark begins a configuration: Retain, with the mark, drops the handles that nobody asked for since.
func (m *Metrics) Mark() uint64 { return m.mark.Add(1) }

// Retain ends what Mark began, once the new configuration is in force.
func (m *Metrics) Retain(mark uint64) {
	m.routes.retain(mark)
	m.backends.retain(mark)
	m.strategies.retain(mark)
	m.pools.retain(mark)
}

// Reloaded notes whether the last configuration was taken. It was, until told otherwise.
func (m *Metrics) Reloaded(ok bool) {
	if ok {
		m.reload.Set(1)
		return
	}
	m.reload.Set(0)
}

// Handler serves the metrics to Prometheus.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{MaxRequestsInFlight: 4})
}
