package store

import (
	"sync/atomic"
	"time"
)

// A Key is what an entry of a Table is known by: a hash, all of whose bits are of use.
type Key [16]byte

// TableOptions are the bounds of a Table.
type TableOptions struct {
	Entries int           // at most; of a full table (of its shard, if many) the one unused for longest goes
	Idle    time.Duration // an entry ends when unused for so long
	MaxAge  time.Duration // an entry ends so long after it was made
}

// A Table is a bounded map from keys to one of few texts. Entries expire by two clocks, in whole seconds. An
// entry costs about 50 bytes, 100 while the table grows. It is safe for concurrent use; its locks are those
// of shards.
type Table struct {
	entries      atomic.Int64
	idle, maxAge atomic.Int64 // seconds
	used         atomic.Int64 // entries there are, expired ones included until they are met
	evicted      atomic.Uint64
	texts        *texts
	shards       []shard
}

const (
	maxShards  = 64
	shardFloor = 512 // entries that a shard is worth: small tables keep to the order strictly
)

// NewTable makes an empty table.
func NewTable(o TableOptions) *Table {
	n := 1
	for n < maxShards && o.Entries >= 2*n*shardFloor {
		n *= 2
	}
	t := &Table{shards: make([]shard, n), texts: newTexts()}
	for i := range t.shards {
		s := &t.shards[i]
		s.table, s.free, s.newest, s.oldest = t, none, none, none
	}
	t.SetOptions(o)
	return t
}

// SetOptions changes the bounds. What is too much goes with the next entries that are put.
func (t *Table) SetOptions(o TableOptions) {
	t.entries.Store(int64(max(o.Entries, 1)))
	t.idle.Store(int64(o.Idle / time.Second))
	t.maxAge.Store(int64(o.MaxAge / time.Second))
}

func (t *Table) shard(k *Key) *shard { return &t.shards[int(k[15])%len(t.shards)] }

// Get is the text of a key, which counts as used by that. It does not allocate.
func (t *Table) Get(k Key, now time.Time) (text string, ok bool) {
	s := t.shard(&k)
	s.mu.Lock()
	defer s.mu.Unlock()
	i := s.findLocked(&k)
	if i == none {
		return "", false
	}
	if t.over(&s.rows[i], now.Unix()) {
		s.dropLocked(i)
		return "", false
	}
	s.touchLocked(i, uint32(now.Unix()))
	return t.texts.at(s.rows[i].text), true
}

// Put gives a key its text. An entry that gets another text is a new one.
func (t *Table) Put(k Key, text string, now time.Time) {
	at := uint32(now.Unix())
	t.put(row{key: k, made: at, seen: at}, text, now.Unix())
}

// put adds r, or renews what there is of its key.
func (t *Table) put(r row, text string, now int64) {
	if t.store(r, text, now) {
		t.trim(&r.key, 2) // a table that was made smaller shrinks with each
	}
}

// trim evicts entries that are too many, n at most.
func (t *Table) trim(kept *Key, n int) {
	for ; n > 0 && t.used.Load() > t.entries.Load() && t.evict(kept); n-- {
		t.evicted.Add(1)
	}
}

// store tells whether there is one entry more.
func (t *Table) store(r row, text string, now int64) bool {
	s := t.shard(&r.key)
	s.mu.Lock()
	defer s.mu.Unlock()
	r.text = t.texts.intern(text)
	i := s.findLocked(&r.key)
	if i == none {
		s.addLocked(r)
		return true
	}
	if old := &s.rows[i]; old.text != r.text || t.over(old, now) {
		s.countLocked(old.text, -1)
		s.countLocked(r.text, 1)
		old.text, old.made = r.text, r.made
		s.changed = true
	}
	s.touchLocked(i, r.seen)
	return false
}

// evict drops the oldest entry of k's shard but k itself, or else of the next shard that has one.
func (t *Table) evict(k *Key) bool {
	first := int(k[15]) % len(t.shards)
	for i := range t.shards {
		s := &t.shards[(first+i)%len(t.shards)]
		s.mu.Lock()
		oldest := s.oldest
		found := oldest != none && s.rows[oldest].key != *k
		if found {
			s.dropLocked(oldest)
		}
		s.mu.Unlock()
		if found {
			return true
		}
	}
	return false
}

// over tells whether a row has expired.
func (t *Table) over(r *row, now int64) bool {
	return now-int64(r.seen) > t.idle.Load() || now-int64(r.made) > t.maxAge.Load()
}

// Delete forgets a key.
func (t *Table) Delete(k Key) {
	s := t.shard(&k)
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := s.findLocked(&k); i != none {
		s.dropLocked(i)
	}
}

// Sweep drops what is too much or has been unused for too long. What is too old although it was used goes
// when it is met.
func (t *Table) Sweep(now time.Time) {
	for i := range t.shards {
		s := &t.shards[i]
		s.mu.Lock()
		for s.oldest != none && t.over(&s.rows[s.oldest], now.Unix()) {
			s.dropLocked(s.oldest)
		}
		s.mu.Unlock()
	}
	t.trim(new(Key), t.Len())
	t.texts.prune(t)
}

// Len is the number of entries, expired ones included until they are met or swept.
func (t *Table) Len() int { return int(t.used.Load()) }

// Evicted is the number of entries that had to go for others.
func (t *Table) Evicted() uint64 { return t.evicted.Load() }

// Count is the number of entries with a text.
func (t *Table) Count(text string) int {
	total := 0
	for i := range t.shards {
		s := &t.shards[i]
		s.mu.Lock()
		if at, ok := t.texts.find(text); ok && int(at) < len(s.counts) {
			total += int(s.counts[at])
		}
		s.mu.Unlock()
	}
	return total
}
