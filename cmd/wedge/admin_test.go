package main_test

import (
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedge-lb/wedge/plugins"
)

// TestOperatingARunningEdge goes through what an operator does, on one edge.
func TestOperatingARunningEdge(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.state("state")
	listen := freeAddress(t)
	h.write("wedge.yaml", file(listen, backend(t, "b0"), backend(t, "b1")))
	h.start("run")
	ready(t, h)
	t.Run("status", func(t *testing.T) { operateStatus(t, h, listen) })
	t.Run("strategy", func(t *testing.T) { operateStrategy(t, h, listen) })
	t.Run("backend", func(t *testing.T) { operateBackend(t, h, listen) })
	t.Run("ca", func(t *testing.T) {
		block, _ := pem.Decode([]byte(h.ok("ca")))
		require.NotNil(t, block)
		root, err := x509.ParseCertificate(block.Bytes)
		require.NoError(t, err)
		assert.True(t, root.IsCA)
	})
	t.Run("the address is taken from the file, or given", func(t *testing.T) {
		require.NoError(t, os.Rename(h.path("wedge.yaml"), h.path("other.yaml")))
		assert.Contains(t, h.ok("status", "-c", "other.yaml"), ", ready,")
		assert.Contains(t, h.ok("status", "--admin", "unix://"+h.path("state/admin.sock")), ", ready,")
		r := h.run("status")
		assert.Equal(t, 1, r.code)
	})
}

func operateStatus(t *testing.T, h *home, listen string) {
	text := h.ok("status")
	for _, want := range []string{", ready, up ", "tcp " + listen, "shop", "b0", "b1", "builtin/stateless"} {
		assert.Contains(t, text, want)
	}
	var all struct {
		Status struct {
			Ready      bool
			PID        int
			Generation int
		}
		Pools []struct {
			Name     string
			Backends []struct{ ID, State string }
		}
		Strategies   []struct{ Name, Use string }
		Certificates []any
	}
	require.NoError(t, json.Unmarshal([]byte(h.ok("status", "-o", "json")), &all))
	assert.True(t, all.Status.Ready)
	assert.Positive(t, all.Status.PID)
	assert.Equal(t, 1, all.Status.Generation)
	require.Len(t, all.Pools, 1)
	assert.Equal(t, "shop", all.Pools[0].Name)
	assert.Len(t, all.Pools[0].Backends, 2)
	assert.Equal(t, "ready", all.Pools[0].Backends[0].State)
	require.Len(t, all.Strategies, 1)
	assert.Equal(t, "spread", all.Strategies[0].Name)
	assert.NotNil(t, all.Certificates, "an empty list is not null")
}

func operateStrategy(t *testing.T, h *home, listen string) {
	options := `{"key":["path"]}`
	out := h.ok("strategy", "swap", "spread", "--use", "builtin/consistent-hash", "--options", options)
	assert.Equal(t, "spread runs builtin/consistent-hash "+options+", generation 2\n", out)
	c := client(t, "h1", nil)
	_, home, err := get(c, "http://"+listen+"/same")
	require.NoError(t, err)
	for range 20 {
		_, body, err := get(c, "http://"+listen+"/same")
		require.NoError(t, err)
		assert.Equal(t, home, body)
	}
	assert.Contains(t, h.ok("strategy", "status"), "builtin/consistent-hash")
	assert.Contains(t, h.ok("strategy", "status", "spread"), options)
	var list []struct{ Name, Use, Digest string }
	require.NoError(t, json.Unmarshal([]byte(h.ok("strategy", "status", "-o", "json")), &list))
	require.Len(t, list, 1)
	assert.NotEmpty(t, list[0].Digest)

	module, err := plugins.Builtin("cookie-sticky")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(h.path("own.wasm"), module, 0o600))
	out = h.ok("strategy", "swap", "spread", "--use", "./own.wasm")
	assert.Contains(t, out, "spread runs ./own.wasm {}, generation 3")

	h.write("broken.wasm", "no module")
	for name, tt := range map[string]struct {
		args []string
		want string
	}{
		"an option that is wrong": {
			[]string{"spread", "--use", "builtin/stateless", "--options", `{"algorithm":"magic"}`}, "magic",
		},
		"a file that is none":     {[]string{"spread", "--use", "nowhere.wasm"}, "nowhere.wasm"},
		"a file that is broken":   {[]string{"spread", "--use", "broken.wasm"}, "nothing has changed"},
		"a name that is none":     {[]string{"spred", "--use", "builtin/stateless"}, "there are: spread"},
		"a built-in that is none": {[]string{"spread", "--use", "builtin/nothing"}, "there are consistent-hash"},
	} {
		t.Run(name, func(t *testing.T) {
			r := h.run(append([]string{"strategy", "swap"}, tt.args...)...)
			assert.Equal(t, 1, r.code)
			assert.Contains(t, r.err, tt.want)
		})
	}
	assert.Contains(t, h.ok("strategy", "status", "spread"), "./own.wasm", "a refused swap changes nothing")
	r := h.run("strategy", "status", "nobody")
	assert.Equal(t, 1, r.code)
	assert.Contains(t, r.err, "there are: spread")
}

