package affinity

import (
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
)

const (
	minSecret = 16 // bytes
	maxKeys   = 16 // each is tried for a token with its id
)

// A Keyring holds the secrets behind tokens: the first signs, all verify. It is immutable.
type Keyring struct {
	secrets [][]byte
}

// NewKeyring makes a keyring of 1 to 16 secrets of at least 16 bytes each, which are used as they are given.
func NewKeyring(secrets ...[]byte) (*Keyring, error) {
	if len(secrets) == 0 || len(secrets) > maxKeys {
		return nil, fmt.Errorf("affinity: %d secrets: want 1 to %d", len(secrets), maxKeys)
	}
	k := &Keyring{}
	for i, s := range secrets {
		if len(s) < minSecret {
			return nil, fmt.Errorf("affinity: secret %d has %d bytes: want %d or more; "+
				"try: openssl rand -base64 32", i+1, len(s), minSecret)
		}
		k.secrets = append(k.secrets, append([]byte(nil), s...))
	}
	return k, nil
}

// PoolSecret is what a pool's plugins hash attributes under: equal on every edge that has the same first
// secret, and of no use for making tokens.
func (k *Keyring) PoolSecret(pool string) [16]byte {
	return [16]byte(derive(k.secrets[0], "plugin attributes", pool))
}

// derive gives 32 bytes for a purpose and a pool from a secret, by HMAC-SHA-256 as a PRF.
func derive(secret []byte, purpose, pool string) []byte {
	h := hmac.New(sha256.New, secret)
	fmt.Fprintf(h, "wedge affinity v1\x00%s\x00%s", purpose, pool)
	return h.Sum(nil)
}
