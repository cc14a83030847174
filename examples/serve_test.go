package examples_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// each runs a test on every module of a guest.
func each(t *testing.T, folder string, test func(t *testing.T, module []byte)) {
	t.Helper()
	i := slices.IndexFunc(guests, func(g guest) bool { return g.folder == folder })
	require.GreaterOrEqual(t, i, 0)
	modules := guests[i].modules(t)
	for _, name := range slices.Sorted(maps.Keys(modules)) {
		t.Run(name, func(t *testing.T) { test(t, modules[name]) })
	}
}

// Requests of many clients over each protocol, with one backend that is out, one that drains and one that is
// dead: what serves gets its share, and the guest's choices are what the edge follows.
func TestGuestsServe(t *testing.T) {
	const perProtocol = 200 // requests over each protocol
	for folder, tt := range map[string]struct{ options, first, header, value string }{
		"c-rendezvous":          {"{}", "50%", "x-tenant-id", "tenant-%d"},
		"rust-zone":             {"{}", "50%", "x-any", "%d"},
		"assemblyscript-sticky": {"{ cookie: sid }", "33%", "cookie", "sid=s-%d"},
	} {
		t.Run(folder, func(t *testing.T) {
			each(t, folder, func(t *testing.T, module []byte) {
				list := backends(t, ", weight: 2", "", "", ", state: maintenance", ", state: drain") + dead(t)
				r := start(t, module, tt.options, list)
				served := map[string]int{}
				for _, p := range protocols {
					c := r.client(p)
					for n := range perProtocol {
						name, _ := r.ask(c, p, tt.header, fmt.Sprintf(tt.value, n))
						served[name]++
					}
				}
				all := perProtocol * len(protocols)
				assert.Zero(t, served["b3"]+served["b4"], "%v", served)
				var share int
				_, err := fmt.Sscanf(tt.first, "%d%%", &share)
				require.NoError(t, err)
				assert.InDelta(t, share*all/100, served["b0"], float64(all)/10, "%v", served)
				assert.InDelta(t, (100-share)*all/200, served["b1"], float64(all)/10, "%v", served)
				retried := 0
				for _, o := range r.outcomes(all) {
					require.Equal(t, "new", o.Outcome, "%+v", o)
					if o.Attempts > 1 {
						retried++ // the dead backend was chosen, and excluded from then on
					}
				}
				assert.Greater(t, retried, all/12)
			})
		})
	}
}

// C: a tenant keeps its backend, leaves it while it is out, and comes back with it.
func TestRendezvousMovesOnlyWhoHasTo(t *testing.T) {
	each(t, "c-rendezvous", func(t *testing.T, module []byte) {
		r := start(t, module, "{ header: x-user }", backends(t, "", ", labels: { here: now }", ""))
		c := r.client("plain")
		homes := func() map[string]string {
			list := map[string]string{}
			for n := range 60 {
				name := fmt.Sprint("user-", n)
				list[name], _ = r.ask(c, "plain", "x-user", name)
			}
			return list
		}
		before := homes()
		assert.Len(t, slices.Compact(slices.Sorted(maps.Values(before))), 3)
		r.change("labels: { here: now }", "state: maintenance")
		for name, now := range homes() {
			assert.NotEqual(t, "b1", now)
			was := before[name]
			assert.True(t, now == was || was == "b1", "%s went from %s to %s", name, was, now)
		}
		r.change("state: maintenance", "labels: { here: now }")
		back := func() bool { return maps.Equal(before, homes()) }
		require.Eventually(t, back, 10*time.Second, 20*time.Millisecond)
	})
}

// Rust: the preferred zone has all, until it has nobody; the rest is the least loaded.
func TestZonePrefersItsOwn(t *testing.T) {
	each(t, "rust-zone", func(t *testing.T, module []byte) {
		list := backends(t, ", zone: near, labels: { up: yes }", ", zone: far", ", zone: nearer")
		r := start(t, module, `{ zone: "near" }`, list)
		c := r.client("plain")
		for range 50 {
			name, _ := r.ask(c, "plain")
			require.Equal(t, "b0", name)
		}
		r.change("labels: { up: yes }", "state: drain")
		served := map[string]int{}
		for range 100 {
			name, _ := r.ask(c, "plain")
			served[name]++
		}
		assert.Zero(t, served["b0"], "%v", served)
		assert.Greater(t, min(served["b1"], served["b2"]), 20, "%v", served)
	})
}

// AssemblyScript: the same cookie means the same backend, and a pin holds where the hash says another.
func TestStickyPinsItsSessions(t *testing.T) {
	each(t, "assemblyscript-sticky", func(t *testing.T, module []byte) {
		r := start(t, module, "{}", backends(t, "", "", ""))
		c := r.client("plain")
		homes := map[string]string{}
		for n := range 60 {
			session := fmt.Sprint("session=s-", n)
			home, token := r.ask(c, "plain", "cookie", session)
			require.Contains(t, token, "wedge-p=")
			homes[home] = token
			again, _ := r.ask(c, "plain", "cookie", session)
			require.Equal(t, home, again)
		}
		require.Len(t, homes, 3)
		for home, token := range homes {
			for n := range 20 {
				name, _ := r.ask(c, "plain", "cookie", fmt.Sprintf("session=s-%d; %s", n, token))
				require.Equal(t, home, name)
			}
		}
		_, first := r.ask(c, "plain")
		assert.Contains(t, first, "wedge-p=", "without the cookie chance places, and a pin keeps")
	})
}
