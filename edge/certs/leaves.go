package certs

import (
	"container/list"
	"crypto/tls"
	"errors"
	"sync"
	"time"
)

var errTooManyNames = errors.New("too many new names, try again")

// leaves are the certificates of the local authority, in memory only. Names of the settings are pinned; names
// that only a pattern covers are bounded in number (least recently used goes) and in new ones a second, since
// any client can think of them.
type leaves struct {
	life  time.Duration
	max   int
	now   func() time.Time
	fresh *bucket

	mu     sync.Mutex
	ca     *LocalCA
	pinned map[string]*tls.Certificate
	loose  map[string]*list.Element // of *tls.Certificate
	order  *list.List               // most recently used first
}

type looseLeaf struct {
	name string
	cert *tls.Certificate
}

func newLeaves(o Options) *leaves {
	return &leaves{
		life: o.LeafLife, max: o.Leaves, now: o.Now,
		fresh:  &bucket{burst: 200, every: 20 * time.Millisecond}, // 100 µs of processor each
		pinned: map[string]*tls.Certificate{}, loose: map[string]*list.Element{}, order: list.New(),
	}
}

// fixed returns the certificate of a name or pattern of the settings.
func (l *leaves) fixed(name string) (*tls.Certificate, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	if c := l.pinned[name]; c != nil && l.young(c, now) {
		return c, nil
	}
	c, err := l.ca.issue(name, now, l.life)
	if err != nil {
		return nil, err
	}
	l.pinned[name] = c
	return c, nil
}

// other returns the certificate of a name that a client thought of.
func (l *leaves) other(name string) (*tls.Certificate, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	e := l.loose[name]
	if e != nil && l.young(e.Value.(*looseLeaf).cert, now) {
		l.order.MoveToFront(e)
		return e.Value.(*looseLeaf).cert, nil
	}
	if !l.fresh.take(now) {
		return nil, errTooManyNames
	}
	c, err := l.ca.issue(name, now, l.life)
	if err != nil {
		return nil, err
	}
	l.keepLocked(e, &looseLeaf{name, c})
	return c, nil
}

func (l *leaves) keepLocked(old *list.Element, leaf *looseLeaf) {
	if old != nil {
		l.order.Remove(old)
	}
	l.loose[leaf.name] = l.order.PushFront(leaf)
	if l.order.Len() > l.max {
		last := l.order.Remove(l.order.Back()).(*looseLeaf)
		delete(l.loose, last.name)
	}
}

// young reports whether more than a third of c's lifetime is left.
func (l *leaves) young(c *tls.Certificate, now time.Time) bool {
	return c.Leaf.NotAfter.Sub(now) > l.life/3
}

// use sets the authority and drops what keep does not have.
func (l *leaves) use(ca *LocalCA, keep map[string]bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ca = ca
	for name := range l.pinned {
		if !keep[name] {
			delete(l.pinned, name)
		}
	}
}

func (l *leaves) peek(name string) *tls.Certificate {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.pinned[name]
}
