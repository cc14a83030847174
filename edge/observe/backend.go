package observe

import "github.com/prometheus/client_golang/prometheus"

// reasons are why an attempt at a backend gave no answer; the last is for any other.
var reasons = [...]string{
	"connect", "timeout", "reset", "protocol", "client_gone", "busy", "severed", "request_body", "other",
}

// A Backend counts the attempts at one backend. Any number of goroutines may use it; a nil *Backend counts
// nothing.
type Backend struct{ grid grid }

func newBackend() *Backend { return &Backend{newGrid(len(codeClasses) + len(reasons))} }

// Answered counts an attempt that was answered.
func (b *Backend) Answered(shard uint32, status int) {
	if b != nil {
		b.grid.row(shard)[classOf(status)].Add(1)
	}
}

// Failed counts an attempt that was not, by the name of its reason.
func (b *Backend) Failed(shard uint32, reason string) {
	if b != nil {
		b.grid.row(shard)[len(codeClasses)+indexOf(reasons[:], reason)].Add(1)
	}
}

// indexOf is the place of a name in a short list, or the last one.
func indexOf(list []string, name string) int {
	for i, s := range list {
		if s == name {
			return i
		}
	}
	return len(list) - 1
}

type backendDescs struct{ requests, errors *prometheus.Desc }

func newBackendDescs() backendDescs {
	return backendDescs{
		requests: desc("wedge_upstream_requests_total", "Attempts at a backend that were answered.",
			"pool", "backend", "code_class"),
		errors: desc("wedge_upstream_errors_total", "Attempts at a backend that gave no answer.",
			"pool", "backend", "reason"),
	}
}

func (d *backendDescs) collect(k names, b *Backend, out chan<- prometheus.Metric) {
	for i, class := range codeClasses {
		if n := b.grid.sum(i); n > 0 {
			out <- count(d.requests, n, k[0], k[1], class)
		}
	}
	for i, reason := range reasons {
		if n := b.grid.sum(len(codeClasses) + i); n > 0 {
			out <- count(d.errors, n, k[0], k[1], reason)
		}
	}
}
