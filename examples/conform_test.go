package examples_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedge-lb/wedge/edge/balance"
	"github.com/wedge-lb/wedge/edge/plugin"
	"github.com/wedge-lb/wedge/edge/plugin/plugintest"
	"github.com/wedge-lb/wedge/sdk/sdktest"
)

// The guests do what every strategy has to, and what their READMEs promise, in the edge's own host.
func TestGuestsConform(t *testing.T) {
	client := func(n int) sdktest.Request {
		return sdktest.Request{
			Headers: map[string]string{"x-tenant-id": fmt.Sprint("tenant-", n)},
			Cookies: map[string]string{"session": fmt.Sprint("s-", n)},
		}
	}
	for folder, list := range map[string]map[string]sdktest.Traits{
		"c-rendezvous": {"default": {Client: client, Spread: 0.02, Sticky: true, Pins: sdktest.PinsHonoured}},
		"rust-zone": {
			"default":  {Client: client, Spread: 0.02, Pins: sdktest.PinsHonoured},
			"one zone": {Options: `{"zone":"a"}`, Client: client, Pins: sdktest.PinsHonoured},
			"other zone": {
				Options: ` { "zone" : "nowhere" } `, Client: client, Spread: 0.02, Pins: sdktest.PinsHonoured,
			},
		},
		"assemblyscript-sticky": {
			"default": {Client: client, Spread: 0.02, Even: true, Sticky: true, Pins: sdktest.PinsHonoured},
			"chance": {
				Options: `{"cookie":"other"}`, Client: client, Spread: 0.02, Even: true, Pins: sdktest.PinsHonoured,
			},
		},
	} {
		for name, traits := range list {
			each(t, folder, func(t *testing.T, module []byte) {
				m := plugintest.Load(t, module)
				t.Run(name, func(t *testing.T) { sdktest.Conform(t, m.Subject, traits) })
			})
		}
	}
}

// Options that a guest does not know are refused with its own words.
func TestGuestsRefuseOptions(t *testing.T) {
	for _, g := range guests {
		each(t, g.folder, func(t *testing.T, module []byte) {
			m := plugintest.Load(t, module)
			for _, options := range []string{
				`{"colour":"red"}`, `{"zone":7}`, `{"cookie":""}x`, `{"header":"a"`, `{"a\"b":"c"}`, `[]`, ` `, `{`,
				`"`,
				"{\"zone\":\"a\nb\"}",
			} {
				s := m.Subject(t)
				err := s.Configure(options)
				assert.ErrorContains(t, err, "configure: refused: options are", "%s: %s", g.folder, options)
			}
		})
	}
}

// While a backend starts slowly the label wedge.weight tells its configured weight, by which keys stay put.
func TestRendezvousKeepsItsKeysDuringASlowStart(t *testing.T) {
	each(t, "c-rendezvous", func(t *testing.T, module []byte) {
		h, err := plugin.New(plugin.Options{})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, h.Close(t.Context())) })
		m, err := h.Load(t.Context(), "test", module, plugin.Limits{})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, m.Close(context.Background())) })
		pool := balance.NewPool("test")
		pool.Update([]balance.Spec{
			{ID: "a", Weight: 6, Labels: map[string]string{"rack": "7", "": ""}}, {ID: "b", Weight: 3},
		})
		g, err := m.Bind(t.Context(), plugin.Binding{Set: pool.Set()})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, g.Close(context.Background())) })
		homes := func() (list []string) {
			require.NoError(t, g.Refresh(t.Context(), pool.Set()))
			for n := range 300 {
				var d balance.Decision
				require.NoError(t, g.Pick(&balance.Request{Header: tenant(fmt.Sprint(n))}, pool.Set(), &d))
				require.NotNil(t, d.Backend)
				list = append(list, d.Backend.ID)
			}
			return list
		}
		before := homes()
		pool.Tune(balance.Tuning{SlowStart: time.Hour})
		require.NoError(t, pool.SetUp("a", false))
		assert.NotEqual(t, before, homes())
		require.NoError(t, pool.SetUp("a", true))
		require.Greater(t, pool.Set().Scale, uint32(1), "it starts slowly")
		assert.Equal(t, before, homes())
	})
}

// tenant is the header of a request.
type tenant string

// Get implements balance.Header.
func (n tenant) Get(string) ([]byte, bool) { return []byte(n), true }
