package certs

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
)

// Manager answers handshakes and keeps certificates. It is safe for concurrent use.
type Manager struct {
	opt        Options
	storage    *storage
	challenges *challenges
	leaves     *leaves
	demand     *demand
	current    atomic.Pointer[table]
	changed    chan struct{} // tells Run of a new table
	running    atomic.Bool

	mu sync.Mutex
	ca *LocalCA // nil until first needed
}

// New makes a Manager that serves nothing until the first Apply. It makes the state directory and starts
// nothing.
func New(o Options) (*Manager, error) {
	if o.StateDir == "" {
		return nil, errors.New("certs: no state directory")
	}
	o = o.withDefaults()
	if err := os.MkdirAll(o.StateDir, 0o700); err != nil {
		return nil, fmt.Errorf("state directory: %w", err)
	}
	s, err := newStorage(filepath.Join(o.StateDir, "certificates"))
	if err != nil {
		return nil, err
	}
	m := &Manager{
		opt: o, storage: s, challenges: newChallenges(), leaves: newLeaves(o), demand: newDemand(o.Now),
		changed: make(chan struct{}, 1),
	}
	m.current.Store(&table{})
	return m, nil
}

// Apply is Prepare and Commit in one.
func (m *Manager) Apply(ctx context.Context, s Settings) error {
	c, err := m.Prepare(ctx, s)
	if err != nil {
		return err
	}
	c.Commit()
	return nil
}

// Change is a set of settings that was found good and is ready to serve.
type Change struct {
	m     *Manager
	table *table
	ca    *LocalCA
	names map[string]bool // of the local authority
}

// Policy returns the policy of a site of these settings, or nil. Routes built from the same configuration can
// hold it and ask [Conn.Admits].
func (c *Change) Policy(site string) *Policy {
	for _, p := range c.table.policies {
		if p.name == site {
			return p
		}
	}
	return nil
}

// Commit swaps the settings in. Handshakes under way finish under the settings they began with.
func (c *Change) Commit() {
	if c.ca != nil {
		c.m.leaves.use(c.ca, c.names)
	}
	c.m.current.Store(c.table)
	select {
	case c.m.changed <- struct{}{}:
	default:
	}
}

// Run orders and renews certificates and rotates ticket keys until ctx is done. It returns nil when
// everything it started has ended. Handshakes are answered without it, with what is stored or local. Only one
// Run at a time.
func (m *Manager) Run(ctx context.Context) error {
	if !m.running.CompareAndSwap(false, true) {
		return errors.New("certs: already running")
	}
	defer m.running.Store(false)
	newKeeper(m).run(ctx)
	return nil
}

// LocalCA returns the authority of sites with SourceInternal, making it if this state directory has none yet.
func (m *Manager) LocalCA() (*LocalCA, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.ca != nil {
		return m.ca, nil
	}
	ca, err := OpenLocalCA(filepath.Join(m.opt.StateDir, "ca"), m.opt.Now())
	if err != nil {
		return nil, err
	}
	m.ca = ca
	return ca, nil
}
