package certs

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
)

// clientAuth is what a policy asks of clients. nil asks nothing. Two policies that ask the same share one
// value, also across reloads, so that connections compare pointers.
type clientAuth struct {
	mode  ClientMode
	roots []*x509.Certificate
	pool  *x509.CertPool
	id    [sha256.Size]byte // of the mode and the roots
}

func newClientAuth(c ClientAuth) (*clientAuth, error) {
	switch c.Mode {
	case ClientNone:
		if c.CA != "" {
			return nil, errors.New("client authentication: a CA without a mode (request or require)")
		}
		return nil, nil
	case ClientRequest, ClientRequire:
	default:
		return nil, fmt.Errorf("client authentication: mode %q is neither request nor require", c.Mode)
	}
	roots, err := readRoots(c.CA)
	if err != nil {
		return nil, fmt.Errorf("client authentication: %w", err)
	}
	a := &clientAuth{mode: c.Mode, roots: roots, pool: x509.NewCertPool()}
	h := sha256.New()
	h.Write([]byte(c.Mode))
	for _, r := range roots {
		a.pool.AddCert(r)
		sum := sha256.Sum256(r.Raw)
		h.Write(sum[:])
	}
	h.Sum(a.id[:0])
	return a, nil
}

// readRoots reads the certificates of a PEM file. None, or one that does not parse, is an error: an empty
// pool would silently mean something else.
func readRoots(file string) ([]*x509.Certificate, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("CA file: %w", err)
	}
	var roots []*x509.Certificate
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("CA file %s: %w", file, err)
		}
		roots = append(roots, c)
	}
	if len(roots) == 0 {
		return nil, fmt.Errorf("CA file %s: no certificate in it", file)
	}
	return roots, nil
}

func (a *clientAuth) apply(c *tls.Config) {
	if a == nil {
		return
	}
	c.ClientCAs = a.pool
	c.ClientAuth = tls.VerifyClientCertIfGiven
	if a.mode == ClientRequire {
		c.ClientAuth = tls.RequireAndVerifyClientCert
	}
}

// proven reports whether the handshake of state satisfies a. It does not trust that the handshake ran under
// a: a reload may have come between.
func (a *clientAuth) proven(state *tls.ConnectionState) bool {
	if a == nil || (a.mode == ClientRequest && len(state.PeerCertificates) == 0) {
		return true
	}
	for _, chain := range state.VerifiedChains {
		for _, root := range a.roots {
			if len(chain) > 0 && chain[len(chain)-1].Equal(root) {
				return true
			}
		}
	}
	return false
}

func sameAuth(a, b *clientAuth) bool {
	return a == b || (a != nil && b != nil && a.id == b.id)
}
