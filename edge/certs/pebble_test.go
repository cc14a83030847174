package certs_test

import (
	"crypto/x509"
	"encoding/pem"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/letsencrypt/pebble/v2/ca"
	"github.com/letsencrypt/pebble/v2/db"
	"github.com/letsencrypt/pebble/v2/va"
	"github.com/letsencrypt/pebble/v2/wfe"
	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"

	"github.com/wedge-lb/wedge/edge/certs"
)

// pebble is Let's Encrypt's test authority in this process. It validates against the edge given to it.
type pebble struct {
	server    *httptest.Server
	backend   atomic.Pointer[http.Handler]
	reset     func() // forgets all accounts, orders and roots
	authority *ca.CAImpl
	caFile    string
	orders    atomic.Int64 // asked for
	accounts  atomic.Int64 // made, not found again
}

// startPebble starts an authority that resolves every name, but those below .nowhere.test, to loopback.
func startPebble(t *testing.T, e *edge) *pebble {
	t.Helper()
	p := &pebble{}
	resolver := startDNS(t)
	p.reset = func() {
		quiet := log.New(io.Discard, "", 0)
		store := db.NewMemoryStore()
		profiles := map[string]ca.Profile{"default": {Description: "default"}}
		p.authority = ca.New(quiet, store, "", "ecdsa", 0, 1, profiles)
		validator := va.New(quiet, port(e.plain), port(e.tls), false, resolver, store)
		front := wfe.New(quiet, store, validator, p.authority, nil, false, false, 0, 0)
		handler := front.Handler()
		p.backend.Store(&handler)
	}
	p.reset()
	p.server = httptest.NewTLSServer(http.HandlerFunc(p.serve))
	t.Cleanup(p.server.Close)
	p.caFile = filepath.Join(t.TempDir(), "pebble.pem")
	root := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.server.Certificate().Raw})
	require.NoError(t, os.WriteFile(p.caFile, root, 0o600))
	return p
}

func (p *pebble) serve(w http.ResponseWriter, r *http.Request) {
	sw := &statusWriter{ResponseWriter: w}
	(*p.backend.Load()).ServeHTTP(sw, r)
	switch {
	case r.URL.Path == "/order-plz" && sw.status == http.StatusCreated:
		p.orders.Add(1)
	case r.URL.Path == "/sign-me-up" && sw.status == http.StatusCreated:
		p.accounts.Add(1)
	}
}

type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

func (p *pebble) settings(challenge string, sites ...certs.Site) certs.Settings {
	s := certs.Settings{ACME: certs.ACME{Directory: p.server.URL + "/dir", CAFile: p.caFile}, Sites: sites}
	if challenge != "" {
		s.ACME.Challenges = []string{challenge}
	}
	return s
}

func (p *pebble) roots(t *testing.T) *x509.CertPool {
	t.Helper()
	pool := x509.NewCertPool()
	require.True(t, pool.AppendCertsFromPEM(p.authority.GetRootCert(0).PEM()))
	return pool
}

func startDNS(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	started := make(chan struct{})
	s := &dns.Server{
		Listener: l, NotifyStartedFunc: func() { close(started) },
		Handler: dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
			a := new(dns.Msg).SetReply(q)
			name := q.Question[0].Name
			if q.Question[0].Qtype == dns.TypeA && !strings.HasSuffix(name, ".nowhere.test.") {
				a.Answer = []dns.RR{&dns.A{
					Hdr: dns.RR_Header{Name: name, Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: 1},
					A:   net.IPv4(127, 0, 0, 1),
				}}
			}
			w.WriteMsg(a)
		}),
	}
	var wg sync.WaitGroup
	wg.Go(func() { s.ActivateAndServe() })
	<-started
	t.Cleanup(func() {
		s.Shutdown()
		wg.Wait()
	})
	return l.Addr().String()
}

func port(l net.Listener) int { return l.Addr().(*net.TCPAddr).Port }
