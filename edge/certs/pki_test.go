package certs_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wedge-lb/wedge/edge/certs"
)

// partner is an authority for clients' certificates and for certificate files.
type partner struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	file string
}

func newPartner(t *testing.T, name string) *partner {
	t.Helper()
	p := &partner{file: filepath.Join(t.TempDir(), "ca.pem")}
	var der []byte
	root := &x509.Certificate{Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true}
	p.key, der = sign(t, root, nil)
	p.cert, _ = x509.ParseCertificate(der)
	writePEM(t, p.file, "CERTIFICATE", der)
	return p
}

func sign(t *testing.T, c *x509.Certificate, by *partner) (*ecdsa.PrivateKey, []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	c.SerialNumber = big.NewInt(time.Now().UnixNano())
	c.NotBefore, c.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	parent, signer := c, key
	if by != nil {
		parent, signer = by.cert, by.key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, key.Public(), signer)
	require.NoError(t, err)
	return key, der
}

func (p *partner) client(t *testing.T) *tls.Certificate {
	t.Helper()
	key, der := sign(t, &x509.Certificate{
		Subject: pkix.Name{CommonName: "client"}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}, p)
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// pair writes a certificate for hosts and its key.
func (p *partner) pair(t *testing.T, hosts ...string) certs.KeyPair {
	t.Helper()
	key, der := sign(t, &x509.Certificate{DNSNames: hosts}, p)
	dir := t.TempDir()
	kp := certs.KeyPair{Certificate: filepath.Join(dir, "crt.pem"), Key: filepath.Join(dir, "key.pem")}
	writePEM(t, kp.Certificate, "CERTIFICATE", der)
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	writePEM(t, kp.Key, "PRIVATE KEY", keyDER)
	return kp
}

func (p *partner) roots() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(p.cert)
	return pool
}

func writePEM(t testing.TB, path, kind string, der []byte) {
	t.Helper()
	data := pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
	require.NoError(t, os.WriteFile(path, data, 0o600))
}

func localRoots(t *testing.T, m *certs.Manager) *x509.CertPool {
	t.Helper()
	ca, err := m.LocalCA()
	require.NoError(t, err)
	pool := x509.NewCertPool()
	require.True(t, pool.AppendCertsFromPEM(ca.RootPEM()))
	return pool
}

func internal(name string, auth certs.ClientAuth, hosts ...string) certs.Site {
	return certs.Site{Name: name, Source: certs.SourceInternal, ClientAuth: auth, Hosts: hosts}
}

func apply(t *testing.T, m *certs.Manager, sites ...certs.Site) {
	t.Helper()
	require.NoError(t, m.Apply(t.Context(), certs.Settings{Sites: sites}))
}

func newFuzzAuthority(f *testing.F) string {
	f.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(f, err)
	c := &x509.Certificate{SerialNumber: big.NewInt(1), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	require.NoError(f, err)
	file := filepath.Join(f.TempDir(), "ca.pem")
	writePEM(f, file, "CERTIFICATE", der)
	return file
}
