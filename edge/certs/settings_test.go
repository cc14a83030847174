package certs_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedge-lb/wedge/edge/certs"
)

func TestEveryFaultIsTold(t *testing.T) {
	t.Parallel()
	pki := newPartner(t, "files")
	good, strange := pki.pair(t, "a.test"), pki.pair(t, "b.test")
	m := newManager(t, t.TempDir(), nil)
	err := m.Apply(t.Context(), certs.Settings{
		ACME: certs.ACME{Directory: "http://ca.test/dir", CAFile: "/nowhere.pem", Challenges: []string{"dns-01"}},
		Sites: []certs.Site{
			{Name: "one", Hosts: []string{"a.test", "b..test", "*.*.test", "*.1.2", "a.test:443"}},
			{Name: "one", Hosts: nil, Source: certs.SourceInternal},
			{Name: "two", Hosts: []string{"A.test"}, Source: certs.SourceInternal},
			{Name: "three", Hosts: []string{"*.wild.test"}},
			{Name: "four", Hosts: []string{"*"}, OnDemand: &certs.OnDemand{}},
			{Name: "five", Hosts: []string{"*.five.test"}, OnDemand: &certs.OnDemand{Allow: []string{"*"}}},
			{Name: "six", Hosts: []string{"six.test"}, Source: "magic"},
			{Name: "seven", Hosts: []string{"seven.test"}, Source: certs.SourceFiles,
				Files: []certs.KeyPair{
					{Certificate: good.Certificate, Key: strange.Key}, {Certificate: "/no.crt", Key: good.Key},
				}},
			{Name: "eight", Hosts: []string{"eight.test"}, Source: certs.SourceFiles},
			{Name: "nine", Hosts: []string{"nine.test"}, Files: []certs.KeyPair{good}},
			{Name: "ten", Hosts: []string{"ten.test"}, ClientAuth: certs.ClientAuth{Mode: "maybe"}},
			{Name: "eleven", Hosts: []string{"eleven.test"}, ClientAuth: certs.ClientAuth{CA: pki.file}},
			{Name: "twelve", Hosts: []string{"twelve.test"}, Source: certs.SourceInternal,
				OnDemand: &certs.OnDemand{}},
			{Name: "thirteen", Hosts: []string{"*.x.test"}, OnDemand: &certs.OnDemand{Allow: []string{"bad name"}}},
		},
	})
	require.Error(t, err)
	for _, want := range []string{
		`directory "http://ca.test/dir"`, "/nowhere.pem", `challenge "dns-01"`,
		`site one: host "b..test"`, `host "*.*.test"`, `host "*.1.2"`, `host "a.test:443"`,
		"site one: name used twice", "site one: no hosts",
		"site two: host a.test belongs to site one already",
		"site three: host *.wild.test: http-01 and tls-alpn-01 issue for single names only",
		"site four: on demand: no allow rule", `site five: on demand: allow "*"`, `source "magic"`,
		good.Certificate + " with key " + strange.Key, "certificate /no.crt with key " + good.Key,
		"site eight: source files: no certificate", "site nine: certificate files need the source files",
		`mode "maybe"`, "site eleven: client authentication: a CA without a mode",
		"site twelve: on demand needs the source acme", "site thirteen: on demand: allow: host",
	} {
		assert.ErrorContains(t, err, want)
	}
	assert.Empty(t, m.Certificates())
}

func TestNewNeedsAStateDirectoryItCanUse(t *testing.T) {
	t.Parallel()
	_, err := certs.New(certs.Options{})
	require.ErrorContains(t, err, "no state directory")
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	_, err = certs.New(certs.Options{StateDir: file})
	require.ErrorContains(t, err, file)

	open := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(open, "certificates"), 0o755))
	newManager(t, open, nil)
	assertMode(t, filepath.Join(open, "certificates"), 0o700)
}

func TestFilesAreReadAgainOnApply(t *testing.T) {
	t.Parallel()
	pki := newPartner(t, "files")
	kp, other := pki.pair(t, "a.test"), pki.pair(t, "b.test")
	m := newManager(t, t.TempDir(), nil)
	site := certs.Site{Name: "files", Source: certs.SourceFiles, Hosts: []string{"a.test", "b.test"},
		Files: []certs.KeyPair{kp, other}}
	apply(t, m, site)
	e := newEdge(t)
	e.use(m)
	for _, name := range site.Hosts {
		_, err := e.dialTLS(clientFor(pki.roots(), name))
		require.NoError(t, err, name)
		assert.Equal(t, certs.SourceFiles, infoFor(t, m, name).Source)
		assert.Equal(t, "files", infoFor(t, m, name).Issuer)
	}
	first := leafFor(t, m, "a.test")
	fresh := pki.pair(t, "a.test")
	require.NoError(t, os.Rename(fresh.Certificate, kp.Certificate))
	err := m.Apply(t.Context(), certs.Settings{Sites: []certs.Site{site}})
	require.ErrorContains(t, err, kp.Key, "half a change")
	assert.Equal(t, first, leafFor(t, m, "a.test"))
	require.NoError(t, os.Rename(fresh.Key, kp.Key))
	apply(t, m, site)
	assert.NotEqual(t, first.SerialNumber, leafFor(t, m, "a.test").SerialNumber)
}
