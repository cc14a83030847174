package certs_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedge-lb/wedge/edge/certs"
)

func onDemand(allow ...string) certs.Site {
	rule := &certs.OnDemand{Allow: allow, Wait: 20 * time.Second}
	return certs.Site{Name: "demand", Hosts: []string{"*"}, OnDemand: rule}
}

func TestOnDemandOrdersForAllowedNamesOnly(t *testing.T) {
	t.Parallel()
	e := newEdge(t)
	p := startPebble(t, e)
	dir := t.TempDir()
	m := newManager(t, dir, nil)
	e.use(m)
	settings := p.settings("tls-alpn-01", onDemand("*.ok.test", "one.test"))
	require.NoError(t, m.Apply(t.Context(), settings))
	stop := run(t, m)

	var wg sync.WaitGroup
	for range 5 { // all of them wait for one order
		wg.Go(func() {
			_, err := e.dialTLS(clientFor(p.roots(t), "Shop.OK.test"))
			assert.NoError(t, err)
		})
	}
	wg.Wait()
	_, err := e.dialTLS(clientFor(p.roots(t), "one.test"))
	require.NoError(t, err)
	require.EqualValues(t, 2, p.orders.Load())
	for _, name := range []string{"ok.test", "a.b.ok.test", "two.test", "xok.test", "ok.test.evil.test"} {
		_, err := e.dialTLS(clientFor(p.roots(t), name))
		assert.ErrorContains(t, err, "unrecognized name", name)
	}
	assert.EqualValues(t, 2, p.orders.Load())
	assert.Len(t, m.Certificates(), 2)
	stop()

	again := newManager(t, dir, nil)
	e.use(again)
	require.NoError(t, again.Apply(t.Context(), settings))
	run(t, again)
	_, err = e.dialTLS(clientFor(p.roots(t), "shop.ok.test"))
	require.NoError(t, err)
	assert.EqualValues(t, 2, p.orders.Load(), "loaded, not ordered")

	require.NoError(t, again.Apply(t.Context(), p.settings("", onDemand("one.test"))))
	_, err = e.dialTLS(clientFor(p.roots(t), "shop.ok.test"))
	assert.ErrorContains(t, err, "unrecognized name", "the rule no longer admits it")
	require.Eventually(t, func() bool { return len(again.Certificates()) == 0 }, patience, time.Millisecond)
}

func TestRandomNamesMakeNoOrder(t *testing.T) {
	t.Parallel()
	e := newEdge(t)
	p := startPebble(t, e)
	m := newManager(t, t.TempDir(), nil)
	e.use(m)
	require.NoError(t, m.Apply(t.Context(), p.settings("", onDemand("*.ok.test"))))
	run(t, m)
	start := time.Now()
	for i := range 10_000 {
		cert, err := answer(m, fmt.Sprintf("r%d.random.test", i))
		require.NoError(t, err)
		require.Nil(t, cert)
	}
	assert.Less(t, time.Since(start), patience)
	for i := range 100 {
		_, err := e.dialTLS(clientFor(p.roots(t), fmt.Sprintf("r%d.random.test", i)))
		require.ErrorContains(t, err, "unrecognized name")
	}
	assert.Zero(t, p.orders.Load())
	assert.Zero(t, p.accounts.Load())
	assert.Empty(t, m.Certificates())
}

