package store

import (
	"sync"
	"time"
)

// Overhead is what an entry costs of the quota beside its key and value, in bytes.
const Overhead = 128

// A Namespace is a bounded map from keys to values that expire. When its quota is full, the values that
// were put first go first. Every operation is O(1), but for a Put that has to push out several. It is safe
// for concurrent use.
type Namespace struct {
	now   func() time.Time
	quota int

	mu      sync.Mutex
	entries map[string]*entry
	order   entry // head of a ring: order.next was put first, order.prev last
	bytes   int
}

type entry struct {
	key        string
	value      []byte
	expires    time.Time
	prev, next *entry
}

func (e *entry) cost() int { return len(e.key) + cap(e.value) + Overhead }

func newNamespace(o Options) *Namespace {
	n := &Namespace{now: o.Now, quota: o.Quota, entries: map[string]*entry{}}
	n.order.prev, n.order.next = &n.order, &n.order
	return n
}

// Get copies what fits of the value of key into dst and gives the value's whole length. It does not
// allocate.
func (n *Namespace) Get(key, dst []byte) (length int, ok bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	e := n.entries[string(key)]
	if e == nil {
		return 0, false
	}
	if !n.now().Before(e.expires) {
		n.removeLocked(e)
		return 0, false
	}
	copy(dst, e.value)
	return len(e.value), true
}

// Put keeps a copy of value for ttl, in place of what key had. It reports false, and keeps nothing, if ttl
// is not positive or if the entry alone is more than the quota.
func (n *Namespace) Put(key, value []byte, ttl time.Duration) bool {
	if ttl <= 0 || len(key)+len(value)+Overhead > n.quota {
		return false
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	e := n.entries[string(key)]
	if e == nil {
		e = &entry{key: string(key)}
		n.entries[e.key] = e
	} else {
		n.unlinkLocked(e)
	}
	if cap(e.value) < len(value) || cap(e.value) > 2*len(value)+Overhead {
		e.value = make([]byte, 0, len(value))
	}
	e.value = append(e.value[:0], value...)
	e.expires = n.now().Add(ttl)
	n.linkLocked(e)
	for n.bytes > n.quota {
		n.removeLocked(n.order.next)
	}
	return true
}

// Delete forgets a key.
func (n *Namespace) Delete(key []byte) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if e := n.entries[string(key)]; e != nil {
		n.removeLocked(e)
	}
}

// Usage is the number of entries, expired ones included until they are met, and the bytes they cost.
func (n *Namespace) Usage() (entries, bytes int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.entries), n.bytes
}

func (n *Namespace) removeLocked(e *entry) {
	n.unlinkLocked(e)
	delete(n.entries, e.key)
}

func (n *Namespace) linkLocked(e *entry) {
	last := n.order.prev
	e.prev, e.next = last, &n.order
	last.next, n.order.prev = e, e
	n.bytes += e.cost()
}

func (n *Namespace) unlinkLocked(e *entry) {
	e.prev.next, e.next.prev = e.next, e.prev
	e.prev, e.next = nil, nil
	n.bytes -= e.cost()
}
