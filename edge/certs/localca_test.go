package certs_test

import (
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedge-lb/wedge/edge/certs"
)

func TestLocalCASurvivesARestart(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "ca")
	first, err := certs.OpenLocalCA(dir, time.Now())
	require.NoError(t, err)
	second, err := certs.OpenLocalCA(dir, time.Now())
	require.NoError(t, err)
	assert.Equal(t, first.RootPEM(), second.RootPEM())
	assert.Regexp(t, `^([0-9A-F]{2}:){31}[0-9A-F]{2}$`, first.Fingerprint())
	assert.Equal(t, first.Fingerprint(), second.Fingerprint())

	block, _ := pem.Decode(first.RootPEM())
	root, err := x509.ParseCertificate(block.Bytes)
	require.NoError(t, err)
	assert.True(t, root.IsCA)
	assert.Greater(t, time.Until(root.NotAfter), 9*365*24*time.Hour)
	assertMode(t, dir, 0o700)
	assertMode(t, filepath.Join(dir, "root.key"), 0o600)
}

func assertMode(t *testing.T, path string, want os.FileMode) {
	t.Helper()
	info, err := os.Stat(path)
	require.NoError(t, err)
	assert.Equal(t, want, info.Mode().Perm(), path)
}

const noKey = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"

func TestLocalCAIsNeverOverwritten(t *testing.T) {
	for name, tt := range map[string]struct {
		spoil func(t *testing.T, dir string)
		want  string
	}{
		"an empty key":              {write("root.key", ""), "root.key"},
		"a key that is no key":      {write("root.key", noKey), "root.key"},
		"a cut key":                 {cut("root.key"), "root.key"},
		"an empty certificate":      {write("root.crt", ""), "root.crt"},
		"a cut certificate":         {cut("root.crt"), "root.crt"},
		"a lost key":                {lose("root.key"), "root.key"},
		"the key of another":        {other("root.key"), "root.crt is not the certificate of root.key"},
		"a directory for a key":     {folder("root.key"), "root.key"},
		"a directory for the root":  {folder("root.crt"), "root.crt"},
		"a certificate that is old": {older, "ended on"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "ca")
			_, err := certs.OpenLocalCA(dir, time.Now())
			require.NoError(t, err)
			tt.spoil(t, dir)
			before := contents(t, dir)
			_, err = certs.OpenLocalCA(dir, time.Now())
			require.ErrorContains(t, err, tt.want)
			assert.ErrorContains(t, err, dir)
			assert.Equal(t, before, contents(t, dir))
		})
	}
}

func TestLocalCACompletesAfterACrash(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "ca")
	_, err := certs.OpenLocalCA(dir, time.Now())
	require.NoError(t, err)
	key := contents(t, dir)["root.key"]

	// killed after the key was renamed and while the certificate was being written
	require.NoError(t, os.Remove(filepath.Join(dir, "root.crt")))
	write(".tmp-123", "-----BEGIN CERTI")(t, dir)
	_, err = certs.OpenLocalCA(dir, time.Now())
	require.NoError(t, err)
	assert.Equal(t, key, contents(t, dir)["root.key"])

	// killed while the key was being written
	require.NoError(t, os.RemoveAll(dir))
	require.NoError(t, os.Mkdir(dir, 0o755))
	write(".tmp-456", "-----BEGIN PRIV")(t, dir)
	_, err = certs.OpenLocalCA(dir, time.Now())
	require.NoError(t, err)
	assertMode(t, dir, 0o700)
}

func write(file, content string) func(*testing.T, string) {
	return func(t *testing.T, dir string) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, file), []byte(content), 0o600))
	}
}

func cut(file string) func(*testing.T, string) {
	return func(t *testing.T, dir string) {
		path := filepath.Join(dir, file)
		data, err := os.ReadFile(path)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(path, data[:len(data)/2], 0o600))
	}
}

func lose(file string) func(*testing.T, string) {
	return func(t *testing.T, dir string) { require.NoError(t, os.Remove(filepath.Join(dir, file))) }
}

func folder(file string) func(*testing.T, string) {
	return func(t *testing.T, dir string) {
		lose(file)(t, dir)
		require.NoError(t, os.Mkdir(filepath.Join(dir, file), 0o700))
	}
}

func other(file string) func(*testing.T, string) {
	return func(t *testing.T, dir string) {
		elsewhere := t.TempDir()
		_, err := certs.OpenLocalCA(elsewhere, time.Now())
		require.NoError(t, err)
		data, err := os.ReadFile(filepath.Join(elsewhere, file))
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(dir, file), data, 0o600))
	}
}

func older(t *testing.T, dir string) {
	require.NoError(t, os.RemoveAll(dir))
	_, err := certs.OpenLocalCA(dir, time.Now().AddDate(-11, 0, 0))
	require.NoError(t, err)
}

func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, e := range entries {
		data, _ := os.ReadFile(filepath.Join(dir, e.Name()))
		files[e.Name()] = string(data)
	}
	return files
}
