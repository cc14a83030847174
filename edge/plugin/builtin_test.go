package plugin_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedge-lb/wedge/edge/balance"
	"github.com/wedge-lb/wedge/edge/plugin"
)

// builtins are strategies and options that the other tests of this file go through.
var builtins = map[string]struct{ plugin, options string }{
	"round_robin":       {"stateless", `{"algorithm":"round_robin"}`},
	"p2c":               {"stateless", `{"algorithm":"p2c"}`},
	"least_latency":     {"stateless", `{"algorithm":"least_latency"}`},
	"least_utilization": {"stateless", `{"algorithm":"least_utilization"}`},
	"ip-affinity":       {"ip-affinity", `{}`},
	"cookie-sticky":     {"cookie-sticky", `{"source":"cookie:sid"}`},
	"maglev":            {"consistent-hash", `{"key":["client_ip"],"algorithm":"maglev"}`},
	"ring, bounded":     {"consistent-hash", `{"key":["client_ip"],"algorithm":"ring","bounded_load":1.25}`},
}

// clients are requests of different clients.
func clients(n int) []*balance.Request {
	list := make([]*balance.Request, n)
	for i := range list {
		list[i] = request()
		ip := list[i].ClientIP.As4()
		ip[2], ip[3] = byte(i>>8), byte(i)
		list[i].ClientIP = netip.AddrFrom4(ip)
		list[i].Header = headers{"cookie": "sid=" + list[i].ClientIP.String()}
	}
	return list
}

func TestBuiltinsServeWhatIsAvailable(t *testing.T) {
	h := newHost(t, plugin.Options{})
	modules := map[string]*plugin.Module{}
	for name, tt := range builtins {
		if modules[tt.plugin] == nil {
			modules[tt.plugin] = load(t, h, builtin(t, tt.plugin)) // compiled once: it is slow under the race detector
		}
		t.Run(name, func(t *testing.T) {
			pool := newPool(4)
			g := bind(t, modules[tt.plugin], plugin.Binding{
				Set: pool.Set(), Options: []byte(tt.options), Secret: secret,
			})
			require.NoError(t, g.SelfTest(t.Context(), 200))
			chosen := spread(t, g, pool)
			assert.Len(t, chosen, 4, "every backend has its share: %v", chosen)

			require.NoError(t, pool.SetUp("b1", false))
			require.NoError(t, g.Refresh(t.Context(), pool.Set()))
			chosen = spread(t, g, pool)
			assert.Len(t, chosen, 3, "%v", chosen)
			assert.Zero(t, chosen["b1"])

			pool.Update(nil)
			require.NoError(t, g.Refresh(t.Context(), pool.Set()))
			var d balance.Decision
			require.NoError(t, g.Pick(request(), pool.Set(), &d))
			assert.Equal(t, balance.Abstain, d.Verdict, "there is none to choose")
		})
	}
}

// spread counts the choices for 400 clients.
func spread(t *testing.T, g *plugin.Guests, pool *balance.Pool) map[string]int {
	chosen := map[string]int{}
	for _, r := range clients(400) {
		var d balance.Decision
		require.NoError(t, g.Pick(r, pool.Set(), &d))
		require.Equal(t, balance.Route, d.Verdict)
		require.NotNil(t, d.Backend)
		chosen[d.Backend.ID]++
	}
	return chosen
}

// Picks, faults, new tables, replacements and in the end the closing, all at once.
func TestGuestsUnderLoad(t *testing.T) {
	pool := newPool(3)
	m := load(t, newHost(t, plugin.Options{}), wat(t, "faults"))
	g, err := m.Bind(t.Context(), plugin.Binding{Set: pool.Set(), Instances: 4})
	require.NoError(t, err)
	var pickers, others sync.WaitGroup
	for n := range 6 {
		pickers.Go(func() { pickUntilClosed(t, g, pool, rand.New(rand.NewPCG(uint64(n), 1))) })
	}
	ctx, cancel := context.WithCancel(t.Context())
	others.Go(func() {
		for n := 0; ctx.Err() == nil; n++ {
			pool.Update(specs(3 + n%3))
			assert.NoError(t, ignore(g.Refresh(ctx, pool.Set()), context.Canceled))
		}
	})
	others.Go(func() {
		for ctx.Err() == nil {
			assert.NoError(t, ignore(g.Maintain(ctx), context.Canceled))
		}
	})
	timer := time.NewTimer(500 * time.Millisecond)
	<-timer.C
	cancel()
	others.Wait()
	require.NoError(t, g.Close(t.Context()))
	pickers.Wait()
	assert.Zero(t, g.Live())
}

func ignore(err, harmless error) error {
	if errors.Is(err, harmless) {
		return nil
	}
	return err
}

func pickUntilClosed(t *testing.T, g *plugin.Guests, pool *balance.Pool, random *rand.Rand) {
	var d balance.Decision
	for {
		d.Reset()
		r := &balance.Request{Header: headers{}}
		if random.IntN(50) == 0 {
			r.Header = headers{"x-mode": string(rune('a' + random.IntN(23)))}
		}
		err := g.Pick(r, pool.Set(), &d)
		var fault *plugin.Fault
		switch {
		case errors.Is(err, plugin.ErrClosed):
			return
		case errors.As(err, &fault):
			assert.NotEqual(t, plugin.HostPanic, fault.Kind)
		case err != nil:
			assert.ErrorIs(t, err, plugin.ErrBusy)
		}
	}
}