func operateBackend(t *testing.T, h *home, listen string) {
	h.ok("strategy", "swap", "spread", "--use", "builtin/stateless")
	seen := func() map[string]bool {
		c, bodies := client(t, "h1", nil), map[string]bool{}
		for range 40 {
			_, body, err := get(c, "http://"+listen)
			require.NoError(t, err)
			bodies[body] = true
		}
		return bodies
	}
	both, first := map[string]bool{"b0": true, "b1": true}, map[string]bool{"b0": true}
	assert.Equal(t, both, seen())
	assert.Equal(t, "b1 is draining (operator), 0 requests and streams in flight, 0 clients pinned\n",
		h.ok("backend", "drain", "shop", "b1"))
	assert.Equal(t, first, seen())
	assert.Contains(t, h.ok("backend", "ready", "shop", "b1"), "b1 is ready (operator)")
	assert.Equal(t, both, seen())
	assert.Contains(t, h.ok("backend", "maint", "shop", "b1"), "b1 is maintenance (operator)")
	assert.Equal(t, first, seen())
	assert.Contains(t, h.ok("status"), "maintenance (operator)")
	assert.Contains(t, h.ok("backend", "configured", "shop", "b1", "-o", "json"), `"state": "ready"`)
	assert.Equal(t, both, seen())
	for _, args := range [][]string{{"shop", "b9"}, {"nowhere", "b1"}} {
		r := h.run("backend", "drain", args[0], args[1])
		assert.Equal(t, 1, r.code)
		assert.Contains(t, r.err, "no ")
	}
}

func TestAnEdgeThatCannotBeReachedIsTold(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	for _, args := range []string{
		"status", "reload", "ca", "strategy status", "strategy swap x --use builtin/stateless", "backend drain p b",
	} {
		r := h.run(append(strings.Fields(args), "--admin", "unix://"+h.path("admin.sock"))...)
		assert.Equal(t, 1, r.code, args)
		assert.Contains(t, r.err, h.path("admin.sock"), args)
		assert.Contains(t, r.err, "is the edge running? --admin or -c tells which one", args)
	}
}

func TestAFaultyConfigurationIsNoWayToTheEdge(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.write("wedge.yaml", "version: 1\nsite: []\n")
	const hint = "--admin names the edge without its configuration"
	for _, args := range []string{"status", "overrides", "backend drain p b"} {
		r := h.run(strings.Fields(args)...)
		assert.Equal(t, 2, r.code, args)
		assert.Contains(t, r.err, "wedge.yaml:2:1: site: unknown key", args)
		assert.Contains(t, r.err, hint, args)
	}
	r := h.run("reload")
	assert.Equal(t, 2, r.code)
	assert.Contains(t, r.err, "wedge.yaml:2:1: site: unknown key")
	assert.NotContains(t, r.err, "--admin", "the edge would not take it either")
	assert.Contains(t, h.run("reload", "-c", "nowhere.yaml").err, hint)
}
