package edge_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wedge-lb/wedge/edge"
	"github.com/wedge-lb/wedge/edge/balance"
	"github.com/wedge-lb/wedge/edge/health"
)

// FuzzHealthFile holds that whatever the file says, nothing panics and somebody stays open.
func FuzzHealthFile(f *testing.F) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, s := range []string{
		``, `{}`, `null`, `[]`, `{"version":1,"saved":"2026-01-02T03:04:00Z","pools":null}`,
		`{"version":1,"saved":"2026-01-02T03:04:00Z","pools":{"p":{"a":{"scheme":"http","address":"a:1","down":true}}}}`,
		`{"version":1,"saved":"2026-01-02T03:04:00Z","pools":{"p":{"a":{"scheme":"http","address":"a:1","ejected":true,
		"until":"2300-01-02T03:04:00Z","for":-9223372036854775808,"again":-9,"failures":9223372036854775807},
		"b":{"scheme":"http","address":"b:1","down":true,"good":-1,"bad":-9223372036854775808}}}}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		state, err := edge.ParseHealth(data, now)
		if err != nil {
			return
		}
		p := balance.NewPool("p")
		p.Update([]balance.Spec{
			{ID: "a", Scheme: "http", Address: "a:1"}, {ID: "b", Scheme: "http", Address: "b:1"},
		})
		c := health.New(health.Options{})
		c.Apply([]health.Config{{Pool: p, Probe: &health.Probe{}, Passive: health.Passive{Consecutive5xx: 3}}})
		c.Restore(state)
		require.Positive(t, p.Set().Open())
		_ = c.State()
	})
}
