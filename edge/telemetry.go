package edge

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/wedge-lb/wedge/edge/config"
	"github.com/wedge-lb/wedge/edge/observe"
)

// accessLog opens what the configuration says of it; nil = it is off. end closes it.
func accessLog(c config.AccessLog, o Options) (log *observe.AccessLog, end func() error, err error) {
	end = func() error { return nil }
	if c.Format == "off" {
		return nil, end, nil
	}
	var w io.Writer
	switch {
	case o.Access != nil:
		w = o.Access
	case c.Output == "stdout":
		w = os.Stdout
	case c.Output == "stderr":
		w = os.Stderr
	default:
		f, err := os.OpenFile(string(c.Output), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			return nil, end, fmt.Errorf("access log: %w", err)
		}
		w, end = f, f.Close
	}
	options := observe.AccessOptions{Writer: w, RedactHeaders: c.RedactHeaders, Logger: o.Logger}
	return observe.NewAccessLog(options), end, nil
}

// watch lets metrics be read that somebody else keeps.
func (s *Server) watch() error {
	return errors.Join(
		s.metrics.WatchBackends(s.eachBackend),
		s.metrics.WatchPools(s.eachPool),
		s.metrics.WatchCertificates(s.eachCertificate),
		s.metrics.WatchConnections(s.eachProtocol),
		s.watchRefusals(),
		s.watchPins(),
		s.watchDiscovery(),
		s.watchQueues(),
		s.watchFuel(),
		s.metrics.Watch(observe.Family{
			Name: "wedge_plugin_instances",
			Help: "Guests that live, those of old generations that are being freed among them.",
		}, func(emit observe.Emit) { emit(float64(s.host.Instances())) }),
		s.metrics.Watch(observe.Family{
			Name: "wedge_access_log_dropped_total", Counter: true,
			Help: "Lines of the access log that were not written: too many waited, or the writer failed.",
		}, func(emit observe.Emit) { emit(float64(s.accessLog.Dropped())) }),
	)
}

func (s *Server) eachBackend(emit func(pool, backend, state string, inFlight int64)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, p := range s.pools {
		for _, b := range p.Status() {
			emit(name, b.ID, b.State.String(), b.InFlight)
		}
	}
}

func (s *Server) eachPool(emit func(pool string, panics bool)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, p := range s.pools {
		emit(name, p.Set().Panic)
	}
}

// eachCertificate leaves out the names that came on demand: labels are names of the configuration.
func (s *Server) eachCertificate(emit func(name string, notAfter time.Time)) {
	configured := map[string]bool{}
	s.mu.Lock()
	for _, site := range s.conf.Sites {
		for _, h := range site.Hosts {
			configured[h] = true
		}
	}
	s.mu.Unlock()
	for _, c := range s.certs.Certificates() {
		if configured[c.Host] && !c.NotAfter.IsZero() {
			emit(c.Host, c.NotAfter)
		}
	}
}

func (s *Server) eachProtocol(emit func(proto string, open int64)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var plain, secure, quic int64
	for _, d := range s.doors {
		st := d.server.Stats()
		plain, secure, quic = plain+st.OpenPlain, secure+st.OpenTLS, quic+st.OpenQUIC
	}
	emit("plain", plain)
	emit("tls", secure)
	emit("quic", quic)
}
