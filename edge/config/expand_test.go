package config_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/wedge-lb/wedge/edge/config"
)

func TestExpandMakesEverythingExplicit(t *testing.T) {
	c := parse(t, `version: 1
tls: { issuer: internal }
sites:
  - { hosts: ["*.example.com"], to: ["http://10.0.0.1", "https://[::1]"] }
  - { hosts: ["*"], to: ["http://b:9"] }
  - { hosts: ["::1"], to: ["http://b:9"] }
  - { hosts: [a.example.com], routes: [{ match: { path: /x }, pool: own, strategy: other }, { pool: own }] }
pools: { own: { strategy: mine, backends: [{ url: "http://a" }, { id: two, url: "http://a" }] } }
strategies: { mine: { use: builtin/stateless }, other: { use: builtin/ip-affinity } }
`)
	e := c.Expand()

	want := config.DefaultPool()
	want.Backends = []config.Backend{
		config.DefaultBackend("http://10.0.0.1"), config.DefaultBackend("https://[::1]"),
	}
	want.Backends[0].ID, want.Backends[1].ID = "10.0.0.1:80", "[::1]:443"
	assert.Equal(t, want, e.Pools["site-any.example.com"])
	assert.Equal(t, []config.Route{{Pool: "site-any.example.com", Strategy: "default"}}, e.Sites[0].Routes)
	assert.Empty(t, e.Sites[0].To)
	assert.Contains(t, e.Pools, "site-any")
	assert.Contains(t, e.Pools, "site---1")

	assert.Equal(t, "a:80", e.Pools["own"].Backends[0].ID)
	assert.Equal(t, "two", e.Pools["own"].Backends[1].ID)
	assert.Equal(t, "other", e.Sites[3].Routes[0].Strategy)
	assert.Equal(t, "mine", e.Sites[3].Routes[1].Strategy)

	assert.Equal(t, "builtin/stateless", e.Strategies["default"].Use)
	assert.JSONEq(t, `{"algorithm":"p2c"}`, string(e.Strategies["default"].Options))
	assert.Equal(t, config.Size(16<<20), e.Strategies["default"].Limits.Memory)
	assert.Equal(t, "unix:///var/lib/wedge/admin.sock", e.Admin.Listen)
}

func TestExpandChangesNothing(t *testing.T) {
	c, same := parse(t, smallest), parse(t, smallest)
	c.Expand().Sites[0].Routes[0].Pool = "x"
	assert.True(t, c.Equal(same))
	assert.True(t, c.Expand().Equal(c.Expand().Expand()), "it is the explicit form of itself")
}

func TestADefaultStrategyOfOnesOwnIsUsed(t *testing.T) {
	e := parse(t, smallest+"strategies: { default: { use: builtin/ip-affinity } }").Expand()
	assert.Equal(t, "builtin/ip-affinity", e.Strategies["default"].Use)
}

func TestAddressesOfBackends(t *testing.T) {
	for url, want := range map[string]string{
		"http://a": "http a:80", "https://a": "https a:443", "http://a:8080/": "http a:8080",
		"http://[::1]": "http [::1]:80", "https://10.0.0.1:1": "https 10.0.0.1:1",
	} {
		scheme, address, err := config.Backend{URL: url}.Address()
		assert.NoError(t, err)
		assert.Equal(t, want, scheme+" "+address)
	}
	for _, bad := range []string{
		"", "a", "http://", "http://:80", "http://a:", "http://a:99999", "unix:///x", "http://a b",
	} {
		_, _, err := config.Backend{URL: bad}.Address()
		assert.Error(t, err, bad)
	}
}
