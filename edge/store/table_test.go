package store_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedge-lb/wedge/edge/store"
)

var noon = time.Unix(1_800_000_000, 0)

func key(i int) store.Key {
	sum := sha256.Sum256(binary.BigEndian.AppendUint64(nil, uint64(i)))
	return store.Key(sum[:])
}

func table(entries int) *store.Table {
	return store.NewTable(store.TableOptions{Entries: entries, Idle: time.Minute, MaxAge: time.Hour})
}

func text(t *store.Table, i int, now time.Time) string {
	got, _ := t.Get(key(i), now)
	return got
}

func TestATableKeepsWhatWasPut(t *testing.T) {
	for _, entries := range []int{1, 10, 1_000, 100_000} {
		tab := table(entries)
		for i := range entries {
			tab.Put(key(i), fmt.Sprint("b", i%7), noon)
		}
		assert.Equal(t, entries, tab.Len())
		for i := range entries {
			require.Equal(t, fmt.Sprint("b", i%7), text(tab, i, noon))
		}
		assert.Zero(t, tab.Evicted())
		assert.Equal(t, (entries+6)/7, tab.Count("b0"))
		assert.Zero(t, tab.Count("b9"))
		tab.Delete(key(0))
		assert.Empty(t, text(tab, 0, noon))
		tab.Delete(key(0))
		assert.Equal(t, entries-1, tab.Len())
	}
}

func TestAFullTableDropsTheOneUnusedForLongest(t *testing.T) {
	tab := table(3)
	for i := range 3 {
		tab.Put(key(i), "b", noon)
	}
	require.Equal(t, "b", text(tab, 0, noon)) // 1 is now the oldest
	tab.Put(key(3), "b", noon)
	assert.Empty(t, text(tab, 1, noon))
	for _, i := range []int{0, 2, 3} {
		assert.Equal(t, "b", text(tab, i, noon), i)
	}
	assert.EqualValues(t, 1, tab.Evicted())
	assert.Equal(t, 3, tab.Count("b"))
}

func TestALargeTableNeverHoldsMoreThanItMay(t *testing.T) {
	tab := table(5_000)
	for i := range 20_000 {
		tab.Put(key(i), "b", noon)
		require.LessOrEqual(t, tab.Len(), 5_000)
	}
	assert.Equal(t, 5_000, tab.Len())
	assert.EqualValues(t, 15_000, tab.Evicted())
	kept := 0
	for i := 16_000; i < 20_000; i++ {
		if text(tab, i, noon) != "" {
			kept++
		}
	}
	assert.Greater(t, kept, 3_900, "those used last are kept but for the difference of shards")
	tab.SetOptions(store.TableOptions{Entries: 100, Idle: time.Minute, MaxAge: time.Hour})
	tab.Put(key(0), "b", noon)
	assert.Equal(t, 4_999, tab.Len(), "a request pays for two at most")
	tab.Sweep(noon)
	assert.Equal(t, 100, tab.Len())
}

func TestEntriesExpireByTwoClocks(t *testing.T) {
	tab := table(10)
	tab.Put(key(1), "b", noon)
	assert.Equal(t, "b", text(tab, 1, noon.Add(time.Minute)))
	assert.Equal(t, "b", text(tab, 1, noon.Add(2*time.Minute)), "used, so its idle time began anew")
	assert.Empty(t, text(tab, 1, noon.Add(3*time.Minute+time.Second)))
	assert.Zero(t, tab.Len(), "what has expired goes when it is met")

	tab.Put(key(1), "b", noon)
	now := noon
	for ; now.Sub(noon) <= time.Hour; now = now.Add(time.Minute) {
		require.Equal(t, "b", text(tab, 1, now))
		tab.Put(key(1), "b", now) // the same pin, so it keeps its age
	}
	assert.Empty(t, text(tab, 1, now), "however often it was used")

	tab.Put(key(1), "b", noon)
	tab.Put(key(1), "c", noon.Add(time.Minute))
	for at := time.Duration(0); at <= time.Hour; at += time.Minute {
		require.Equal(t, "c", text(tab, 1, noon.Add(time.Minute+at)), "another backend makes another pin")
	}
	assert.Equal(t, 1, tab.Count("c"))
	assert.Zero(t, tab.Count("b"))
}

