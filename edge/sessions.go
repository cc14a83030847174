package edge

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/wedge-lb/wedge/edge/affinity"
	"github.com/wedge-lb/wedge/edge/config"
)

// sessionFiles are the snapshots of the pools' tables of sessions, a file each.
type sessionFiles struct {
	dir     string
	key     []byte // that ids are hashed under
	log     *slog.Logger
	renewed chan struct{} // has a value when the configuration has changed

	files *sync.Mutex // one file at a time is written or removed
	mu    *sync.Mutex
	live  map[string]tableFile // by pool
}

// maxSessionFile is in bytes: the largest table has ten million entries of 28 bytes, and backends' names.
const maxSessionFile = 1 << 30

// tableFile is one table and when it was saved.
type tableFile struct {
	*affinity.Affinity
	every time.Duration
	due   time.Time
}

// openSessionFiles makes the folder; it reads no table yet.
func openSessionFiles(dir string, log *slog.Logger) (sessionFiles, error) {
	f := sessionFiles{
		dir: filepath.Join(dir, "sessions"), log: log, renewed: make(chan struct{}, 1),
		files: new(sync.Mutex), mu: new(sync.Mutex), live: map[string]tableFile{},
	}
	var err error
	if f.key, err = affinity.LoadSessionKey(dir); err != nil {
		return f, err
	}
	return f, os.MkdirAll(f.dir, 0o700)
}

// sessionRules are what a pool's configuration says of its sessions.
func (s *Server) sessionRules(c *config.Session) *affinity.Sessions {
	if c == nil {
		return nil
	}
	return &affinity.Sessions{Source: c.Source, Learn: c.Learn, Entries: c.Entries, Key: s.sessions.key}
}

// path is a pool's file. Whatever the pool's name, it is one name below dir.
func (f *sessionFiles) path(pool string) string {
	return filepath.Join(f.dir, "pool-"+url.PathEscape(pool))
}

// loadSessions reads the tables that g has and the Server has not. What cannot be read is set aside: sessions
// are lost by that, but no request.
func (g *generation) loadSessions() {
	for name, p := range g.pools {
		if p.affinity.HasSessions() && !p.affinity.SharesSessions(g.server.affinities[name]) {
			g.server.sessions.load(name, p.affinity)
		}
	}
}

func (f *sessionFiles) load(pool string, a *affinity.Affinity) {
	path := f.path(pool)
	file, err := openFile(path, maxSessionFile)
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	if err == nil {
		err = errors.Join(a.LoadSessions(file, time.Now()), file.Close())
	}
	if err == nil {
		f.log.Info("sessions read", "pool", pool, "sessions", a.SessionStats().Entries)
		return
	}
	aside := path + ".bad"
	if renamed := os.Rename(path, aside); renamed != nil {
		err, aside = errors.Join(err, renamed), path
	}
	f.log.Warn("sessions not read: the pool begins without", "pool", pool, "file", aside, "error", err)
}

// take makes p's table one that is saved, unless it has none. A Server that only checks never runs the loop
// that saves.
func (f *sessionFiles) take(p *poolPlan) {
	if c := p.conf.Affinity.Session; c != nil {
		f.set(p.name, &tableFile{p.affinity, c.SaveEvery, time.Now().Add(c.SaveEvery)})
	}
	select {
	case f.renewed <- struct{}{}:
	default: // it has one already
	}
}

// retain forgets the tables, and removes the files, of pools that g does not have or that have no sessions
// there.
func (f *sessionFiles) retain(g *generation) {
	f.files.Lock()
	defer f.files.Unlock()
	for name := range f.tables() {
		if p := g.pools[name]; p != nil && p.affinity.HasSessions() {
			continue
		}
		f.set(name, nil)
		if err := os.Remove(f.path(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			f.log.Warn("sessions of a removed pool not removed", "pool", name, "error", err)
		}
	}
}

func (f *sessionFiles) tables() map[string]tableFile {
	f.mu.Lock()
	defer f.mu.Unlock()
	return maps.Clone(f.live)
}

// set puts a pool's table; nil removes it.
func (f *sessionFiles) set(pool string, t *tableFile) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if t == nil {
		delete(f.live, pool)
		return
	}
	f.live[pool] = *t
}

// saved notes when a table is due again, unless there is a new one by now.
func (f *sessionFiles) saved(pool string, t tableFile) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.live[pool].Affinity == t.Affinity {
		f.live[pool] = t
	}
}

// keepSessions saves the tables that have changed, each on its time, and all of them at the end.
func (s *Server) keepSessions(ctx context.Context) error {
	f := &s.sessions
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			f.save(true)
			return nil
		case <-f.renewed:
		case <-timer.C:
		}
		timer.Reset(f.save(false))
	}
}

// idleLoop is how long the loop sleeps when no pool has sessions.
const idleLoop = time.Hour

// save writes the tables that are due, or all, and gives the time to the next.
func (f *sessionFiles) save(all bool) time.Duration {
	f.files.Lock()
	defer f.files.Unlock()
	next := idleLoop
	for pool, t := range f.tables() {
		now := time.Now()
		if all || !now.Before(t.due) {
			f.write(pool, t.Affinity, now)
			// A large table on a slow disk takes its time: it is saved for half of it at most.
			t.due = time.Now().Add(max(t.every, time.Since(now)))
			f.saved(pool, t)
		}
		next = min(next, max(time.Until(t.due), 0))
	}
	return next
}

func (f *sessionFiles) write(pool string, a *affinity.Affinity, now time.Time) {
	if !a.SessionsChanged(now) {
		return
	}
	write := func(w io.Writer) error { return a.SaveSessions(w, now) }
	if err := writeThrough(f.path(pool), write); err != nil {
		a.UnsavedSessions()
		f.log.Warn("sessions not saved", "pool", pool, "error", err)
	}
}
