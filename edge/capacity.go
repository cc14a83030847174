package edge

import (
	"errors"

	"github.com/wedge-lb/wedge/edge/balance"
	"github.com/wedge-lb/wedge/edge/config"
	"github.com/wedge-lb/wedge/edge/observe"
	"github.com/wedge-lb/wedge/edge/proxy"
)

// capacity is what a pool takes on at a time.
func capacity(c config.Capacity) balance.Limits {
	return balance.Limits{
		Pool: int64(c.MaxInFlight), Backend: int64(c.BackendMaxInFlight), Reserve: int(c.PinnedReserve),
		Queue: c.Queue, Wait: c.QueueTimeout,
	}
}

var conditionsOf = map[string]proxy.Conditions{
	"connect_error": proxy.OnConnectError, "reset": proxy.OnReset, "timeout": proxy.OnTimeout,
	"500": proxy.On500, "502": proxy.On502, "503": proxy.On503, "504": proxy.On504,
}

// retry is when a request is tried again.
func retry(c config.Retry) proxy.Retry {
	r := proxy.Retry{
		Attempts: uint32(c.Attempts), Budget: int(c.Budget), Timeout: c.PerTryTimeout, BodyBytes: int64(c.BodyBytes),
	}
	for _, name := range c.On {
		r.On |= conditionsOf[name]
	}
	return r
}

// watchQueues lets the queues of pools be read.
func (s *Server) watchQueues() error {
	return errors.Join(
		s.watchGates(observe.Family{
			Name: "wedge_pool_queue_length", Help: "Requests that wait for room in the pool.",
		}, (*balance.Gate).Waiting),
		s.watchGates(observe.Family{
			Name: "wedge_pool_requests_in_flight", Help: "Requests that have room in a pool with limits.",
		}, (*balance.Gate).InFlight),
	)
}

func (s *Server) watchGates(f observe.Family, read func(*balance.Gate) int64) error {
	f.Labels = []string{"pool"}
	return s.metrics.Watch(f, func(emit observe.Emit) {
		s.mu.Lock()
		defer s.mu.Unlock()
		for name, p := range s.pools {
			if g := p.Gate(); g != nil {
				emit(float64(read(g)), name)
			}
		}
	})
}
