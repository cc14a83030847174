package certs

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"
)

const (
	rootLife  = 10 * 365 * 24 * time.Hour
	clockSkew = time.Hour // how far back certificates are valid, for clients whose clock is behind
)

const (
	howToKey  = "restore it, or remove root.key and root.crt to begin anew"
	howToRoot = "restore it, or remove it to make it again from root.key"
)

// LocalCA is the edge's own certificate authority (ECDSA P-256), kept in a directory as root.crt and root.key
// (0600). It is safe for concurrent use.
type LocalCA struct {
	root *x509.Certificate
	key  *ecdsa.PrivateKey
	pem  []byte
}

// OpenLocalCA reads the authority in dir, or makes one if dir holds none. What is there is never overwritten:
// an unreadable or broken file is an error, for clients may trust the root already.
func OpenLocalCA(dir string, now time.Time) (*LocalCA, error) {
	ca, err := openLocalCA(dir, now)
	if err != nil {
		return nil, fmt.Errorf("local CA in %s: %w", dir, err)
	}
	return ca, nil
}

func openLocalCA(dir string, now time.Time) (*LocalCA, error) {
	if err := privateDir(dir); err != nil {
		return nil, err
	}
	unlock, err := lockFile(filepath.Join(dir, "lock"))
	if err != nil {
		return nil, err
	}
	defer unlock()
	certPEM, certErr := os.ReadFile(filepath.Join(dir, "root.crt"))
	if certErr != nil && !errors.Is(certErr, fs.ErrNotExist) {
		return nil, certErr
	}
	key, err := loadRootKey(filepath.Join(dir, "root.key"), certErr != nil)
	if err != nil {
		return nil, err
	}
	if certErr != nil {
		certPEM, err = makeRoot(filepath.Join(dir, "root.crt"), key, now)
		if err != nil {
			return nil, err
		}
	}
	return parseLocalCA(certPEM, key, now)
}

// loadRootKey reads the key, or makes it where neither key nor certificate exist. It is written first, so a
// crash leaves at most a key without a certificate, which the next start completes.
func loadRootKey(path string, mayMake bool) (*ecdsa.PrivateKey, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) && mayMake {
		return makeRootKey(path)
	}
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(data)
	if block == nil {
		return nil, errors.New("root.key: no PEM block in it; " + howToKey)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("root.key: %w; %s", err, howToKey)
	}
	key, ok := parsed.(*ecdsa.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("root.key: a %T, not an ECDSA key", parsed)
	}
	return key, nil
}

func makeRootKey(path string) (*ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	return key, writeDurably(path, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600)
}

func makeRoot(path string, key *ecdsa.PrivateKey, now time.Time) ([]byte, error) {
	serial := newSerial()
	template := &x509.Certificate{
		SerialNumber:          serial,
		Subject:               pkix.Name{CommonName: "wedge local CA " + hex.EncodeToString(serial.Bytes()[:4])},
		NotBefore:             now.Add(-clockSkew),
		NotAfter:              now.Add(rootLife),
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		BasicConstraintsValid: true,
		IsCA:                  true,
		MaxPathLenZero:        true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	data := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	return data, writeDurably(path, data, 0o644)
}

func parseLocalCA(certPEM []byte, key *ecdsa.PrivateKey, now time.Time) (*LocalCA, error) {
	block, _ := pem.Decode(certPEM)
	if block == nil {
		return nil, errors.New("root.crt: no PEM block in it; " + howToRoot)
	}
	root, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("root.crt: %w; %s", err, howToRoot)
	}
	if !key.PublicKey.Equal(root.PublicKey) || !root.IsCA {
		return nil, errors.New("root.crt is not the certificate of root.key")
	}
	if !now.Before(root.NotAfter) {
		return nil, fmt.Errorf("root.crt ended on %s; %s", root.NotAfter.Format(time.DateOnly), howToRoot)
	}
	return &LocalCA{root: root, key: key, pem: pem.EncodeToMemory(block)}, nil
}

// RootPEM returns the root certificate for trust stores.
func (c *LocalCA) RootPEM() []byte { return append([]byte(nil), c.pem...) }

// Fingerprint returns the SHA-256 of the root certificate as trust stores show it.
func (c *LocalCA) Fingerprint() string {
	sum := sha256.Sum256(c.root.Raw)
	var b strings.Builder
	for i, octet := range sum {
		if i > 0 {
			b.WriteByte(':')
		}
		fmt.Fprintf(&b, "%02X", octet)
	}
	return b.String()
}

// issue makes a certificate for one canonical host, pattern or address, valid for life but not beyond the
// root.
func (c *LocalCA) issue(host string, now time.Time, life time.Duration) (*tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	end := now.Add(life)
	if end.After(c.root.NotAfter) {
		end = c.root.NotAfter
	}
	template := &x509.Certificate{
		SerialNumber: newSerial(),
		NotBefore:    now.Add(-clockSkew),
		NotAfter:     end,
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	if ip := net.ParseIP(host); ip != nil {
		template.IPAddresses = []net.IP{ip}
	} else {
		template.DNSNames = []string{host}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, c.root, key.Public(), c.key)
	if err != nil {
		return nil, fmt.Errorf("local certificate for %s: %w", host, err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, nil
}

// newSerial is 127 random bits, positive and of full length.
func newSerial() *big.Int {
	var b [16]byte
	rand.Read(b[:])
	b[0] = b[0]&0x7f | 0x40
	return new(big.Int).SetBytes(b[:])
}
