package certs

import (
	"crypto/tls"
	"errors"
	"sync"
	"time"
)

// errPending says that a certificate is on its way; the client sees an internal_error alert.
var errPending = errors.New("certificate not there yet")

// source answers with the certificate for a canonical name. It is called concurrently, once a handshake.
// A nil certificate without an error means that the name is not served: unrecognized_name.
type source interface {
	certificate(hello *tls.ClientHelloInfo, name string) (*tls.Certificate, error)
	list() []Info
}

// Policy is one site's TLS rules as they run. It is safe for concurrent use.
type Policy struct {
	name    string
	auth    *clientAuth
	source  source
	tickets *tickets

	mu      sync.Mutex
	configs map[string]*tls.Config // by protocols
}

func newPolicy(name string, auth *clientAuth) *Policy {
	return &Policy{name: name, auth: auth, configs: map[string]*tls.Config{}}
}

// Name returns the name of the site.
func (p *Policy) Name() string { return p.name }

// RequiresCertificate reports whether clients must show a certificate. A plain listener must not serve such
// hosts.
func (p *Policy) RequiresCertificate() bool { return p.auth != nil && p.auth.mode == ClientRequire }

// Same reports whether a connection made under p may carry requests for q: both ask the same of clients.
func (p *Policy) Same(q *Policy) bool { return p != nil && q != nil && p.auth == q.auth }

// config returns the configuration of a handshake under p; it is made once for each set of protocols.
func (p *Policy) config(protos []string, key string) *tls.Config {
	p.mu.Lock()
	defer p.mu.Unlock()
	if c, ok := p.configs[key]; ok {
		return c
	}
	c := hardened(protos)
	c.GetCertificate = p.certificate
	p.auth.apply(c)
	c.SetSessionTicketKeys(p.tickets.all())
	p.configs[key] = c
	return c
}

func (p *Policy) certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	if hello.ServerName != "" {
		name, ok := canonical(hello.ServerName)
		if !ok {
			return nil, nil
		}
		return p.source.certificate(hello, name)
	}
	var local string
	if hello.Conn != nil {
		local = localIP(hello.Conn.LocalAddr())
	}
	return p.source.certificate(hello, local)
}

func (p *Policy) rotateTickets(now time.Time) {
	if !p.tickets.rotate(now) {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.configs {
		c.SetSessionTicketKeys(p.tickets.all())
	}
}

// hardened is the protocol policy of every listener: TLS 1.2 and up (1.3 for QUIC), forward secrecy and AEAD
// only.
func hardened(protos []string) *tls.Config {
	c := &tls.Config{
		MinVersion: tls.VersionTLS12,
		NextProtos: protos,
		CipherSuites: []uint16{ // of TLS 1.2
			tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
			tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
			tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
			tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
			tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
			tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
		},
		CurvePreferences: []tls.CurveID{tls.X25519MLKEM768, tls.X25519, tls.CurveP256},
		// Records of 1400 bytes at first help slow readers of a page and cost a system call each.
		DynamicRecordSizingDisabled: true,
	}
	if overQUIC(protos) {
		c.MinVersion = tls.VersionTLS13
	}
	return c
}

func overQUIC(protos []string) bool {
	for _, p := range protos {
		if p == "h3" {
			return true
		}
	}
	return false
}
