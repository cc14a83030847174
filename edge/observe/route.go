package observe

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// requestScale is for requests: half a millisecond to a minute.
func requestScale() *scale {
	const ms = time.Millisecond
	return newScale(ms/2, ms, 5*ms/2, 5*ms, 10*ms, 25*ms, 50*ms, 100*ms, 250*ms, 500*ms,
		time.Second, 5*time.Second/2, 5*time.Second, 10*time.Second, 30*time.Second, time.Minute)
}

var protocols = [...]string{"h1", "h2", "h3"}

// codeClasses are the values of code_class; the first is for what is no status.
var codeClasses = [...]string{"other", "1xx", "2xx", "3xx", "4xx", "5xx"}

func classOf(status int) int {
	if status < 100 || status > 599 {
		return 0
	}
	return status / 100
}

// A Route counts the requests of one route. Any number of goroutines may use it; a nil *Route counts nothing.
type Route struct {
	grid  grid
	scale *scale
}

// A Route's counters: for each protocol its classes and its histogram, then the retries.
func (r *Route) block() int     { return len(codeClasses) + r.scale.width }
func (r *Route) retriesAt() int { return len(protocols) * r.block() }
func (r *Route) at(p int) int   { return p * r.block() }
func newRoute(s *scale) *Route {
	r := &Route{scale: s}
	r.grid = newGrid(r.retriesAt() + 1)
	return r
}

// Done counts a request that ended. shard is any number that differs between connections; protocol is h1, h2
// or h3.
func (r *Route) Done(shard uint32, protocol string, status int, d time.Duration) {
	if r == nil {
		return
	}
	row := r.grid.row(shard)[r.at(protocolIndex(protocol)):]
	row[classOf(status)].Add(1)
	r.scale.observe(row[len(codeClasses):], d)
}

func protocolIndex(p string) int {
	if len(p) == 2 && p[1] >= '1' && p[1] <= '3' {
		return int(p[1] - '1')
	}
	return 0
}

// Retried counts a request that was sent to another backend after the first, or to the same one again.
func (r *Route) Retried(shard uint32) {
	if r != nil {
		r.grid.row(shard)[r.retriesAt()].Add(1)
	}
}

type routeDescs struct{ requests, duration, retries *prometheus.Desc }

func newRouteDescs() routeDescs {
	return routeDescs{
		requests: desc("wedge_http_requests_total", "Requests answered, by class of status.",
			"site", "route", "proto", "code_class"),
		duration: desc("wedge_http_request_duration_seconds", "Time from a head to the end of its answer.",
			"site", "route", "proto"),
		retries: desc("wedge_upstream_retries_total", "Attempts at a backend after the first.",
			"site", "route"),
	}
}

func (d *routeDescs) collect(k names, r *Route, out chan<- prometheus.Metric) {
	for p, proto := range protocols {
		for c, class := range codeClasses {
			if n := r.grid.sum(r.at(p) + c); n > 0 {
				out <- count(d.requests, n, k[0], k[1], proto, class)
			}
		}
		if h := r.scale.metric(&r.grid, r.at(p)+len(codeClasses), d.duration, k[0], k[1], proto); h != nil {
			out <- h
		}
	}
	out <- count(d.retries, r.grid.sum(r.retriesAt()), k[0], k[1])
}
