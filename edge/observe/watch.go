package observe

import (
	"fmt"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// A Family is a metric whose values are read when it is scraped.
type Family struct {
	Name    string // wedge_NOUN_UNIT
	Help    string
	Labels  []string
	Counter bool // it only grows; else it is a gauge
}

// Emit gives one value and its labels, in the Family's order. Each set of labels may come once a scrape.
type Emit func(value float64, labels ...string)

// Watch adds a family; read is called at each scrape, by one goroutine or several.
func (m *Metrics) Watch(f Family, read func(Emit)) error {
	d := desc(f.Name, f.Help, f.Labels...)
	kind := prometheus.GaugeValue
	if f.Counter {
		kind = prometheus.CounterValue
	}
	c := collector{d, func(out chan<- prometheus.Metric) {
		read(func(value float64, labels ...string) {
			for i := range labels {
				labels[i] = strings.ToValidUTF8(labels[i], "\uFFFD")
			}
			if metric, err := prometheus.NewConstMetric(d, kind, value, labels...); err != nil {
				out <- prometheus.NewInvalidMetric(d, err)
			} else {
				out <- metric
			}
		})
	}}
	if err := m.registry.Register(c); err != nil {
		return fmt.Errorf("metric %s: %w", f.Name, err)
	}
	return nil
}

// backendStates are the values of wedge_backend_state's label.
var backendStates = [...]string{"ready", "draining", "down", "maintenance"}

// WatchBackends adds what is read of backends: their state and their requests in flight. state is ready,
// draining, down or maintenance.
func (m *Metrics) WatchBackends(read func(emit func(pool, backend, state string, inFlight int64))) error {
	err := m.Watch(Family{
		Name: "wedge_backend_state", Help: "1 for the state that a backend is in, 0 for the others.",
		Labels: []string{"pool", "backend", "state"},
	}, func(emit Emit) {
		read(func(pool, backend, state string, _ int64) {
			for _, s := range backendStates {
				emit(truth(s == state), pool, backend, s)
			}
		})
	})
	if err != nil {
		return err
	}
	return m.Watch(Family{
		Name: "wedge_upstream_requests_in_flight", Help: "Requests in progress, streams included.",
		Labels: []string{"pool", "backend"},
	}, func(emit Emit) {
		read(func(pool, backend, _ string, n int64) { emit(float64(n), pool, backend) })
	})
}

// WatchPools adds whether pools ignore the health of their backends, because too few are well.
func (m *Metrics) WatchPools(read func(emit func(pool string, panics bool))) error {
	return m.Watch(Family{
		Name: "wedge_pool_panic", Help: "1 while so few backends are well that health is ignored.",
		Labels: []string{"pool"},
	}, func(emit Emit) {
		read(func(pool string, panics bool) { emit(truth(panics), pool) })
	})
}

// WatchCertificates adds the end of validity of certificates, each by a name of the configuration.
func (m *Metrics) WatchCertificates(read func(emit func(name string, notAfter time.Time))) error {
	return m.Watch(Family{
		Name: "wedge_certificate_not_after_timestamp_seconds", Help: "When a certificate ends.",
		Labels: []string{"name"},
	}, func(emit Emit) {
		read(func(name string, notAfter time.Time) { emit(float64(notAfter.Unix()), name) })
	})
}

// WatchConnections adds the connections that are open, by what they speak: a few names of the caller.
func (m *Metrics) WatchConnections(read func(emit func(proto string, open int64))) error {
	return m.Watch(Family{
		Name: "wedge_connections", Help: "Connections of clients that are open.", Labels: []string{"proto"},
	}, func(emit Emit) {
		read(func(proto string, open int64) { emit(float64(open), proto) })
	})
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// A collector makes its metrics when it is asked. Without a desc the registry does not check what comes.
type collector struct {
	desc    *prometheus.Desc
	collect func(chan<- prometheus.Metric)
}

func (c collector) Describe(out chan<- *prometheus.Desc) {
	if c.desc != nil {
		out <- c.desc
	}
}

func (c collector) Collect(out chan<- prometheus.Metric) { c.collect(out) }

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(name, help, labels, nil)
}

func count(d *prometheus.Desc, n uint64, labels ...string) prometheus.Metric {
	return prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n), labels...)
}