func TestDecisionsAreAskedOncePerNameAndBounded(t *testing.T) {
	t.Parallel()
	e := newEdge(t)
	p := startPebble(t, e)
	start := time.Now()
	var ahead atomic.Int64
	m := newManager(t, t.TempDir(), func(o *certs.Options) {
		o.Now = func() time.Time { return start.Add(time.Duration(ahead.Load())) }
	})
	e.use(m)
	var mu sync.Mutex
	asked := map[string]int{}
	total := func() (n int) {
		mu.Lock()
		defer mu.Unlock()
		for _, k := range asked {
			n += k
		}
		return n
	}
	site := onDemand("*")
	site.OnDemand.Decide = func(_ context.Context, host string) error {
		mu.Lock()
		defer mu.Unlock()
		asked[host]++
		if host == "friend.test" {
			return nil
		}
		return errors.New("nobody knows it")
	}
	require.NoError(t, m.Apply(t.Context(), p.settings("http-01", site)))
	run(t, m)
	_, err := e.dialTLS(clientFor(p.roots(t), "friend.test"))
	require.NoError(t, err)
	for range 20 {
		_, err := e.dialTLS(clientFor(p.roots(t), "stranger.test"))
		require.ErrorContains(t, err, "unrecognized name")
	}
	require.Equal(t, map[string]int{"friend.test": 1, "stranger.test": 1}, asked)

	ahead.Store(int64(2 * time.Minute))
	_, err = e.dialTLS(clientFor(p.roots(t), "stranger.test"))
	require.ErrorContains(t, err, "unrecognized name")
	require.Equal(t, 2, asked["stranger.test"], "asked again after a minute")

	ahead.Store(int64(time.Hour))
	var wg sync.WaitGroup
	for worker := range 20 { // each waits for its verdict, or is turned away
		wg.Go(func() {
			for i := range 20 {
				_, err := e.dialTLS(clientFor(p.roots(t), fmt.Sprintf("r%d-%d.test", worker, i)))
				assert.Error(t, err)
			}
		})
	}
	wg.Wait()
	assert.LessOrEqual(t, total(), 3+100, "a burst of 100 names in an instant, whoever asks")
	assert.EqualValues(t, 1, p.orders.Load())
}

func TestOrdersOnDemandAreBounded(t *testing.T) {
	t.Parallel()
	e := newEdge(t)
	p := startPebble(t, e)
	start := time.Now()
	m := newManager(t, t.TempDir(), func(o *certs.Options) { o.Now = func() time.Time { return start } })
	e.use(m)
	site := onDemand("*.nowhere.test")
	site.Hosts = []string{"*.nowhere.test"}
	require.NoError(t, m.Apply(t.Context(), p.settings("http-01", site)))
	run(t, m)
	flood := func(names int) {
		var wg sync.WaitGroup
		for i := range names {
			wg.Go(func() {
				_, err := e.dialTLS(clientFor(p.roots(t), fmt.Sprintf("r%d.nowhere.test", i)))
				assert.Error(t, err)
			})
		}
		wg.Wait()
	}
	flood(4)
	require.EqualValues(t, 4, p.orders.Load())
	flood(4)
	require.EqualValues(t, 4, p.orders.Load(), "what failed is remembered")
	flood(60)
	assert.EqualValues(t, 10, p.orders.Load(), "ten in an instant, whoever asks")
}

func TestOnDemandKeepsTheNamesInUse(t *testing.T) {
	t.Parallel()
	e := newEdge(t)
	p := startPebble(t, e)
	m := newManager(t, t.TempDir(), nil)
	e.use(m)
	site := onDemand("*.ok.test")
	site.OnDemand.Names = 2
	require.NoError(t, m.Apply(t.Context(), p.settings("", site)))
	run(t, m)
	for _, name := range []string{"a.ok.test", "b.ok.test", "a.ok.test", "c.ok.test"} {
		_, err := e.dialTLS(clientFor(p.roots(t), name))
		require.NoError(t, err)
	}
	var hosts []string
	for _, i := range m.Certificates() {
		hosts = append(hosts, i.Host)
	}
	assert.Equal(t, []string{"a.ok.test", "c.ok.test"}, hosts)
	_, err := e.dialTLS(clientFor(p.roots(t), "b.ok.test"))
	require.NoError(t, err)
	assert.EqualValues(t, 3, p.orders.Load(), "b was dropped from memory, not from the disk")
}

func TestOnDemandForgetsWhatTheRuleNoLongerAdmits(t *testing.T) {
	t.Parallel()
	e := newEdge(t)
	p := startPebble(t, e)
	m := newManager(t, t.TempDir(), nil)
	e.use(m)
	with, without := p.settings("", onDemand("a.test")), p.settings("", onDemand("b.test"))
	require.NoError(t, m.Apply(t.Context(), with))
	run(t, m)
	_, err := e.dialTLS(clientFor(p.roots(t), "a.test"))
	require.NoError(t, err)
	require.Len(t, m.Certificates(), 1)
	require.Eventually(t, func() bool {
		require.NoError(t, m.Apply(t.Context(), without))
		runtime.Gosched() // Run may look between the two, in this round or in a later one
		require.NoError(t, m.Apply(t.Context(), with))
		return len(m.Certificates()) == 0
	}, patience, 5*time.Millisecond)
}
