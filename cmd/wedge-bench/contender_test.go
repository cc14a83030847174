package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedge-lb/wedge/edge/config"
)

func testSite(t *testing.T, secure bool) site {
	dir := t.TempDir()
	pair, err := newKeyPair(dir)
	require.NoError(t, err)
	return site{
		dir: dir, port: 20001, secure: secure, pair: pair,
		backends: []string{"127.0.0.1:21001", "127.0.0.1:21002"},
	}
}

func TestTheEdgeTakesItsConfiguration(t *testing.T) {
	for _, secure := range []bool{false, true} {
		for _, e := range append(strategies, pick) {
			s := testSite(t, secure)
			l, err := e.launch("wedge", s)
			require.NoError(t, err)
			c, err := config.Load(l.args[len(l.args)-1])
			require.NoError(t, err, e.name)
			assert.Len(t, c.Pools["bench"].Backends, 2)
			assert.Equal(t, e.use, c.Strategies["bench"].Use)
			assert.Equal(t, secure, c.Server.Listen.HTTPS != "")
			assert.Equal(t, secure, c.Server.Listen.HTTP == "")
			assert.Equal(t, filepath.Join(string(c.StateDir), "admin.sock"), e.edge("wedge").admin(s))
			assert.Equal(t, "off", c.Logging.Access.Format)
		}
	}
}

func TestPeersAreToldTheSame(t *testing.T) {
	for name, tt := range map[string]struct {
		peer          func(string, site) (launch, error)
		file          string
		plain, secure []string
	}{
		"nginx": {nginxPeer, "nginx.conf",
			[]string{"worker_processes 1;", "access_log off;", "listen 127.0.0.1:20001 backlog", "X-Forwarded-For"},
			[]string{"listen 127.0.0.1:20001 ssl http2", "ssl_protocols TLSv1.3;", "ssl_ecdh_curve X25519;"}},
		"haproxy": {haproxyPeer, "haproxy.cfg",
			[]string{"nbthread 1", "http-reuse always", "balance roundrobin", "X-Forwarded-Proto http\n"},
			[]string{"ssl-min-ver TLSv1.3", "curves X25519", "alpn h2,http/1.1", "X-Forwarded-Proto https\n"}},
		"caddy": {caddyPeer, "caddy.json",
			[]string{`"round_robin"`, `"127.0.0.1:20001"`},
			[]string{`"x25519"`, `"tls1.3"`, `cert.pem"`}},
	} {
		t.Run(name, func(t *testing.T) {
			for _, secure := range []bool{false, true} {
				s := testSite(t, secure)
				_, err := tt.peer(name, s)
				require.NoError(t, err)
				text, err := os.ReadFile(filepath.Join(s.dir, tt.file))
				require.NoError(t, err)
				wanted := tt.plain[:1]
				if !secure {
					wanted = tt.plain
				} else {
					wanted = append(wanted[:1:1], tt.secure...)
				}
				for _, part := range append(wanted, s.backends...) {
					assert.Contains(t, string(text), part)
				}
				if name == "caddy" {
					assert.True(t, json.Valid(text))
				}
			}
		})
	}
}

func TestPeersThatCannotDoAScenarioAreNotAsked(t *testing.T) {
	f, a, w := findScenario("f"), findScenario("a"), findScenario("w")
	assert.False(t, f.wants("nginx", []string{"nginx"}), "it does not speak HTTP/3")
	assert.True(t, f.wants("reverseproxy", nil))
	assert.True(t, a.wants("nginx", nil))
	assert.False(t, a.wants("reverseproxy", nil), "only where it is asked for")
	assert.True(t, a.wants("reverseproxy", []string{"reverseproxy"}))
	assert.False(t, w.wants("nginx", nil), "strategies are compared with each other")
}

func TestMissingPeersAreTold(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	s := *findScenario("f")
	list, notes, err := contenders(&s, options{peers: []string{"caddy", "reverseproxy"}})
	require.NoError(t, err)
	require.Len(t, list, 1)
	assert.Equal(t, "reverseproxy", list[0].name)
	assert.Equal(t, []string{"caddy: not installed, see caddyserver.com"}, notes)
	_, _, err = contenders(&s, options{wedge: "/nonexistent/wedge", peers: []string{}})
	assert.ErrorContains(t, err, "make build builds it")
}
