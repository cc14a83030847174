package observe

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// waitScale is for waits in a queue: a millisecond to ten minutes.
func waitScale() *scale {
	const ms = time.Millisecond
	return newScale(ms, 5*ms, 10*ms, 25*ms, 50*ms, 100*ms, 250*ms, 500*ms, time.Second, 5*time.Second/2,
		5*time.Second, 10*time.Second, 30*time.Second, time.Minute, 10*time.Minute)
}

// shedReasons are why a request got no room; the last is for any other.
var shedReasons = [...]string{"queue_full", "queue_timeout", "client_gone", "route_timeout", "other"}

// A Pool counts the requests that waited for room, and those that got none. Any number of goroutines may use it;
// a nil *Pool counts nothing.
type Pool struct {
	grid  grid
	scale *scale
}

func newPool(s *scale) *Pool { return &Pool{newGrid(len(shedReasons) + s.width), s} }

// Shed counts a request that got no room, by the name of the reason.
func (p *Pool) Shed(shard uint32, reason string) {
	if p != nil {
		p.grid.row(shard)[indexOf(shedReasons[:], reason)].Add(1)
	}
}

// Waited counts a wait in the queue, whatever its end.
func (p *Pool) Waited(shard uint32, d time.Duration) {
	if p != nil {
		p.scale.observe(p.grid.row(shard)[len(shedReasons):], d)
	}
}

type poolDescs struct{ shed, wait *prometheus.Desc }

func newPoolDescs() poolDescs {
	return poolDescs{
		shed: desc("wedge_pool_shed_total", "Requests that got no room in the pool.", "pool", "reason"),
		wait: desc("wedge_pool_queue_wait_seconds", "Time that requests waited for room.", "pool"),
	}
}

func (d *poolDescs) collect(k names, p *Pool, out chan<- prometheus.Metric) {
	for i, reason := range shedReasons {
		if n := p.grid.sum(i); n > 0 || reason != "other" {
			out <- count(d.shed, n, k[0], reason)
		}
	}
	if h := p.scale.metric(&p.grid, len(shedReasons), d.wait, k[0]); h != nil {
		out <- h
	}
}
