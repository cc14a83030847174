package certs

import (
	"crypto/tls"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// managed is one host whose certificate is ordered and renewed. It lives across reloads.
type managed struct {
	host string
	cert atomic.Pointer[tls.Certificate]

	rule atomic.Pointer[rule] // that admitted it, nil unless on demand
	used atomic.Int64         // last handshake, nanoseconds; on demand only
	done chan struct{}        // closed at the first outcome, good or bad
	gone chan struct{}        // closed when it is dropped; on demand only

	mu     sync.Mutex
	err    error // of the last order
	closed bool  // done is closed
}

func newManaged(host string) *managed {
	return &managed{host: host, done: make(chan struct{}), gone: make(chan struct{})}
}

// settle records the outcome of an order.
func (c *managed) settle(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.err = err
	if !c.closed {
		c.closed = true
		close(c.done)
	}
}

func (c *managed) problem() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

func (c *managed) dropped() bool {
	select {
	case <-c.gone:
		return true
	default:
		return false
	}
}

func (c *managed) onDemand() bool { return c.rule.Load() != nil }

// due reports whether less than share of the certificate's lifetime is left at now.
func (c *managed) due(now time.Time, share float64) bool {
	cert := c.cert.Load()
	if cert == nil {
		return true
	}
	life := cert.Leaf.NotAfter.Sub(cert.Leaf.NotBefore)
	return cert.Leaf.NotAfter.Sub(now) < time.Duration(float64(life)*share)
}

// acmeSource serves a site whose certificates an ACME authority issues.
type acmeSource struct {
	hosts  map[string]*managed
	rule   *rule // nil without on demand
	demand *demand
}

func (s *acmeSource) certificate(hello *tls.ClientHelloInfo, name string) (*tls.Certificate, error) {
	if c, ok := s.hosts[name]; ok {
		if cert := c.cert.Load(); cert != nil {
			return cert, nil
		}
		return nil, fmt.Errorf("%s: %w", name, errPending)
	}
	if s.rule == nil || !s.rule.allows(name) {
		return nil, nil
	}
	return s.demand.certificate(hello.Context(), s.rule, name)
}

func (s *acmeSource) list() []Info {
	var infos []Info
	for _, c := range s.hosts {
		infos = append(infos, infoOf(c.host, SourceACME, c.cert.Load(), c.problem()))
	}
	if s.rule != nil {
		for _, c := range s.demand.all() {
			if s.hosts[c.host] == nil && s.rule.allows(c.host) {
				infos = append(infos, infoOf(c.host, SourceACME, c.cert.Load(), c.problem()))
			}
		}
	}
	slices.SortFunc(infos, byHost)
	return infos
}
