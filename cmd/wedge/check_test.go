package main_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestCheckTellsEveryFaultWithItsPlace(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.write("broken.yaml", `version: 1
server:
  listen: { http: "127.0.0.1:0" }
  limits: { header_byte: 32KiB }
strategies:
  spread: { use: builtin/stateles }
pools:
  shop:
    strategy: spred
    backends:
      - { url: "127.0.0.1:9001" }
      - { id: a, url: "http://127.0.0.1:9002", weight: -1 }
      - { id: a, url: "http://127.0.0.1:9003" }
sites:
  - { hosts: ["*"], tls: off, routes: [{ pool: shopp }] }
`)
	r := h.run("check", "-c", "broken.yaml")
	assert.Equal(t, 2, r.code)
	assert.Empty(t, r.out)
	for _, want := range []string{
		`broken.yaml:4:13: server.limits.header_byte: unknown key; did you mean "header_bytes"?`,
		`broken.yaml:6:18: strategies.spread.use: `,
		`broken.yaml:9:15: pools.shop.strategy: `,
		`broken.yaml:11:16: pools.shop.backends[0].url: `,
		`broken.yaml:12:56: pools.shop.backends[1].weight: `,
		`broken.yaml:13:9: pools.shop.backends[2]: the id "a" is that of pools.shop.backends[1] on line 12`,
		`broken.yaml:15:48: sites[0].routes[0].pool: `,
	} {
		assert.Contains(t, r.err, want)
	}
	assert.Contains(t, r.err, `use: builtin/stateles }`, "the source line is shown")
	assert.Equal(t, 7, strings.Count(r.err, "broken.yaml:"), r.err)
}

func TestCheckTriesThePluginsTheirOptionsAndTheFiles(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.write("nothing.wasm", "no module")
	h.write("broken.yaml", `version: 1
state_dir: never-made
server: { listen: { http: ":0", https: ":0" } }
plugins:
  own: { source: nothing.wasm }
strategies:
  one: { use: own }
  two: { use: builtin/stateless, options: { algorithm: magic } }
pools:
  shop: { strategy: one, backends: [{ url: "http://127.0.0.1:1" }] }
sites:
  - hosts: [a.test]
    tls: { certificate: nowhere.crt, key: nowhere.key }
    routes: [{ match: { path: /two }, pool: shop, strategy: two }, { pool: shop }]
`)
	r := h.run("check", "-c", "broken.yaml")
	assert.Equal(t, 2, r.code)
	assert.Contains(t, r.err, "broken.yaml:7:3: strategies.one: ")
	assert.Contains(t, r.err, "not a WebAssembly module")
	assert.Contains(t, r.err, "broken.yaml:8:56: strategies.two.options.algorithm: ")
	assert.Contains(t, r.err, `"magic": want one of round_robin`)
	assert.Contains(t, r.err, "broken.yaml:13:25: sites[0].tls.certificate: ")
	assert.Contains(t, r.err, "nowhere.crt")
	assert.NoDirExists(t, h.path("never-made"))
	assertTmpEmpty(t, h)
}

func TestCheckPlacesWhatIsRefusedAtItsKey(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	for name, tt := range map[string]struct{ options, affinity, want string }{
		"an option": {"{ algorithm: p2c, nonsense: 1 }", "{}", "5:42: strategies.s.options.nonsense: "},
		"one below another": {"{ prefer: [{ zone: [x, 3] }] }", "{}",
			"5:37: strategies.s.options.prefer[0].zone[1]: "},
		"a list of one, as its element": {"{ prefer: { zone: 3 } }", "{}", "5:32: strategies.s.options.prefer.zone: "},
		"options without a name":        {"{ '': 1 }", "{}", "5:5: strategies.s.options: "},
		"a field of the affinity": {"{}", "{ carrier: header, header: cookie }",
			`8:42: pools.p.affinity.header: "cookie" has a meaning of its own; want another name`},
	} {
		t.Run(name, func(t *testing.T) {
			h.write("wedge.yaml", `version: 1
strategies:
  s:
    use: builtin/stateless
    options: `+tt.options+`
pools:
  p:
    affinity: `+tt.affinity+`
    strategy: s
    backends: [{ url: "http://127.0.0.1:1" }]
server: { listen: { http: ":0" } }
sites: [{ hosts: ["*"], routes: [{ pool: p }] }]
`)
			r := h.run("check")
			assert.Equal(t, 2, r.code)
			assert.Contains(t, r.err, "wedge.yaml:"+tt.want)
		})
	}
}

func TestCheckSaysThatAFileIsFine(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.write("wedge.yaml", file("127.0.0.1:0", "http://127.0.0.1:1"))
	assert.Equal(t, "wedge.yaml: ok\n", h.ok("check"))
	assert.NoDirExists(t, h.path("state"))
	assertTmpEmpty(t, h)
	r := h.run("check", "-c", "nowhere.yaml")
	assert.NotZero(t, r.code)
	assert.Contains(t, r.err, "nowhere.yaml: no such file")
}
