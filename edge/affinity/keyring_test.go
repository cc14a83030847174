package affinity_test

import (
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedge-lb/wedge/edge/affinity"
)

func TestSecretsThatAreTooShortOrTooManyAreRefused(t *testing.T) {
	_, err := affinity.NewKeyring()
	assert.ErrorContains(t, err, "0 secrets")
	_, err = affinity.NewKeyring(secretA, []byte("hunter2"))
	assert.ErrorContains(t, err, "secret 2 has 7 bytes")
	assert.NotContains(t, err.Error(), "hunter2")
	_, err = affinity.NewKeyring(make([][]byte, 17)...)
	assert.ErrorContains(t, err, "17 secrets")
}

func TestPoolSecretsDifferByPoolAndSecret(t *testing.T) {
	a, err := affinity.NewKeyring(secretA)
	require.NoError(t, err)
	same, err := affinity.NewKeyring(secretA, secretB)
	require.NoError(t, err)
	b, err := affinity.NewKeyring(secretB)
	require.NoError(t, err)
	assert.Equal(t, a.PoolSecret("shop"), same.PoolSecret("shop"), "equal on every edge with the first secret")
	assert.NotEqual(t, a.PoolSecret("shop"), a.PoolSecret("api"))
	assert.NotEqual(t, a.PoolSecret("shop"), b.PoolSecret("shop"))
}

func TestTheKeyIsMadeOnceAndKept(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state", "deep")
	first, err := affinity.LoadKeyring(dir)
	require.NoError(t, err)
	path := filepath.Join(dir, "affinity.key")
	info, err := os.Stat(path)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	folder, err := os.Stat(dir)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o700), folder.Mode().Perm())
	second, err := affinity.LoadKeyring(dir)
	require.NoError(t, err)
	assert.Equal(t, first.PoolSecret("p"), second.PoolSecret("p"))
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	assert.Len(t, left, 1, "nothing is left beside the key")
}

func TestAKeyThatCannotBeReadIsNotReplaced(t *testing.T) {
	for name, content := range map[string]string{
		"empty":     "",
		"cut short": "AAAA\n",
		"junk":      "not base64 at all!\n",
		"too long":  string(make([]byte, 5000)),
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "affinity.key")
			require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
			_, err := affinity.LoadKeyring(dir)
			require.ErrorContains(t, err, "affinity key "+path)
			require.ErrorContains(t, err, "move it away")
			after, err := os.ReadFile(path)
			require.NoError(t, err)
			assert.Equal(t, content, string(after))
		})
	}
	dir := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(dir, "affinity.key"), 0o700))
	_, err := affinity.LoadKeyring(dir)
	assert.ErrorContains(t, err, "not a key")
}

func TestAKeyThatCannotBeWrittenIsAnError(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	_, err := affinity.LoadKeyring(filepath.Join(file, "state"))
	assert.ErrorContains(t, err, "affinity key ")
}

func TestEdgesThatStartAtOnceAgreeOnAKey(t *testing.T) {
	dir := t.TempDir()
	var wg sync.WaitGroup
	got := make([][16]byte, 8)
	for i := range got {
		wg.Go(func() {
			k, err := affinity.LoadKeyring(dir)
			if assert.NoError(t, err) {
				got[i] = k.PoolSecret("p")
			}
		})
	}
	wg.Wait()
	for _, s := range got {
		assert.Equal(t, got[0], s)
	}
}
