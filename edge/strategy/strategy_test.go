package strategy_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedge-lb/wedge/edge/balance"
	"github.com/wedge-lb/wedge/edge/strategy"
)

func TestBeforeTheFirstCommitNothingServes(t *testing.T) {
	s, pool := newStrategy(t, strategy.Deps{}), newPool("shop", 3)
	_, err := pick(s, pool, &balance.Request{})
	assert.ErrorIs(t, err, strategy.ErrNotServing)
	assert.False(t, s.Picker(pool).Observes())
	st := s.Status()
	assert.Equal(t, "spread", st.Name)
	assert.Zero(t, st.Generation)
}

func TestACandidateServesFromItsCommitOn(t *testing.T) {
	s, pool := newStrategy(t, strategy.Deps{}), newPool("shop", 3)
	handle := s.Picker(pool)
	c, err := s.Prepare(t.Context(), wat(t, "attributes"), targets(pool))
	require.NoError(t, err)
	assert.Equal(t, []string{"client_ip", "header:x-tenant-id", "header:x-tenant-id (hashed)"}, c.Attributes())
	_, err = pick(s, pool, &balance.Request{})
	require.ErrorIs(t, err, strategy.ErrNotServing)
	s.Commit(c)
	assert.Same(t, handle, s.Picker(pool))

	d, err := pick(s, pool, &balance.Request{})
	require.NoError(t, err)
	assert.Equal(t, "b0", d.Backend.ID)
	assert.Equal(t, "spread", d.Strategy)
	st := s.Status()
	assert.Equal(t, st.Digest[:12], d.Digest)
	assert.Equal(t, "attributes", st.Use)
	assert.Equal(t, 1, st.Generation)
	assert.Equal(t, 2, st.Instances)
	assert.Equal(t, []string{"shop"}, st.Pools)
	assert.Equal(t, c.Attributes(), []string(nil), "a candidate that was committed is empty")
	assert.Len(t, st.Attributes, 3)
}

func TestAnErrorNamesTheStepAndChangesNothing(t *testing.T) {
	s, pool := newStrategy(t, strategy.Deps{}), newPool("shop", 4)
	serve(t, s, wat(t, "route0"), pool)
	before := s.Status()
	for module, want := range map[string]string{
		"no_pick":          `strategy spread: check: export "wedge_pick": missing`,
		"other_version":    `strategy spread: check: module speaks wedge_abi_v7`,
		"huge_memory":      `strategy spread: check: 65536 pages of memory`,
		"initialize_trap":  `strategy spread: pool shop: instantiate: trap: wasm error: unreachable`,
		"refuse_configure": `strategy spread: pool shop: configure: refused: option`,
		"refuse_backends":  `strategy spread: pool shop: backends: refused: too many rows`,
		"calls":            `strategy spread: pool shop: self-test: request `,
	} {
		err := s.Swap(t.Context(), wat(t, module))
		require.ErrorContains(t, err, want)
		after := s.Status()
		after.Fuel = before.Fuel
		assert.Equal(t, before, after, module)
		_, err = pick(s, pool, &balance.Request{})
		require.NoError(t, err, module)
	}
}

func TestPrepareEndsWithItsContext(t *testing.T) {
	s, pool := newStrategy(t, strategy.Deps{}), newPool("shop", 1)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := s.Prepare(ctx, wat(t, "route0"), targets(pool))
	assert.ErrorIs(t, err, context.Canceled)
}

func TestWhatIsTheSameIsUsedAgain(t *testing.T) {
	s := newStrategy(t, strategy.Deps{})
	shop, api, old := newPool("shop", 3), newPool("api", 3), newPool("old", 3)
	spec := wat(t, "faults")
	serve(t, s, spec, shop, old)
	_, err := pick(s, shop, fails())
	require.Error(t, err)
	require.Equal(t, 3, s.Status().Instances, "one of four is gone")

	c, err := s.Prepare(t.Context(), spec, targets(shop, api))
	require.NoError(t, err)
	s.Commit(c)
	st := s.Status()
	assert.Equal(t, 1, st.Generation, "the same spec is the same generation")
	assert.Equal(t, []string{"api", "shop"}, st.Pools)
	assert.Equal(t, 3, st.Instances, "the guests of shop are still the same, and there are two for api")
	_, err = pick(s, old, &balance.Request{})
	assert.ErrorIs(t, err, strategy.ErrNotServing)

	other := spec
	other.Options = []byte(`{"other":true}`)
	require.NoError(t, s.Swap(t.Context(), other))
	st = s.Status()
	assert.Equal(t, 2, st.Generation)
	assert.Equal(t, 4, st.Instances)
}

