package store

import (
	"strings"
	"sync"
	"sync/atomic"
)

// texts keeps each text of a Table once. Places are handed out and looked up under the lock of a shard, so
// that prune, which holds them all, can change them.
type texts struct {
	list atomic.Pointer[[]string] // by place; what is stored is never changed

	mu     sync.RWMutex // for places, and to store list
	places map[string]uint32
}

func newTexts() *texts {
	t := &texts{places: map[string]uint32{}}
	t.list.Store(new([]string))
	return t
}

func (t *texts) at(place uint32) string { return (*t.list.Load())[place] }

func (t *texts) find(text string) (place uint32, ok bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	place, ok = t.places[text]
	return place, ok
}

// intern is the place of a text.
func (t *texts) intern(text string) uint32 {
	if at, ok := t.find(text); ok {
		return at
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if at, ok := t.places[text]; ok {
		return at
	}
	return t.addLocked(strings.Clone(text))
}

func (t *texts) addLocked(text string) uint32 {
	list := *t.list.Load()
	at := uint32(len(list))
	list = append(list, text) // beyond what readers see
	t.list.Store(&list)
	t.places[text] = at
	return at
}

// spare is how many texts may be kept that no entry has.
const spare = 1024

// prune forgets the texts that no entry has, once they are many: backends come and go.
func (t *texts) prune(of *Table) {
	if len(*t.list.Load()) <= spare {
		return
	}
	for i := range of.shards {
		of.shards[i].mu.Lock()
		defer of.shards[i].mu.Unlock()
	}
	used := of.usedLocked()
	if len(*t.list.Load())-len(used) <= spare {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	old := *t.list.Load()
	t.list.Store(new([]string))
	clear(t.places)
	moved := make([]uint32, len(old))
	for place := range used {
		moved[place] = t.addLocked(old[place])
	}
	for i := range of.shards {
		of.shards[i].moveLocked(moved)
	}
}

// usedLocked are the places of the texts that entries have. All shards are locked.
func (t *Table) usedLocked() map[int]struct{} {
	used := map[int]struct{}{}
	for i := range t.shards {
		for place, n := range t.shards[i].counts {
			if n > 0 {
				used[place] = struct{}{}
			}
		}
	}
	return used
}

// moveLocked takes the texts to their new places.
func (s *shard) moveLocked(moved []uint32) {
	clear(s.counts)
	for i := s.oldest; i != none; i = s.rows[i].newer {
		s.rows[i].text = moved[s.rows[i].text]
		s.countLocked(s.rows[i].text, 1)
	}
}
