package plugin_test

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedge-lb/wedge/edge/plugin"
)

func TestAKeyOfAnotherKindIsRefused(t *testing.T) {
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	der, err := x509.MarshalPKIXPublicKey(other.Public())
	require.NoError(t, err)
	_, err = plugin.ParsePublicKey(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
	assert.EqualError(t, err, "public key: not one of Ed25519")
	_, private, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	der, err = x509.MarshalPKCS8PrivateKey(private)
	require.NoError(t, err)
	_, err = plugin.ParsePublicKey(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	assert.EqualError(t, err, "public key: found PRIVATE KEY")
}

// Whatever is in the files of a key and a signature, nothing is accepted that the key did not sign.
func FuzzKeysAndSignatures(f *testing.F) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(f, err)
	der, err := x509.MarshalPKIXPublicKey(public)
	require.NoError(f, err)
	block := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	f.Add(block, ed25519.Sign(private, []byte("other")))
	f.Add([]byte("MCowBQYDK2VwAyEA"), []byte("c2lnbmF0dXJl"))
	f.Fuzz(func(t *testing.T, key, signature []byte) {
		parsed, err := plugin.ParseSignature(signature)
		if err != nil {
			parsed = nil
		}
		require.Error(t, plugin.Provenance{Key: public}.Verify([]byte("module"), parsed))
		if k, err := plugin.ParsePublicKey(key); err == nil {
			require.Len(t, k, ed25519.PublicKeySize)
		}
	})
}
