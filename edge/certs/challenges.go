package certs

import (
	"context"
	"crypto/tls"
	"net/netip"
	"strings"
	"sync"

	"github.com/mholt/acmez/v3"
	"github.com/mholt/acmez/v3/acme"
)

// ChallengeProto is the protocol of TLS-ALPN-01 (RFC 8737). A connection that negotiated it is closed after
// its handshake: no client certificate was asked for, and nothing may be served on it.
const ChallengeProto = acmez.ACMETLS1Protocol

const (
	challengePath = "/.well-known/acme-challenge/"
	maxToken      = 256
)

// challenges are the validations under way. Our own listeners answer them, so no port is ever opened for one.
type challenges struct {
	mu   sync.RWMutex
	http map[httpChallenge]string // to the key authorization
	alpn map[string]*tls.Config   // by name
}

type httpChallenge struct{ host, token string }

func newChallenges() *challenges {
	return &challenges{http: map[httpChallenge]string{}, alpn: map[string]*tls.Config{}}
}

// HTTPChallenge answers an ACME HTTP-01 validation that arrived on a plain listener: host is the Host field,
// path the request's path as received, for GET only. The body is sent as application/octet-stream. ok is
// false for everything that is not a token of an order under way for that very host.
func (m *Manager) HTTPChallenge(host, path string) (body string, ok bool) {
	token, ok := strings.CutPrefix(path, challengePath)
	if !ok || !validToken(token) {
		return "", false
	}
	name, ok := canonical(host)
	if !ok {
		return "", false
	}
	return m.challenges.httpAnswer(httpChallenge{name, token})
}

func (c *challenges) httpAnswer(k httpChallenge) (string, bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	body, ok := c.http[k]
	return body, ok
}

// validToken holds a token to one path segment of the base64url alphabet (RFC 8555 section 8.3).
func validToken(s string) bool {
	if len(s) == 0 || len(s) > maxToken {
		return false
	}
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c|0x20 && c|0x20 <= 'z', '0' <= c && c <= '9', c == '-', c == '_':
		default:
			return false
		}
	}
	return true
}

// config returns how the handshake of a TLS-ALPN-01 validation of sni is answered, or nil if none is under
// way.
func (c *challenges) config(sni string) *tls.Config {
	name, ok := canonical(sni)
	if !ok {
		return nil
	}
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.alpn[name]
}

// httpSolver and alpnSolver are acmez.Solver over the same challenges.
type (
	httpSolver struct{ *challenges }
	alpnSolver struct{ *challenges }
)

func (s httpSolver) Present(_ context.Context, chal acme.Challenge) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.http[httpKey(chal)] = chal.KeyAuthorization
	return nil
}

func (s httpSolver) CleanUp(_ context.Context, chal acme.Challenge) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.http, httpKey(chal))
	return nil
}

func httpKey(chal acme.Challenge) httpChallenge {
	return httpChallenge{challengeHost(chal), chal.Token}
}

func (s alpnSolver) Present(_ context.Context, chal acme.Challenge) error {
	cert, err := acmez.TLSALPN01ChallengeCert(chal)
	if err != nil {
		return err
	}
	c := hardened([]string{ChallengeProto})
	c.Certificates = []tls.Certificate{*cert}
	c.SessionTicketsDisabled = true
	s.mu.Lock()
	defer s.mu.Unlock()
	s.alpn[challengeHost(chal)] = c
	return nil
}

func (s alpnSolver) CleanUp(_ context.Context, chal acme.Challenge) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.alpn, challengeHost(chal))
	return nil
}

func challengeHost(chal acme.Challenge) string {
	if addr, err := netip.ParseAddr(chal.Identifier.Value); err == nil {
		return addr.Unmap().String()
	}
	return strings.ToLower(chal.Identifier.Value)
}
