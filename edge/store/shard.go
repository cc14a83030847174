package store

import (
	"encoding/binary"
	"sync"
)

// none is no row.
const none = ^uint32(0)

// A row is one entry; made and seen are Unix seconds. Rows that are free are chained by next.
type row struct {
	key          Key
	made, seen   uint32
	text         uint32 // its place in texts
	next         uint32 // in the chain of its bucket
	newer, older uint32
}

// A shard is one part of a Table: rows in one slice, found by chained hashing, in a list by their last use.
type shard struct {
	table *Table

	mu             sync.Mutex
	rows           []row
	buckets        []uint32 // first row of each chain; a power of two of them
	free           uint32
	newest, oldest uint32
	counts         []uint32 // rows by text
	changed        bool     // since the last snapshot
	_              [40]byte // a shard's lock stays on a cache line of its own
}

// bucketLocked is where the chain of a key begins. The last byte of the key has chosen the shard.
func (s *shard) bucketLocked(k *Key) *uint32 {
	return &s.buckets[binary.LittleEndian.Uint32(k[:])&uint32(len(s.buckets)-1)]
}

func (s *shard) findLocked(k *Key) uint32 {
	if len(s.buckets) == 0 {
		return none
	}
	i := *s.bucketLocked(k)
	for i != none && s.rows[i].key != *k {
		i = s.rows[i].next
	}
	return i
}

// addLocked adds a row whose key is not there.
func (s *shard) addLocked(r row) {
	i := s.free
	if i != none {
		s.free = s.rows[i].next
		s.rows[i] = r
	} else {
		if len(s.rows) == len(s.buckets) {
			s.growLocked()
		}
		i = uint32(len(s.rows))
		s.rows = append(s.rows, r)
	}
	s.chainLocked(i)
	s.linkLocked(i)
	s.countLocked(r.text, 1)
	s.table.used.Add(1)
	s.changed = true
}

// growLocked doubles the buckets. It is called when every row is in use.
func (s *shard) growLocked() {
	s.buckets = make([]uint32, max(2*len(s.buckets), 16))
	for i := range s.buckets {
		s.buckets[i] = none
	}
	for i := range s.rows {
		s.chainLocked(uint32(i))
	}
}

func (s *shard) chainLocked(i uint32) {
	b := s.bucketLocked(&s.rows[i].key)
	s.rows[i].next, *b = *b, i
}

func (s *shard) dropLocked(i uint32) {
	b := s.bucketLocked(&s.rows[i].key)
	for *b != i {
		b = &s.rows[*b].next
	}
	*b = s.rows[i].next
	s.unlinkLocked(i)
	s.countLocked(s.rows[i].text, -1)
	s.rows[i] = row{next: s.free}
	s.free = i
	s.table.used.Add(-1)
	s.changed = true
}

// touchLocked makes a row the one used last.
func (s *shard) touchLocked(i, seen uint32) {
	if r := &s.rows[i]; r.seen < seen {
		r.seen, s.changed = seen, true
	}
	if s.newest != i {
		s.unlinkLocked(i)
		s.linkLocked(i)
	}
}

func (s *shard) linkLocked(i uint32) {
	s.rows[i].older, s.rows[i].newer = s.newest, none
	if s.newest != none {
		s.rows[s.newest].newer = i
	} else {
		s.oldest = i
	}
	s.newest = i
}

func (s *shard) unlinkLocked(i uint32) {
	older, newer := s.rows[i].older, s.rows[i].newer
	if older != none {
		s.rows[older].newer = newer
	} else {
		s.oldest = newer
	}
	if newer != none {
		s.rows[newer].older = older
	} else {
		s.newest = older
	}
}

func (s *shard) countLocked(text uint32, by int) {
	for int(text) >= len(s.counts) {
		s.counts = append(s.counts, 0)
	}
	s.counts[text] += uint32(by)
}
