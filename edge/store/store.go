package store

import (
	"sync"
	"time"
)

// Options of a Store. The zero value is usable.
type Options struct {
	Now   func() time.Time // default time.Now
	Quota int              // bytes of one namespace, overhead included; default 4 MiB
}

func (o Options) withDefaults() Options {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Quota <= 0 {
		o.Quota = 4 << 20
	}
	return o
}

// A Store is a set of namespaces. It is safe for concurrent use.
type Store struct {
	opt Options

	mu    sync.Mutex
	names map[string]*Namespace
}

// New makes an empty store.
func New(o Options) *Store {
	return &Store{opt: o.withDefaults(), names: map[string]*Namespace{}}
}

// Namespace gives the namespace of a name, which is made when it is first asked for.
func (s *Store) Namespace(name string) *Namespace {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.names[name]
	if n == nil {
		n = newNamespace(s.opt)
		s.names[name] = n
	}
	return n
}

// Drop forgets a namespace. Who still holds it keeps a namespace of their own.
func (s *Store) Drop(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.names, name)
}
