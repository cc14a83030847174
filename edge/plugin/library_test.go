package plugin_test

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedge-lb/wedge/edge/plugin"
)

func openLibrary(t *testing.T, limit int64) (*plugin.Library, string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "plugins")
	l, err := plugin.OpenLibrary(dir, limit)
	require.NoError(t, err)
	return l, dir
}

func TestALibraryGivesWhatItWasGiven(t *testing.T) {
	l, dir := openLibrary(t, 0)
	module, signature := []byte("module"), bytes.Repeat([]byte{7}, 64)
	digest := plugin.Digest(module)
	_, _, err := l.Get(digest)
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.NoError(t, l.Put(module, nil))
	require.NoError(t, l.Put(module, signature))
	got, by, err := l.Get(strings.ToUpper(digest))
	require.NoError(t, err)
	assert.Equal(t, module, got)
	assert.Equal(t, signature, by)
	got, _, err = plugin.ReadLibrary(dir).Get(digest)
	require.NoError(t, err)
	assert.Equal(t, module, got)

	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, entries, 2, "nothing is left of the writing")
	for _, e := range entries {
		info, err := e.Info()
		require.NoError(t, err)
		assert.EqualValues(t, 0o600, info.Mode().Perm())
	}
	info, err := os.Stat(dir)
	require.NoError(t, err)
	assert.EqualValues(t, 0o700, info.Mode().Perm())
	for _, digest := range []string{"", "../" + digest, digest[:63], strings.Repeat("g", 64)} {
		_, _, err = l.Get(digest)
		require.ErrorIs(t, err, fs.ErrNotExist, digest)
	}
}

func TestWhatWasChangedInALibraryIsNotGiven(t *testing.T) {
	l, dir := openLibrary(t, 0)
	digest := plugin.Digest([]byte("module"))
	require.NoError(t, l.Put([]byte("module"), nil))
	path := filepath.Join(dir, digest+".wasm")
	require.NoError(t, os.WriteFile(path, []byte("modulE"), 0o600))
	_, _, err := plugin.ReadLibrary(dir).Get(digest)
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.FileExists(t, path, "one that is only read is left as it is")
	_, _, err = l.Get(digest)
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.NoFileExists(t, path)
	require.NoError(t, l.Put([]byte("module"), nil))
	require.NoError(t, os.WriteFile(path, []byte("modulE"), 0o600))
	require.NoError(t, l.Put([]byte("module"), nil), "it is mended")
	_, _, err = l.Get(digest)
	require.NoError(t, err)
}

func TestALibraryLosesTheOldestUsed(t *testing.T) {
	l, dir := openLibrary(t, 300)
	module := func(n byte) []byte { return bytes.Repeat([]byte{n}, 100) }
	old := time.Now().Add(-time.Hour)
	for n := range byte(3) {
		require.NoError(t, l.Put(module(n), bytes.Repeat([]byte{n}, 64)))
		at := old.Add(time.Duration(n) * time.Minute)
		require.NoError(t, os.Chtimes(filepath.Join(dir, plugin.Digest(module(n))+".wasm"), at, at))
	}
	_, _, err := l.Get(plugin.Digest(module(0)))
	require.NoError(t, err, "and now it is the newest used")
	require.NoError(t, l.Put(module(3), nil))
	for n, kept := range []bool{true, false, true, true} {
		_, _, err := l.Get(plugin.Digest(module(byte(n))))
		assert.Equal(t, kept, err == nil, n)
	}
	assert.NoFileExists(t, filepath.Join(dir, plugin.Digest(module(1))+".sig"))
	require.NoError(t, l.Put(bytes.Repeat([]byte{9}, 1000), nil), "what is in use has to be kept")
}
