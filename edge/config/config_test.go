package config_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedge-lb/wedge/edge/config"
)

const smallest = `version: 1
sites:
  - { hosts: [shop.example.com], to: ["http://10.0.1.11:8080", "http://10.0.1.12:8080"] }
`

const hidden = "correct horse battery staple" // what every secret is in tests

// sandbox keeps Parse away from the machine: one directory, two secrets.
func sandbox() config.Options {
	return config.Options{
		Dir: "/etc/wedge",
		ReadFile: func(name string) ([]byte, error) {
			if strings.HasPrefix(name, "/etc/wedge/keys/") {
				return []byte(hidden + "\n"), nil
			}
			return nil, &os.PathError{Op: "open", Path: name, Err: errors.New("no such file")}
		},
		LookupEnv: func(name string) (string, bool) { return hidden, name == "AFFINITY" },
	}
}

func parse(t *testing.T, text string) *config.Config {
	t.Helper()
	c, err := config.Parse("wedge.yaml", []byte(text), sandbox())
	require.NoError(t, err)
	return c
}

func whole(t testing.TB) string {
	t.Helper()
	data, err := os.ReadFile("testdata/whole.yaml")
	require.NoError(t, err)
	return string(data)
}

func TestTheSmallestFileIsAWholeEdge(t *testing.T) {
	c := parse(t, smallest)
	assert.Equal(t, config.Listen{HTTP: ":80", HTTPS: ":443"}, c.Server.Listen)
	assert.Equal(t, []string{"shop.example.com"}, c.Sites[0].Hosts)
	assert.Equal(t, []string{"http://10.0.1.11:8080", "http://10.0.1.12:8080"}, c.Sites[0].To)
	assert.Empty(t, c.Pools)

	want := config.Default()
	want.Sites = c.Sites
	assert.True(t, want.Equal(c), "every other key has its default")
}

func TestEveryKeyOfTheWholeFileArrives(t *testing.T) {
	c := parse(t, whole(t))
	assert.Equal(t, "unix:///run/wedge/admin.sock", c.Admin.Listen)
	assert.Equal(t, "10.0.0.0/8", c.Server.TrustedProxies[0].String())
	assert.Equal(t, config.Size(32<<10), c.Server.Limits.HeaderBytes)
	assert.Equal(t, config.File("/etc/wedge/plugins/geo-canary.wasm"), c.Plugins["geo-canary"].Source)
	assert.Equal(t, []string{"header:authorization"}, c.Strategies["geo"].Grants)

	shop := c.Pools["shop"]
	assert.Equal(t, "spread", shop.Strategy)
	assert.Equal(t, "__Host-shop", shop.Affinity.Cookie.Name)
	assert.True(t, shop.Affinity.Cookie.HTTPOnly)
	assert.Equal(t, 30*time.Minute, shop.Affinity.Idle)
	assert.Equal(t, hidden, string(shop.Affinity.Secret.Value()))
	assert.Equal(t, map[string]string{"track": "canary"}, shop.Backends[1].Labels)
	assert.Equal(t, 2, shop.Backends[0].Weight)
	assert.Equal(t, 5*time.Second, shop.Health.Active.Interval)
	assert.Equal(t, config.Percent(50), shop.Health.Passive.MaxEjected)
	assert.Equal(t, 2, shop.Retry.Attempts)

	api := c.Pools["api"]
	assert.Nil(t, api.Health.Active)
	assert.Equal(t, 1, api.Backends[0].Weight)
	assert.Equal(t, "h2c", api.Upstream.Protocol)
	assert.Equal(t, 2*time.Second, api.Upstream.ConnectTimeout)

	match := config.Match{Path: "/static/**", Method: []string{"GET", "HEAD"}}
	assert.Equal(t, match, c.Sites[0].Routes[1].Match)
	auth := &config.ClientAuth{Mode: "require", CA: "/etc/wedge/keys/partners.pem"}
	assert.Equal(t, auth, c.Sites[1].TLS.ClientAuth)
	assert.Equal(t, 30*time.Second, c.Sites[1].Routes[0].Timeout)
}

func TestListenIsTakenAsAWhole(t *testing.T) {
	c := parse(t, "version: 1\nserver: { listen: { http: '127.0.0.1:8080' } }\n"+
		"sites: [{ hosts: ['*'], to: ['http://127.0.0.1:9001'] }]\n")
	assert.Equal(t, config.Listen{HTTP: "127.0.0.1:8080"}, c.Server.Listen, "a plain balancer, for any name")
}

func TestTLSOfASiteIsAWordOrASection(t *testing.T) {
	c := parse(t, `version: 1
sites:
  - { hosts: [localhost], to: ["http://a"], tls: internal }
  - { hosts: [plain.example.com], to: ["http://a"], tls: off }
  - { hosts: [own.example.com], to: ["http://a"], tls: { certificate: certs/own.pem, key: /own.key } }
  - hosts: [mutual.test]
    to: ["http://a"]
    tls: { issuer: internal, client_auth: { ca: ca.pem, mode: request } }
`)
	assert.Equal(t, config.SiteTLS{Issuer: "internal"}, c.Sites[0].TLS)
	assert.True(t, c.Sites[1].TLS.Off())
	own := config.SiteTLS{Certificate: "/etc/wedge/certs/own.pem", Key: "/own.key"}
	assert.Equal(t, own, c.Sites[2].TLS)
	assert.Equal(t, config.SiteTLS{
		Issuer: "internal", ClientAuth: &config.ClientAuth{Mode: "request", CA: "/etc/wedge/ca.pem"},
	}, c.Sites[3].TLS)
}

func TestLoadReadsNamesRelativeToTheFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "wedge.yaml")
	text := strings.Replace(smallest, "version: 1", "version: 1\nstate_dir: state\n"+
		"pools: { a: { backends: [{ url: 'http://a' }], affinity: { secret: '${file:key}' } } }", 1)
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "key"), []byte(hidden+"\r\n"), 0o600))

	c, err := config.Load(path)
	require.NoError(t, err)
	assert.Equal(t, config.Dir(filepath.Join(dir, "state")), c.StateDir)
	assert.Equal(t, hidden, string(c.Pools["a"].Affinity.Secret.Value()), "the line break at the end is no part")
}

func TestLoadSaysWhyAFileCannotBeRead(t *testing.T) {
	_, err := config.Load(filepath.Join(t.TempDir(), "none.yaml"))
	require.ErrorIs(t, err, os.ErrNotExist)
	var faults config.Faults
	assert.NotErrorAs(t, err, &faults, "nothing is wrong with what stands in it")
}

func TestAdminListensInTheStateDirectoryUnlessTold(t *testing.T) {
	for name, tt := range map[string]struct{ keys, network, address string }{
		"by default":     {"", "unix", "/var/lib/wedge/admin.sock"},
		"with the state": {"state_dir: state", "unix", "/etc/wedge/state/admin.sock"},
		"elsewhere":      {"admin: { listen: 'unix:///run/w.sock' }", "unix", "/run/w.sock"},
		"on TCP":         {"admin: { listen: ':9901', token: '${env:AFFINITY}' }", "tcp", ":9901"},
	} {
		t.Run(name, func(t *testing.T) {
			network, address := parse(t, smallest+tt.keys).AdminAddress()
			assert.Equal(t, tt.network, network)
			assert.Equal(t, tt.address, address)
		})
	}
}
