package config_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/wedge-lb/wedge/edge/config"
)

// sound are a site and a pool that bad files add to; the next line is the 5th.
const sound = `version: 1
sites: [{ hosts: [ok.example.com], routes: [{ pool: ok }] }]
x-pool: &pool { backends: [{ url: "http://a" }] }
x-plain: &plain { http: ":80" }
`

// refusals are bad files, each with everything that is told of it. A file that begins
// with a + is put behind sound.
var refusals = map[string]struct {
	file string
	want []string
}{
	"no version and no sites": {"state_dir: x", []string{
		`1:1: version: missing`, `1:1: sites: missing`,
	}},
	"another version": {"version: 2\nsites: []", []string{
		`1:10: version: want 1`, `2:1: sites: want at least one site`,
	}},
	"slips of the pen": {"versoin: 1\nSites: []\nstrategys: {}\nloging: {}\nbackends: []", []string{
		`1:1: versoin: unknown key; did you mean "version"?`, `2:1: Sites: unknown key; did you mean "sites"?`,
		`3:1: strategys: unknown key; did you mean "strategies"?`, `4:1: loging: unknown key; did you mean "logging"?`,
		`5:1: backends: unknown key`,
	}},
	"a hyphen for an underscore": {"+state-dir: /x\npools: { ok: *pool }", []string{
		`5:1: state-dir: unknown key; did you mean "state_dir"?`,
	}},
	"duplicate keys": {"+pools: { ok: *pool, ok: *pool }\nstate_dir: a\nstate_dir: b", []string{
		`5:21: pools.ok: duplicate key; the first is on line 5`,
		`7:1: state_dir: duplicate key; the first is on line 6`,
	}},
	"wrong types": {`+pools: { ok: *pool }
state_dir: 7
server: { trusted_proxies: 10.0.0.0/8, drain_timeout: 30, protocols: [h1, 2], limits: { connections: "9" } }
logging: []
tls:
admin: text
plugins: { p: { source: [x] } }`, []string{
		`6:12: state_dir: want text, found a whole number; put it in quotes`,
		`7:28: server.trusted_proxies: want a list, found text; put it in [ ]`,
		`7:55: server.drain_timeout: a duration needs a unit, such as 30s`,
		`7:75: server.protocols[1]: want text, found a whole number; put it in quotes`,
		`7:102: server.limits.connections: want a whole number, found text`,
		`8:10: logging: want a section, found a list`,
		`9:5: tls: no value; want a section, or leave the key out`,
		`10:8: admin: want a section, found text`,
		`11:25: plugins.p.source: want text, found a list`,
	}},
	"keys and tags that are no text": {"+pools: { ok: *pool, 1: *pool }\nx-a: 1\n? [a]\n: 1\nstate_dir: !!binary aGk=", []string{
		`5:21: pools: a key is text, found a whole number`,
		`7:3: a key is text, found a list`,
		`9:12: state_dir: want text; tags such as !!binary are not used here`,
	}},
	"bad units": {`+pools: { ok: { <<: *pool, retry: { budget: 20 }, health: { passive: { max_ejected: 101% } } } }
server: { drain_timeout: 1 day, limits: { header_bytes: 32kb, min_rate: 1e3, idle_timeout: -1s, body_timeout: 1.5 } }`,
		[]string{
			`5:44: pools.ok.retry.budget: want a whole percentage such as 20%`,
			`5:84: pools.ok.health.passive.max_ejected: want at most 100%`,
			`6:26: server.drain_timeout: want a duration such as 500ms, 30s or 1h30m`,
			`6:57: server.limits.header_bytes: the units of a size are B, KiB, MiB and GiB`,
			`6:73: server.limits.min_rate: want text, found a number; put it in quotes`,
			`6:92: server.limits.idle_timeout: want a duration such as 500ms, 30s or 1h30m`,
			`6:111: server.limits.body_timeout: a duration needs a unit, such as 1.5s`,
		}},
	"out of range": {`+server: { drain_timeout: 25h, limits: { header_bytes: 1B, streams: 0, connections: 99999999999999999999 } }
pools: { ok: { backends: [{ url: "http://a", weight: 1001 }], health: { active: { status: [99, 200] } } } }`, []string{
		`5:26: server.drain_timeout: want at most 24h`,
		`5:55: server.limits.header_bytes: want 1KiB to 1MiB`,
		`5:68: server.limits.streams: want 1 to 100000`,
		`5:84: server.limits.connections: the number is too large`,
		`6:54: pools.ok.backends[0].weight: want 1 to 1000`,
		`6:92: pools.ok.health.active.status[0]: want 100 to 599`,
	}},
	"words that are none of those": {`+logging: { level: warning, access: { format: jsn } }
pools: { ok: { <<: *pool, affinity: { on_unavailable: repinn }, upstream: { protocol: http2 } } }`, []string{
		`5:19: logging.level: want debug, info, warn or error; did you mean "warn"?`,
		`5:46: logging.access.format: want json or off; did you mean "json"?`,
		`6:55: pools.ok.affinity.on_unavailable: want repin, borrow or fail; did you mean "repin"?`,
		`6:87: pools.ok.upstream.protocol: want h1, h2c or h2`,
	}},
	"references to nothing": {`+pools: { ok: { <<: *pool, strategy: spraed }, b: { <<: *pool, strategy: builtin/stateless } }
strategies: { spread: { use: builtin/stateles }, own: { use: plgin } }
plugins: { plugin: { source: a.wasm } }
x-s: &s { hosts: [a.example.com] }`, []string{
		`5:37: pools.ok.strategy: no strategy "spraed"; did you mean "spread"?`,
		`5:73: pools.b.strategy: want the name of a strategy; define one under strategies with use: builtin/stateless`,
		`6:30: strategies.spread.use: no built-in strategy "builtin/stateles"; did you mean "builtin/stateless"?`,
		`6:62: strategies.own.use: no plugin "plgin"; did you mean "plugin"?`,
	}},
	"routes to nothing": {"version: 1\nsites: [{ hosts: [a.example.com], routes: [{ pool: shpo, strategy: no }, { match: {} }] }]\n" +
		"pools: { shop: { backends: [{ url: 'http://a' }] } }", []string{
		`2:52: sites[0].routes[0].pool: no pool "shpo"; did you mean "shop"?`,
		`2:68: sites[0].routes[0].strategy: no strategy "no"`,
		`2:74: sites[0].routes[1].pool: missing`,
		`2:74: sites[0].routes[1]: never reached: sites[0].routes[0] on line 2 takes all that it matches`,
	}},
	"names": {"+pools: { ok: *pool, 'a b': *pool, -x: *pool, '': *pool, " + strings.Repeat("n", 64) + ": *pool }", []string{
		`5:21: pools["a b"]: a name is 1 to 63 letters, digits, - and _, a letter or digit first`,
		`5:35: pools.-x: a name is 1 to 63 letters, digits, - and _, a letter or digit first`,
		`5:46: pools[""]: a name is 1 to 63 letters, digits, - and _, a letter or digit first`,
		`5:57: pools.` + strings.Repeat("n", 64) + `: a name is 1 to 63 letters, digits, - and _, a letter or digit first`,
	}},
	"backends": {`+pools:
  ok:
    backends:
      - { url: "10.0.0.1:80" }
      - { url: "ftp://a" }
      - { url: "http://a/path" }
      - { url: "http://a?q" }
      - { url: "http://a:0" }
      - { url: "http://a_b:80:80" }
      - { url: "http://a b" }
      - { id: "a b", url: "http://b" }
      - { url: "http://c" }
      - { url: "http://c:80/" }
      - { id: "c:80", url: "http://d" }
      - {}
  none: { backends: [] }
  gone: {}`, []string{
		`8:16: pools.ok.backends[0].url: want a URL; did you mean "http://10.0.0.1:80"?`,
		`9:16: pools.ok.backends[1].url: want http://host:port or https://host:port`,
		`10:16: pools.ok.backends[2].url: a backend's URL has no path and no query: requests keep theirs`,
		`11:16: pools.ok.backends[3].url: a backend's URL has no path and no query: requests keep theirs`,
		`12:16: pools.ok.backends[4].url: want a port from 1 to 65535`,
		`13:16: pools.ok.backends[5].url: not a URL`,
		`14:16: pools.ok.backends[6].url: not a URL`,
		`15:15: pools.ok.backends[7].id: an id is 1 to 128 visible ASCII characters without quotes`,
		`17:9: pools.ok.backends[9]: the id "c:80" is that of pools.ok.backends[8] on line 16; give each its own`,
		`18:9: pools.ok.backends[10]: the id "c:80" is that of pools.ok.backends[8] on line 16; give each its own`,
		`19:9: pools.ok.backends[11].url: missing`,
		`20:11: pools.none.backends: want at least one backend`,
		`21:3: pools.gone.backends: missing`,
	}},
	"upstream": {`+pools:
  ok: { <<: *pool, upstream: { protocol: h2 } }
  b: { backends: [{ url: "https://b" }], upstream: { protocol: h2c, tls: { server_name: "a b" } } }
  c: { <<: *pool, upstream: { tls: { server_name: c } } }`, []string{
		`3:35: pools.ok.backends[0].url: upstream.protocol h2 is spoken over https`,
		`7:26: pools.b.backends[0].url: upstream.protocol h2c is spoken over http`,
		`7:89: pools.b.upstream.tls.server_name: want a host name or an address`,
		`8:31: pools.c.upstream.tls: no backend has an https URL`,
	}},
	"affinity": {`+pools:
  ok: { <<: *pool, affinity: { secret: "${env:AFFINITY}", secrets: ["${env:AFFINITY}", "${env:AFFINITY}"] } }
  b: { <<: *pool, affinity: { cookie: { name: "a b", path: x, domain: "a b" } } }
  c: { <<: *pool, affinity: { cookie: { name: __Host-c, path: /c } } }
  d: { <<: *pool, affinity: { cookie: { name: __Secure-d, secure: false, same_site: none } } }`, []string{
		`6:59: pools.ok.affinity.secrets: want secret or secrets, not both`,
		`6:88: pools.ok.affinity.secrets[1]: listed twice`,
		"7:47: pools.b.affinity.cookie.name: want a cookie name: letters, digits and !#$%&'*+-.^_`|~",
		`7:60: pools.b.affinity.cookie.path: want a path that begins with / and has no spaces`,
		`7:71: pools.b.affinity.cookie.domain: want a host name`,
		`8:47: pools.c.affinity.cookie.name: a __Host- cookie is secure, has the path / and no domain`,
		`9:67: pools.d.affinity.cookie.secure: a __Secure- cookie is secure`,
		`9:85: pools.d.affinity.cookie.same_site: browsers take none only from a secure cookie`,
	}},
	"listeners": {"+pools: { ok: *pool }\nserver: { listen: { http: 80, https: '443' } }", []string{
		`6:27: server.listen.http: want text, found a whole number; put it in quotes`,
		`6:38: server.listen.https: want host:port, or :port for every address`,
	}},
	"no listener": {"+pools: { ok: *pool }\nserver: { listen: {} }", []string{
		`6:11: server.listen: want an address for http, https or both`,
	}},
	"one address for both": {"+pools: { ok: *pool }\nserver: { listen: { http: ':80', https: ':80' }, protocols: [h2, h2] }", []string{
		`6:41: server.listen.https: the address is that of http`,
		`6:66: server.protocols[1]: listed twice`,
	}},
	"what needs TLS without it": {"version: 1\nserver: { listen: { http: ':80' }, protocols: [h1, h3] }\n" +
		"sites: [{ hosts: [a.example.com], to: ['http://a'], tls: internal }]", []string{
		`2:36: server.protocols: without server.listen.https only h1 is spoken`,
		`3:58: sites[0].tls: TLS needs server.listen.https`,
	}},
	"networks": {"+pools: { ok: *pool }\nserver: { trusted_proxies: [10.0.0.1/8, 10.0.0.0/33, x, '::ffff:1.2.3.4', 'fe80::1%eth0'] }", []string{
		`6:29: server.trusted_proxies[0]: the address has bits beyond the prefix; did you mean "10.0.0.0/8"?`,
		`6:41: server.trusted_proxies[1]: want a network such as 10.0.0.0/8 or an address`,
		`6:54: server.trusted_proxies[2]: want a network such as 10.0.0.0/8 or an address`,
		`6:57: server.trusted_proxies[3]: want a network such as 10.0.0.0/8 or an address`,
		`6:75: server.trusted_proxies[4]: want a network such as 10.0.0.0/8 or an address`,
	}},
	"admin on TCP": {"+pools: { ok: *pool }\nadmin: { listen: ':9901' }", []string{
		`6:18: admin.listen: on TCP admin.token must be given`,
	}},
	"admin nowhere": {"+pools: { ok: *pool }\nadmin: { listen: 'unix://run/x', token: '${env:AFFINITY}' }", []string{
		`6:18: admin.listen: want unix:///PATH of at most 104 bytes for the admin socket`,
		`6:41: admin.token: a token is for an admin.listen on TCP; the socket is guarded by its mode`,
	}},
	"issuers": {"+pools: { ok: *pool }\ntls: { email: me, ca: 'http://ca/dir', challenges: [], on_demand: { allow: ['*', 'a b'] } }", []string{
		`6:15: tls.email: want an e-mail address`,
		`6:23: tls.ca: want the https URL of an ACME directory`,
		`6:40: tls.challenges: want at least one challenge`,
		`6:77: tls.on_demand.allow[0]: with * anyone could order certificates for any name; want a name or *.name`,
		`6:82: tls.on_demand.allow[1]: not a host name`,
	}},
	"hosts": {`version: 1
tls: { issuer: internal }
sites:
  - { hosts: [a.example.com, A.example.com, a.example.com., "a.example.com:443", "http://b", "bücher.example"], to: ["http://a"] }
  - { hosts: [a.example.com, "a.*.com", "*.*.com", "*.1.2.3.4", 010.0.0.1, "[::1]", "::ffff:1.2.3.4", ""], to: ["http://a"] }
  - { hosts: [], to: ["http://a"] }
  - { to: ["http://a"] }`, []string{
		`4:30: sites[0].hosts[1]: not the canonical form; did you mean "a.example.com"?`,
		`4:45: sites[0].hosts[2]: not the canonical form; did you mean "a.example.com"?`,
		`4:61: sites[0].hosts[3]: want a host alone, without scheme, port or path`,
		`4:82: sites[0].hosts[4]: want a host alone, without scheme, port or path`,
		`4:94: sites[0].hosts[5]: write an international name in its ASCII form, xn--...`,
		`5:15: sites[1].hosts[0]: a.example.com is served by sites[0].hosts[0] on line 4 already`,
		`5:30: sites[1].hosts[1]: a * stands alone, or for the whole first label as in *.example.com`,
		`5:41: sites[1].hosts[2]: a * stands alone, or for the whole first label as in *.example.com`,
		`5:52: sites[1].hosts[3]: not an address that clients could ask for`,
		`5:76: sites[1].hosts[5]: not the canonical form; did you mean "::1"?`,
		`5:85: sites[1].hosts[6]: not an address that clients could ask for`,
		`5:103: sites[1].hosts[7]: not a host name`,
		`6:7: sites[2].hosts: want at least one host`,
		`7:5: sites[3].hosts: missing`,
	}},
	"certificates nobody issues": {`version: 1
sites:
  - { hosts: ["*"], to: ["http://a"] }
  - { hosts: ["*.example.com", localhost, 10.0.0.1, db.internal], to: ["http://a"] }`, []string{
		`3:15: sites[0].hosts[0]: a certificate for * needs tls.on_demand.allow, tls: internal or files, or tls: off`,
		`4:15: sites[1].hosts[0]: a certificate for *.example.com needs tls.on_demand.allow, tls: internal or files, or tls: off`,
		`4:32: sites[1].hosts[1]: no public authority issues for localhost; want tls: internal or files, or tls: off`,
		`4:43: sites[1].hosts[2]: no public authority issues for 10.0.0.1; want tls: internal or files, or tls: off`,
		`4:53: sites[1].hosts[3]: no public authority issues for db.internal; want tls: internal or files, or tls: off`,
	}},
	"TLS of a site": {`version: 1
sites:
  - { hosts: [a.example.com], to: ["http://a"], tls: intern }
  - { hosts: [b.example.com], to: ["http://a"], tls: { certificate: a.pem } }
  - { hosts: [c.example.com], to: ["http://a"], tls: { certificate: a.pem, key: a.key, issuer: acme } }
  - { hosts: [d.example.com], to: ["http://a"], tls: { issuer: off, client_auth: { ca: x } } }
  - { hosts: [e.example.com], to: ["http://a"], tls: { client_auth: { mode: maybe } } }
  - { hosts: [f.example.com], to: ["http://a"], tls: true }`, []string{
		`3:54: sites[0].tls: want acme, internal or off; did you mean "internal"?`,
		`4:49: sites[1].tls: want both certificate and key`,
		`5:96: sites[2].tls.issuer: with a certificate of its own the site has no issuer`,
		`6:69: sites[3].tls.client_auth: without TLS clients cannot show a certificate`,
		`7:56: sites[4].tls.client_auth.ca: missing`,
		`7:77: sites[4].tls.client_auth.mode: want require or request`,
		`8:54: sites[5].tls: want acme, internal, off or a section`,
	}},
	"to and routes": {`+pools: { ok: *pool, site-b: *pool }
x-: 0
x-sites: 0`, nil},
	"a site that leads nowhere": {`version: 1
pools: { site-a.example.com: { backends: [{ url: "http://a" }] }, site-local: { backends: [{ url: "http://a" }] } }
sites:
  - { hosts: [c.example.com] }
  - { hosts: [d.example.com], to: [], routes: [] }
  - { hosts: [e.example.com], to: ["http://a", "http://a:80", "a:80", 80] }
  - { hosts: [local], to: ["http://a"], tls: internal }`, []string{
		`2:10: pools.site-a.example.com: a name is 1 to 63 letters, digits, - and _, a letter or digit first`,
		`2:67: pools.site-local: the name is that of the pool made from to for local`,
		`4:5: sites[0]: want to, with the URLs of backends, or routes`,
		`5:39: sites[1].routes: want to or routes, not both`,
		`6:48: sites[2].to[1]: listed twice`,
		`6:63: sites[2].to[2]: want a URL; did you mean "http://a:80"?`,
		`6:71: sites[2].to[3]: want text, found a whole number; put it in quotes`,
	}},
	"matches": {`version: 1
pools: { p: { backends: [{ url: "http://a" }] } }
sites:
  - hosts: [a.example.com]
    routes:
      - { match: { path: app }, pool: p }
      - { match: { path: /a**/b }, pool: p }
      - { match: { path: /*a*/b }, pool: p }
      - { match: { path: /../b }, pool: p }
      - { match: { path: "/x?y" }, pool: p }
      - { match: { method: [get, "G T", POST, POST] }, pool: p }
      - { match: { path: /ok/** }, pool: p }
      - { match: { path: /ok/too, method: [GET] }, pool: p }`, []string{
		`6:26: sites[0].routes[0].match.path: want a path that begins with / and has no spaces and no query`,
		`7:26: sites[0].routes[1].match.path: ** is only the whole last segment, as in /app/**`,
		`8:26: sites[0].routes[2].match.path: a segment has one * at most`,
		`9:26: sites[0].routes[3].match.path: never matches: . and .. are resolved before`,
		`10:26: sites[0].routes[4].match.path: want a path that begins with / and has no spaces and no query`,
		`11:29: sites[0].routes[5].match.method[0]: methods are in upper case; did you mean "GET"?`,
		`11:34: sites[0].routes[5].match.method[1]: want a method such as GET`,
		`11:47: sites[0].routes[5].match.method[3]: listed twice`,
		`13:9: sites[0].routes[7]: never reached: sites[0].routes[6] on line 12 takes all that it matches`,
	}},
	"grants and headers": {`+pools: { ok: *pool }
strategies: { s: { use: builtin/stateless, grants: [header:Authorization, path, "header:", cookie:Sid, cookie:Sid] } }
logging: { access: { redact_headers: [Cookie] } }`, []string{
		`6:53: strategies.s.grants[0]: want header:NAME in lower case or cookie:NAME`,
		`6:75: strategies.s.grants[1]: want header:NAME in lower case or cookie:NAME`,
		`6:81: strategies.s.grants[2]: want header:NAME in lower case or cookie:NAME`,
		`6:104: strategies.s.grants[4]: listed twice`,
		`7:39: logging.access.redact_headers[0]: want the name of a header in lower case`,
	}},
	"options": {`+pools: { ok: *pool }
strategies:
  a: { use: builtin/stateless, options: [1] }
  b: { use: builtin/stateless, options: { a: .inf, b: !!binary x, 1: 2, c: 1, c: 2 } }`, []string{
		`7:41: strategies.a.options: want a section, found a list`,
		`8:46: strategies.b.options.a: JSON has no such number`,
		`8:55: strategies.b.options.b: tags such as !!binary are not used here`,
		`8:67: strategies.b.options: a key is text, found a whole number`,
		`8:79: strategies.b.options.c: duplicate key; the first is on line 8`,
	}},
	"files": {"+pools: { ok: *pool }\nplugins: { a: { source: 'https://x/a.wasm' }, b: { source: 'file:' }, c: { source: \"a\\nb\" } }", []string{
		`6:25: plugins.a.source: only files are read; want PATH or file:PATH`,
		`6:60: plugins.b.source: want the name of a file`,
		`6:84: plugins.c.source: the text holds a line break or another control character`,
	}},
	"merge keys": {"+pools: { ok: { <<: *pool, <<: [*pool, 7], <<: x } }", []string{
		`5:39: pools.ok.<<[1]: << takes a section or a list of sections`,
		`5:47: pools.ok.<<: << takes a section or a list of sections`,
	}},
	"a mistake in an anchor is told once": {"+x-b: &b { weihgt: 1, url: 'http://b' }\npools: { ok: { backends: [*b] }, c: { backends: [*b] } }", []string{
		`5:11: pools.ok.backends[0].weihgt: unknown key; did you mean "weight"?`,
	}},
}

func TestABadFileIsToldOfAllItsFaults(t *testing.T) {
	for name, tt := range refusals {
		t.Run(name, func(t *testing.T) {
			text, prefixed := strings.CutPrefix(tt.file, "+")
			if prefixed {
				text = sound + text
			}
			_, err := config.Parse("w", []byte(text), sandbox())
			if tt.want == nil {
				assert.NoError(t, err)
				return
			}
			want := make([]string, len(tt.want))
			for i, line := range tt.want {
				want[i] = "w:" + line
			}
			assert.Equal(t, want, summaries(t, err))
		})
	}
}
