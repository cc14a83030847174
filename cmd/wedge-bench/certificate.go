package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"time"
)

// host is the name that every request is for; it is never resolved.
const host = "localhost"

// A keyPair is a certificate for host with its key, as PEM files.
type keyPair struct {
	certificate, key string
	roots            *x509.CertPool // the certificate alone
}

// newKeyPair makes a self-signed ECDSA P-256 certificate that holds for a day.
func newKeyPair(dir string) (keyPair, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return keyPair{}, fmt.Errorf("certificate: %w", err)
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()), Subject: pkix.Name{CommonName: host}, DNSNames: []string{host},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(24 * time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return keyPair{}, fmt.Errorf("certificate: %w", err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return keyPair{}, fmt.Errorf("certificate: %w", err)
	}
	p := keyPair{filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"), x509.NewCertPool()}
	if err := writePEM(p.certificate, "CERTIFICATE", der); err != nil {
		return p, err
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return p, fmt.Errorf("certificate: %w", err)
	}
	p.roots.AddCert(leaf)
	return p, writePEM(p.key, "PRIVATE KEY", private)
}

func writePEM(path, kind string, der []byte) error {
	return os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600)
}

// clientTLS are the settings of every client here: TLS 1.3, X25519, no resumption. Clients under load do not
// verify: that cost is theirs alone, and the first request to each contender does.
func clientTLS(roots *x509.CertPool, protocols ...string) *tls.Config {
	return &tls.Config{
		ServerName: host, RootCAs: roots, InsecureSkipVerify: roots == nil, MinVersion: tls.VersionTLS13,
		CurvePreferences: []tls.CurveID{tls.X25519}, NextProtos: protocols, SessionTicketsDisabled: true,
	}
}
