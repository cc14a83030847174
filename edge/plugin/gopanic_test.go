package plugin_test

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedge-lb/wedge/edge/balance"
	"github.com/wedge-lb/wedge/edge/plugin"
)

func TestAGoGuestThatFails(t *testing.T) {
	var log bytes.Buffer
	h := newHost(t, plugin.Options{Logger: jsonLogger(&log)})
	m := load(t, h, compileGo(t, "./testdata/wasm/panics"))
	pool := newPool(3)
	var heard faults
	g := bind(t, m, plugin.Binding{Set: pool.Set(), Instances: 1, Fault: heard.add, Fuel: 1e9})
	for path, tt := range map[string]struct {
		kind plugin.Kind
		text string
	}{
		"/panic":    {plugin.Trap, "panic: this is the text of the panic"},
		"/nil":      {plugin.Trap, "nil pointer dereference"},
		"/index":    {plugin.Trap, "index out of range"},
		"/exit":     {plugin.Exit, "exit code 7"},
		"/block":    {plugin.Trap, "deadlock"},
		"/allocate": {plugin.Memory, "out of memory"},
	} {
		heard = nil
		r := request()
		r.Path = []byte(path)
		checkFallback(t, g, r, pool.Set(), tt.kind)
		require.Len(t, heard, 1, path)
		assert.Equal(t, tt.kind, heard[0].Kind, path)
		assert.Contains(t, heard[0].Text, tt.text, path)
		if tt.kind != plugin.Exit {
			assert.Contains(t, heard[0].Stack, "(", "the functions that it was in")
			assert.NotContains(t, heard[0].Text, "stack trace")
			assert.NotEmpty(t, heard[0].Log)
			assert.LessOrEqual(t, len(heard[0].Log), 8)
		}
		require.NoError(t, g.Maintain(t.Context()))
	}
	assert.Contains(t, log.String(), "this is the text of the panic")

	for _, path := range []string{"/", "/sleep"} {
		r := request()
		r.Path = []byte(path)
		var d balance.Decision
		require.NoError(t, g.Pick(r, pool.Set(), &d), path)
		assert.Equal(t, "b0", d.Backend.ID, path)
	}
}
