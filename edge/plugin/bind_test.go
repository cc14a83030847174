package plugin_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedge-lb/wedge/edge/balance"
	"github.com/wedge-lb/wedge/edge/plugin"
)

func TestBindRefuses(t *testing.T) {
	h := newHost(t, plugin.Options{})
	for name, tt := range map[string]struct{ module, want string }{
		"a start function that traps": {
			"start_trap",
			`instantiate: trap: start function[5] failed: wasm error: unreachable`,
		},
		"a start function that declares": {"start_need", `instantiate: bad_call: need during instantiate`},
		"a set-up that traps":            {"initialize_trap", `instantiate: trap: wasm error: unreachable`},
		"a frame outside of the memory": {
			"bad_frame",
			`configure: bad_pointer: frame of 65536 bytes at 4294967280`,
		},
		"a frame over the memory's end": {
			"short_frame",
			`configure: bad_pointer: frame of 65536 bytes at 261888`,
		},
		"options that the guest refuses": {
			"refuse_configure",
			`configure: refused: option [31mcolour : unknown`,
		},
		"a refusal without a word":        {"refuse_configure_silent", `configure: refused`},
		"a table that the guest refuses":  {"refuse_backends", `backends: refused: too many rows`},
		"a declaration at the wrong time": {"need_backends", `backends: bad_call: need during backends`},
		"a name outside of the memory": {
			"need_bytes",
			`configure: bad_pointer: bytes outside of the memory`,
		},
		"too many attributes": {"need_many", `configure: too many attributes declared`},
		"instances that disagree": {
			"fickle",
			`configure: bad_answer: instances declare different attributes`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			m := load(t, h, wat(t, tt.module))
			_, err := m.Bind(context.Background(), plugin.Binding{Set: newPool(4).Set(), Instances: 2})
			require.ErrorContains(t, err, tt.want)
			for _, c := range err.Error() {
				assert.False(t, c < ' ' || c == 0x7f, "control character in %q", err)
			}
			assert.Less(t, len(err.Error()), 1200)
		})
	}
}

func TestAttributesNeedGrants(t *testing.T) {
	const raw, hash = "\x00", "\x01"
	need := func(kind byte, form, name string) string {
		return string(rune(kind)) + form + string(rune(len(name))) + name
	}
	h := newHost(t, plugin.Options{})
	m := load(t, h, wat(t, "echo"))
	for name, tt := range map[string]struct {
		options string
		grants  []string
		want    string // "" = bound
	}{
		"raw authorization": {
			need(7, raw, "Authorization"), nil,
			`needs the grant "header:authorization"`,
		},
		"granted authorization": {need(7, raw, "Authorization"), []string{"header:authorization"}, ""},
		"hashed authorization":  {need(7, hash, "authorization"), nil, ""},
		"raw proxy-authorization": {
			need(7, raw, "proxy-authorization"), nil,
			`needs the grant "header:proxy-authorization"`,
		},
		"all cookies raw": {need(7, raw, "cookie"), nil, `needs the grant "header:cookie"`},
		"a raw cookie":    {need(8, raw, "sid"), nil, `needs the grant "cookie:sid"`},
		"a raw cookie, another grant": {
			need(8, raw, "sid"), []string{"cookie:SID", "header:authorization"},
			`needs the grant "cookie:sid"`,
		},
		"a granted cookie":            {need(8, raw, "sid"), []string{"cookie:sid"}, ""},
		"a cookie, all cookies given": {need(8, raw, "sid"), []string{"header:cookie"}, ""},
		"a hashed cookie":             {need(8, hash, "sid"), nil, ""},
		"an ordinary header":          {need(7, raw, "x-tenant-id"), nil, ""},
		"kind 0":                      {need(0, raw, ""), nil, `attribute of unknown kind 0`},
		"kind 14":                     {need(14, raw, ""), nil, `attribute of unknown kind 14`},
		"form 2":                      {need(1, "\x02", ""), nil, `attribute client_ip: unknown form 2`},
		"a header without a name": {
			need(7, raw, ""), nil,
			`attribute header: its name must have 1 to 256 printable bytes`,
		},
		"a header that cannot be": {
			need(7, raw, "a:b"), nil,
			`attribute header:a:b: not the name of a header`,
		},
		"a cookie of control bytes": {
			need(8, hash, "a\nb"), nil,
			`attribute cookie: its name must have 1 to 256 printable bytes`,
		},
		"a kind without a name, named": {need(5, raw, "ignored"), nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			g, err := m.Bind(context.Background(), plugin.Binding{
				Set: newPool(1).Set(), Options: []byte(tt.options), Grants: tt.grants, Instances: 1,
			})
			if tt.want != "" {
				require.ErrorContains(t, err, tt.want)
				require.ErrorContains(t, err, "configure: ")
				return
			}
			require.NoError(t, err)
			assert.Len(t, g.Attributes(), 1)
			require.NoError(t, g.Close(context.Background()))
		})
	}
}

func TestAttributesAreListed(t *testing.T) {
	m := load(t, newHost(t, plugin.Options{}), wat(t, "attributes"))
	g := bind(t, m, plugin.Binding{Set: newPool(1).Set()})
	var labels []string
	for _, a := range g.Attributes() {
		labels = append(labels, a.Label())
	}
	assert.Equal(t, []string{"client_ip", "header:x-tenant-id", "header:x-tenant-id (hashed)"}, labels)
}

func TestSelfTest(t *testing.T) {
	h := newHost(t, plugin.Options{})
	for name, tt := range map[string]struct{ module, want string }{
		"an honest strategy":        {"route0", ""},
		"a strategy without a plan": {"calls", `: pick: bad_`},
	} {
		t.Run(name, func(t *testing.T) {
			g := bind(t, load(t, h, wat(t, tt.module)), plugin.Binding{Set: newPool(3).Set(), Instances: 1})
			err := g.SelfTest(t.Context(), 1000)
			if tt.want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, "self-test: request ")
			require.ErrorContains(t, err, tt.want)
		})
	}
}

func TestSelfTestLeavesNoTrace(t *testing.T) {
	h := newHost(t, plugin.Options{})
	var counters plugin.Counters
	g := bind(t, load(t, h, wat(t, "store")), plugin.Binding{Set: newPool(1).Set(), Counters: &counters})
	require.NoError(t, g.SelfTest(t.Context(), 100))
	n, ok := counters.Add(3, 0)
	assert.True(t, ok)
	assert.Zero(t, n)
}

func TestTryTellsWhetherATableWouldBeTaken(t *testing.T) {
	pool := newPool(3)
	m := load(t, newHost(t, plugin.Options{}), wat(t, "refuse_backends"))
	g := bind(t, m, plugin.Binding{Set: pool.Set()})
	require.NoError(t, g.Try(t.Context(), pool.Preview(specs(2)), 10))
	err := g.Try(t.Context(), pool.Preview(specs(4)), 10)
	assert.ErrorContains(t, err, "backends: refused: too many rows")
	var d balance.Decision
	require.NoError(t, g.Pick(request(), pool.Set(), &d), "the guests that serve are left alone")
}