func TestADiscardedCandidateLeavesTheRunningOneAlone(t *testing.T) {
	s, shop, api := newStrategy(t, strategy.Deps{}), newPool("shop", 3), newPool("api", 3)
	spec := wat(t, "route0")
	serve(t, s, spec, shop)
	same, err := s.Prepare(t.Context(), spec, targets(shop, api))
	require.NoError(t, err)
	other, err := s.Prepare(t.Context(), wat(t, "attributes"), targets(shop, api))
	require.NoError(t, err)
	same.Discard()
	other.Discard()
	_, err = pick(s, shop, &balance.Request{})
	require.NoError(t, err)
	_, err = pick(s, api, &balance.Request{})
	assert.ErrorIs(t, err, strategy.ErrNotServing)
}

// A reload may have been prepared before a swap is committed, and be committed after it.
func TestACandidateOutlivesTheGenerationItSharesWith(t *testing.T) {
	s, pool := newStrategy(t, strategy.Deps{}), newPool("shop", 3)
	spec := wat(t, "route0")
	serve(t, s, spec, pool)
	reload, err := s.Prepare(t.Context(), spec, targets(pool))
	require.NoError(t, err)
	run(t, s)
	require.NoError(t, s.Swap(t.Context(), wat(t, "attributes")))
	s.Commit(reload)
	for range 100 {
		d, err := pick(s, pool, &balance.Request{})
		require.NoError(t, err)
		require.Equal(t, s.Status().Digest[:12], d.Digest)
	}
	assert.Equal(t, "route0", s.Status().Use)
}

func TestATableIsTriedBeforeItIsTaken(t *testing.T) {
	s, pool := newStrategy(t, strategy.Deps{}), newPool("shop", 3)
	spec := wat(t, "refuse_backends")
	serve(t, s, spec, pool)
	_, err := s.Prepare(t.Context(), spec, []strategy.Target{{Pool: pool, Set: pool.Preview(specs(4))}})
	require.ErrorContains(t, err, "strategy spread: pool shop: backends: refused: too many rows")
	c, err := s.Prepare(t.Context(), spec, []strategy.Target{{Pool: pool, Set: pool.Preview(specs(2))}})
	require.NoError(t, err)
	c.Discard()
}

func TestSecretsAreOfThePool(t *testing.T) {
	keys := map[string][16]byte{"shop": {1}, "api": {2}}
	s := newStrategy(t, strategy.Deps{Secret: func(pool string) [16]byte { return keys[pool] }})
	shop, api := newPool("shop", 1), newPool("api", 1)
	spec := wat(t, "echo")
	spec.Options = []byte("\x05\x01\x00") // the path, hashed
	serve(t, s, spec, shop, api)
	hash := func(pool *balance.Pool) string {
		d, err := pick(s, pool, &balance.Request{Path: []byte("/")})
		require.NoError(t, err)
		return string(d.Body[len(d.Body)-8:])
	}
	before := hash(shop)
	assert.NotEqual(t, before, hash(api))
	keys["shop"] = [16]byte{3}
	serve(t, s, spec, shop, api)
	assert.NotEqual(t, before, hash(shop), "a new key makes new guests")
}

func TestCountersAreKeptOverSwaps(t *testing.T) {
	s, pool := newStrategy(t, strategy.Deps{}), newPool("shop", 1)
	spec := wat(t, "observe")
	serve(t, s, spec, pool)
	handle := s.Picker(pool)
	require.True(t, handle.Observes())
	handle.Observe(&balance.Result{Backend: pool.Set().Row(0), Status: 200})
	spec.Options = []byte(`{"another":1}`)
	require.NoError(t, s.Swap(t.Context(), spec))
	handle.Observe(&balance.Result{Backend: pool.Set().Row(0), Status: 200})
	assert.EqualValues(t, 2, s.Counter(0))
	require.NoError(t, s.Swap(t.Context(), wat(t, "route0")))
	assert.False(t, handle.Observes())
}

func TestClosedStrategiesServeNoMore(t *testing.T) {
	s, pool := newStrategy(t, strategy.Deps{}), newPool("shop", 1)
	serve(t, s, wat(t, "route0"), pool)
	handle := s.Picker(pool)
	require.NoError(t, s.Close(t.Context()))
	var d balance.Decision
	assert.ErrorIs(t, handle.Pick(&balance.Request{}, pool.Set(), &d), strategy.ErrNotServing)
	assert.Empty(t, s.Status().Pools)
}
