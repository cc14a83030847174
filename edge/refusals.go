package edge

import "github.com/wedge-lb/wedge/edge/observe"

// watchRefusals lets be read what the listeners turned away before it was a request.
func (s *Server) watchRefusals() error {
	return s.metrics.Watch(observe.Family{
		Name: "wedge_listener_refusals_total", Counter: true, Labels: []string{"listener", "reason"},
		Help: "What a listener turned away: requests that are none (bad_request), what came or was taken too " +
			"slowly (timeout), connections over a limit or not of a trusted proxy (connection), or without a good " +
			"PROXY header (proxy_header), and failed handshakes (handshake).",
	}, s.eachRefusal)
}

func (s *Server) eachRefusal(emit observe.Emit) {
	type key struct{ listener, reason string }
	counts := map[key]int64{}
	s.mu.Lock()
	for p, d := range s.doors {
		listener := "http"
		if p.secure {
			listener = "https"
		}
		st := d.server.Stats()
		counts[key{listener, "bad_request"}] += st.BadRequests
		counts[key{listener, "timeout"}] += st.TimedOut
		counts[key{listener, "connection"}] += st.Refused
		counts[key{listener, "proxy_header"}] += st.ProxyErrors
		counts[key{listener, "handshake"}] += st.HandshakeErrors
	}
	s.mu.Unlock()
	for k, n := range counts {
		emit(float64(n), k.listener, k.reason)
	}
}