func TestSweepDropsWhatWasUnusedForTooLong(t *testing.T) {
	tab := table(10_000)
	for i := range 10_000 {
		tab.Put(key(i), "b", noon.Add(time.Duration(i)*time.Millisecond*12)) // over two minutes
	}
	tab.Sweep(noon.Add(2 * time.Minute))
	assert.InDelta(t, 5_000, tab.Len(), 100)
	assert.Equal(t, tab.Len(), tab.Count("b"))
	tab.Sweep(noon.Add(time.Hour))
	assert.Zero(t, tab.Len())
}

func TestTextsThatNobodyHasAreForgotten(t *testing.T) {
	tab := table(10_000)
	tab.Put(key(-1), "stays", noon)
	for i := range 5_000 {
		tab.Put(key(i), fmt.Sprint("b", i), noon)
		if i > 10 {
			tab.Delete(key(i))
		}
	}
	size := func() int {
		var b bytes.Buffer
		require.NoError(t, tab.WriteSnapshot(&b, [16]byte{}, noon))
		return b.Len()
	}
	before := size()
	tab.Sweep(noon)
	assert.Less(t, size(), before/10)
	assert.Equal(t, "stays", text(tab, -1, noon))
	for i := range 10 {
		assert.Equal(t, fmt.Sprint("b", i), text(tab, i, noon))
		assert.Equal(t, 1, tab.Count(fmt.Sprint("b", i)))
	}
}

func TestATableUnderConcurrentUse(t *testing.T) {
	tab := table(2_000)
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for i := range 5_000 {
				id := (i*7919 + w) % 3_000
				want := fmt.Sprint("b", id%5)
				tab.Put(key(id), want, noon)
				if got, ok := tab.Get(key(id), noon); ok && got != want {
					t.Errorf("entry %d has %s", id, got)
				}
				if i%1000 == 0 {
					tab.Sweep(noon)
				}
			}
		})
	}
	wg.Go(func() {
		for range 20 {
			var b bytes.Buffer
			if err := tab.WriteSnapshot(&b, [16]byte{}, noon); err != nil {
				t.Error(err)
			}
		}
	})
	wg.Wait()
	assert.LessOrEqual(t, tab.Len(), 2_000)
	total := 0
	for i := range 5 {
		total += tab.Count(fmt.Sprint("b", i))
	}
	assert.Equal(t, tab.Len(), total)
}

func TestALookUpDoesNotAllocate(t *testing.T) {
	tab := table(1_000)
	known, unknown := key(1), key(2)
	tab.Put(known, "b", noon)
	assert.Zero(t, testing.AllocsPerRun(1000, func() {
		tab.Get(known, noon)
		tab.Get(unknown, noon)
		tab.Put(known, "b", noon)
	}))
}

func TestAnEntryCostsLittle(t *testing.T) {
	const n = 100_000
	keys := make([]store.Key, n)
	for i := range keys {
		keys[i] = key(i)
	}
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	tab := table(n)
	for i := range keys {
		tab.Put(keys[i], "b", noon)
	}
	each := float64(heap()-before) / n
	t.Logf("%.1f bytes an entry", each)
	assert.Less(t, each, 100.0)
	runtime.KeepAlive(tab)
	runtime.KeepAlive(keys)
}

var owner = [16]byte{1, 2, 3}

func snapshot(t testing.TB, tab *store.Table, now time.Time) []byte {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, tab.WriteSnapshot(&b, owner, now))
	return b.Bytes()
}

