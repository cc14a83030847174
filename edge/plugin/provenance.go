package plugin

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
)

// Digest is the SHA-256 of a module in hex, by which the edge knows it.
func Digest(wasm []byte) string {
	sum := sha256.Sum256(wasm)
	return hex.EncodeToString(sum[:])
}

// A Provenance is what an operator demands of a module before any of it is looked at. The zero value demands
// nothing.
type Provenance struct {
	SHA256 string            // the module's digest in hex, of either case; "" = any
	Key    ed25519.PublicKey // must have signed the module; nil = nobody
}

// Verify is nil if wasm, which came with a signature or with nil, is what is demanded.
func (p Provenance) Verify(wasm, signature []byte) error {
	if found := Digest(wasm); p.SHA256 != "" && !strings.EqualFold(found, p.SHA256) {
		return fmt.Errorf("sha256: the module's is %s, and %s is demanded", found, strings.ToLower(p.SHA256))
	}
	switch {
	case p.Key == nil:
		return nil
	case signature == nil:
		return errors.New("signature: none is given, and one is demanded")
	case len(p.Key) != ed25519.PublicKeySize || !ed25519.Verify(p.Key, wasm, signature):
		return errors.New("signature: not of this module by this key")
	}
	return nil
}

// ParsePublicKey reads an Ed25519 public key: SubjectPublicKeyInfo in PEM (RFC 8410), or the 32 bytes in base64.
func ParsePublicKey(data []byte) (ed25519.PublicKey, error) {
	if block, _ := pem.Decode(data); block != nil {
		if block.Type != "PUBLIC KEY" {
			return nil, fmt.Errorf("public key: found %s", printable([]byte(block.Type), 64))
		}
		key, err := x509.ParsePKIXPublicKey(block.Bytes)
		if err != nil {
			return nil, errors.New("public key: the PEM block holds none")
		}
		if key, ok := key.(ed25519.PublicKey); ok {
			return key, nil
		}
		return nil, errors.New("public key: not one of Ed25519")
	}
	key, err := base64.StdEncoding.DecodeString(string(bytes.TrimSpace(data)))
	if err != nil || len(key) != ed25519.PublicKeySize {
		return nil, errors.New("public key: want PEM, or 32 bytes in base64")
	}
	return key, nil
}

// ParseSignature reads an Ed25519 signature: the 64 bytes (RFC 8032, section 5.1.6), or their base64.
func ParseSignature(data []byte) ([]byte, error) {
	if len(data) == ed25519.SignatureSize {
		return data, nil
	}
	raw, err := base64.StdEncoding.DecodeString(string(bytes.TrimSpace(data)))
	if err != nil || len(raw) != ed25519.SignatureSize {
		return nil, errors.New("signature: want 64 bytes, or their base64")
	}
	return raw, nil
}
