package store_test

import (
	"encoding/binary"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedge-lb/wedge/edge/store"
)

type clock struct{ t time.Time }

func (c *clock) now() time.Time { return c.t }

func get(n *store.Namespace, key string) (string, bool) {
	var buf [256]byte
	length, ok := n.Get([]byte(key), buf[:])
	return string(buf[:min(length, len(buf))]), ok
}

func TestNamespaceKeepsAndForgets(t *testing.T) {
	c := &clock{time.Unix(1000, 0)}
	s := store.New(store.Options{Now: c.now})
	n := s.Namespace("spread")
	require.True(t, n.Put([]byte("a"), []byte("one"), time.Minute))
	require.True(t, n.Put([]byte("b"), []byte("two"), time.Hour))

	v, ok := get(n, "a")
	assert.True(t, ok)
	assert.Equal(t, "one", v)
	_, ok = get(n, "c")
	assert.False(t, ok, "a key that was never put")
	_, ok = get(s.Namespace("other"), "a")
	assert.False(t, ok, "another namespace")

	c.t = c.t.Add(time.Minute)
	_, ok = get(n, "a")
	assert.False(t, ok, "expired")
	entries, bytes := n.Usage()
	assert.Equal(t, 1, entries)
	assert.Equal(t, len("b")+len("two")+store.Overhead, bytes)

	n.Delete([]byte("b"))
	n.Delete([]byte("b"))
	entries, bytes = n.Usage()
	assert.Zero(t, entries)
	assert.Zero(t, bytes)
}

func TestNamespaceGivesTheWholeLengthOfAValueThatDoesNotFit(t *testing.T) {
	n := store.New(store.Options{}).Namespace("x")
	require.True(t, n.Put([]byte("k"), []byte("abcdef"), time.Minute))
	dst := []byte("....")
	length, ok := n.Get([]byte("k"), dst[:2])
	assert.True(t, ok)
	assert.Equal(t, 6, length)
	assert.Equal(t, "ab..", string(dst))
}

func TestNamespacePushesOutWhatWasPutFirst(t *testing.T) {
	const each = 1 + 10 + store.Overhead
	n := store.New(store.Options{Quota: 3 * each}).Namespace("x")
	for _, k := range []string{"a", "b", "c", "a", "d"} { // the second a makes b the first
		require.True(t, n.Put([]byte(k), make([]byte, 10), time.Minute))
	}
	for k, want := range map[string]bool{"a": true, "b": false, "c": true, "d": true} {
		_, ok := get(n, k)
		assert.Equal(t, want, ok, k)
	}
}

func TestNamespaceRefuses(t *testing.T) {
	n := store.New(store.Options{Quota: 1024}).Namespace("x")
	assert.False(t, n.Put([]byte("k"), make([]byte, 1024), time.Minute), "more than the quota")
	assert.False(t, n.Put([]byte("k"), nil, 0), "no time to live")
	assert.False(t, n.Put([]byte("k"), nil, -time.Second), "a negative time to live")
	entries, _ := n.Usage()
	assert.Zero(t, entries)
}

func TestNamespaceStaysInItsQuotaWhenValuesGrowAndShrink(t *testing.T) {
	const quota = 16 << 10
	n := store.New(store.Options{Quota: quota}).Namespace("x")
	for i := range 10_000 {
		key := fmt.Appendf(nil, "key-%d", i*7919%97)
		require.True(t, n.Put(key, make([]byte, i*104729%2000), time.Minute))
		_, bytes := n.Usage()
		require.LessOrEqual(t, bytes, quota)
	}
}

func TestDropForgetsANamespace(t *testing.T) {
	s := store.New(store.Options{})
	require.True(t, s.Namespace("x").Put([]byte("k"), nil, time.Minute))
	s.Drop("x")
	_, ok := get(s.Namespace("x"), "k")
	assert.False(t, ok)
}

func TestNamespaceUnderConcurrentUse(t *testing.T) {
	n := store.New(store.Options{Quota: 32 << 10}).Namespace("x")
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			var key, value [8]byte
			for i := range uint64(5_000) {
				binary.LittleEndian.PutUint64(key[:], i%200)
				n.Put(key[:], key[:], time.Minute)
				if _, ok := n.Get(key[:], value[:]); ok && value != key {
					t.Errorf("key %x has the value %x", key, value)
				}
				if i%3 == 0 {
					n.Delete(key[:])
				}
			}
		})
	}
	wg.Wait()
}

func BenchmarkGet(b *testing.B) {
	n := store.New(store.Options{}).Namespace("x")
	key, dst := []byte("session-0123456789"), make([]byte, 64)
	n.Put(key, make([]byte, 32), time.Hour)
	b.ReportAllocs()
	for b.Loop() {
		n.Get(key, dst)
	}
}
