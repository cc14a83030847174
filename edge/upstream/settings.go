package upstream

import (
	"bytes"
	"crypto/tls"
	"slices"
	"time"

	"github.com/wedge-lb/wedge/edge/http1"
)

// Settings say how the backends of one pool are talked to. A field that is 0 takes its default.
type Settings struct {
	Protocol        string        // h1 (default), h2c or h2
	ConnectTimeout  time.Duration // for TCP and TLS; default 3s
	ResponseTimeout time.Duration // from the end of the request to the head of the answer; default 30s
	BodyTimeout     time.Duration // for each step of an HTTP/1.1 body, either way; default 30s
	IdleTimeout     time.Duration // of a connection that waits for a request; default 60s
	Lifetime        time.Duration // no request is begun on an older connection; default 1h
	QueueTimeout    time.Duration // for a free connection when all are in use; default 5s
	MaxConnections  int           // to one backend, HTTP/1.1 only; default 1024
	MaxIdle         int           // connections that wait, for one backend; default 512
	Queue           int           // requests that may wait for one of them; default 1024, below 0 = none
	Limits          http1.Limits  // of answers
	// Announce begins each connection with a PROXY protocol header (version 2) that names the client, ahead of
	// TLS. A connection then serves one request. HTTP/1.1 only: others ignore it.
	Announce bool
	// TLS is for backends whose scheme is https. Default: the system's roots, the backend's host as the name,
	// TLS 1.2 and up. It must not be changed afterwards.
	TLS *tls.Config
}

func (s Settings) withDefaults() Settings {
	if s.Protocol == "" {
		s.Protocol = "h1"
	}
	for _, d := range []struct {
		v   *time.Duration
		def time.Duration
	}{
		{&s.ConnectTimeout, 3 * time.Second}, {&s.ResponseTimeout, 30 * time.Second},
		{&s.BodyTimeout, 30 * time.Second}, {&s.IdleTimeout, 60 * time.Second},
		{&s.Lifetime, time.Hour}, {&s.QueueTimeout, 5 * time.Second},
	} {
		if *d.v == 0 {
			*d.v = d.def
		}
	}
	for _, n := range []struct {
		v   *int
		def int
	}{{&s.Queue, 1024}, {&s.MaxConnections, 1024}, {&s.MaxIdle, 512}} {
		if *n.v == 0 {
			*n.v = n.def
		}
	}
	s.Limits = s.Limits.WithDefaults()
	if s.TLS == nil {
		s.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	return s
}

// patient is how long to wait for what d is the longest wait for, on behalf of r.
func patient(d time.Duration, r *http1.Request) time.Duration {
	if r.Patience > 0 {
		return min(d, r.Patience)
	}
	return d
}

// sameWire tells whether connections made under s may serve under o.
func (s *Settings) sameWire(o *Settings) bool {
	return s.Protocol == o.Protocol && s.Announce == o.Announce && sameTLS(s.TLS, o.TLS)
}

// sameTLS compares what a reload makes anew from the same configuration.
func sameTLS(a, b *tls.Config) bool {
	if a == b {
		return true
	}
	roots := a.RootCAs == b.RootCAs || a.RootCAs != nil && b.RootCAs != nil && a.RootCAs.Equal(b.RootCAs)
	hooks := a.GetClientCertificate != nil || b.GetClientCertificate != nil ||
		a.VerifyConnection != nil || b.VerifyConnection != nil // functions cannot be compared
	return roots && !hooks && a.ServerName == b.ServerName && a.MinVersion == b.MinVersion &&
		a.MaxVersion == b.MaxVersion && a.InsecureSkipVerify == b.InsecureSkipVerify &&
		slices.EqualFunc(a.Certificates, b.Certificates, func(x, y tls.Certificate) bool {
			return slices.EqualFunc(x.Certificate, y.Certificate, bytes.Equal)
		})
}