func TestASnapshotBringsBackWhatHasNotExpired(t *testing.T) {
	tab := table(10_000)
	for i := range 10_000 {
		tab.Put(key(i), fmt.Sprint("b", i%3), noon.Add(time.Duration(i)*time.Millisecond))
	}
	assert.True(t, tab.Changed())
	data := snapshot(t, tab, noon.Add(10*time.Second))
	assert.False(t, tab.Changed())
	tab.Get(key(9_999), noon.Add(9*time.Second))
	assert.False(t, tab.Changed(), "used in the second it was used before")
	tab.Get(key(9_999), noon.Add(11*time.Second))
	assert.True(t, tab.Changed())

	for _, entries := range []int{100_000, 10_000, 100} {
		back := table(entries)
		require.NoError(t, back.ReadSnapshot(bytes.NewReader(data), owner, noon.Add(20*time.Second)))
		require.Equal(t, min(entries, 10_000), back.Len())
		for i := 10_000 - min(entries, 10_000); i < 10_000 && entries != 100; i++ {
			require.Equal(t, fmt.Sprint("b", i%3), text(back, i, noon.Add(20*time.Second)))
		}
		for i := 0; i < 9_000 && entries == 100; i++ {
			require.Empty(t, text(back, i, noon.Add(20*time.Second)), "of too many those used last are kept")
		}
	}
	back := table(10_000)
	require.NoError(t, back.ReadSnapshot(bytes.NewReader(data), owner, noon.Add(65*time.Second)))
	assert.InDelta(t, 5_000, back.Len(), 1_000, "the clocks went on")
	back = table(10_000)
	require.NoError(t, back.ReadSnapshot(bytes.NewReader(data), owner, noon.Add(-time.Hour)))
	back.Sweep(noon.Add(-time.Hour + 2*time.Minute))
	assert.Zero(t, back.Len(), "what was ahead of the clock expires by it")
	tab.Touched()
	assert.True(t, tab.Changed())
}

func TestASnapshotThatIsNotWholeIsRefused(t *testing.T) {
	tab := table(100)
	for i := range 100 {
		tab.Put(key(i), fmt.Sprint("b", i%3), noon)
	}
	data := snapshot(t, tab, noon)
	back := table(100)
	for n := range data {
		require.ErrorContains(t, back.ReadSnapshot(bytes.NewReader(data[:n]), owner, noon), "cut short", n)
	}
	for i := range data {
		changed := bytes.Clone(data)
		changed[i] ^= 0x40
		require.Error(t, back.ReadSnapshot(bytes.NewReader(changed), owner, noon), i)
	}
	for want, other := range map[string][]byte{
		"not a snapshot":      []byte("something else altogether"),
		"more behind its end": append(bytes.Clone(data), 0),
		"version 2":           append([]byte("wedgetab\x00\x00\x00\x02"), make([]byte, 100)...),
		"more than 10000000":  append([]byte("wedgetab\x00\x00\x00\x01"), bytes.Repeat([]byte{255}, 100)...),
	} {
		require.ErrorContains(t, back.ReadSnapshot(bytes.NewReader(other), owner, noon), want)
	}
	err := back.ReadSnapshot(bytes.NewReader(data), [16]byte{9}, noon)
	assert.True(t, errors.Is(err, store.ErrForeign), err)
	assert.Zero(t, back.Len())
}

// FuzzReadSnapshot: no bytes make it panic or take much memory, and what is taken is written back alike.
func FuzzReadSnapshot(f *testing.F) {
	tab := table(10)
	f.Add(snapshot(f, tab, noon), true)
	for i := range 10 {
		tab.Put(key(i), fmt.Sprint("b", i%3), noon)
	}
	f.Add(snapshot(f, tab, noon), true)
	body := snapshot(f, tab, noon)
	f.Add(body[:len(body)-sha256.Size], false)
	f.Fuzz(func(t *testing.T, data []byte, whole bool) {
		if !whole { // let the fuzzer behind the sum
			sum := sha256.Sum256(data)
			data = append(bytes.Clone(data), sum[:]...)
		}
		tab := table(1_000)
		if tab.ReadSnapshot(bytes.NewReader(data), owner, noon) != nil {
			require.Zero(t, tab.Len())
			return
		}
		again := table(1_000)
		require.NoError(t, again.ReadSnapshot(bytes.NewReader(snapshot(t, tab, noon)), owner, noon))
		require.Equal(t, tab.Len(), again.Len())
	})
}

func BenchmarkTableGet(b *testing.B) {
	tab := table(100_000)
	keys := make([]store.Key, 100_000)
	for i := range keys {
		keys[i] = key(i)
		tab.Put(keys[i], "b", noon)
	}
	b.ReportAllocs()
	b.RunParallel(func(p *testing.PB) {
		for i := 0; p.Next(); i = (i + 7919) % len(keys) {
			tab.Get(keys[i], noon)
		}
	})
}
