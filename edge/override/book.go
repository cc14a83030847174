package override

import (
	"cmp"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/wedge-lb/wedge/edge/balance"
)

// Options are what a Book works with.
type Options struct {
	Path   string                               // of the file
	Write  func(path string, data []byte) error // puts a file in place whole or not at all
	Logger *slog.Logger                         // default: discard
}

// A Book has all overrides of an edge. It is safe for concurrent use.
type Book struct {
	opt    Options
	saving sync.Mutex // one at a time, before mu

	mu      sync.Mutex
	words   map[subject]*entry
	unsaved error // of the last save
}

// subject is a backend by its names.
type subject struct{ pool, backend string }

// entry is a word and what only this process knows of it.
type entry struct {
	Word
	row    *balance.Backend // the last there was
	passed bool             // the deadline's passing was told
}

const (
	maxWords   = 4096
	severEvery = time.Second // for streams that began as the deadline passed
	tendEvery  = time.Minute // backends come and leave
	saveEvery  = 5 * time.Second
)

// ErrNone is when only the times are to change of an override that there is none of.
var ErrNone = errors.New("there is no override to change")

// ErrFull is when there are too many overrides for one more.
var ErrFull = errors.New("there are 4096 overrides")

// Open makes a Book of what the file has. One that is broken is set aside, with a line in the log: it must not
// keep an edge from starting.
func Open(o Options) *Book {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	b := &Book{opt: o}
	b.words = b.load(time.Now())
	return b
}

// Apply tells a pool what operators have said of its backends, before it is updated or used.
func (b *Book) Apply(p *balance.Pool, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for at, e := range b.words {
		if at.pool == p.Name() {
			e.see(p)
			p.SetOverride(at.backend, e.balance(now))
		}
	}
}

// see notes the row that p has of the backend; it is false if there is none.
func (e *entry) see(p *balance.Pool) bool {
	if p == nil {
		return false
	}
	row := p.Set().Find(e.Backend)
	if row != nil {
		e.row = row
	}
	return row != nil
}

// Set makes a change to the override of a backend that p has. An error means that nothing has changed.
func (b *Book) Set(p *balance.Pool, backend string, c Change, now time.Time) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	at := subject{p.Name(), backend}
	next := &entry{Word: Word{Pool: at.pool, Backend: backend}}
	if old := b.words[at]; old != nil {
		next.Word = old.Word
	} else if len(b.words) >= maxWords {
		return ErrFull
	}
	if err := next.change(c, now.Round(0)); err != nil { // without the clock that stops with the process
		return err
	}
	switch {
	case next.empty() && c.Weight == nil:
		return ErrNone
	case next.empty():
		b.dropLocked(at, p, "nothing is left of it")
		return nil
	}
	next.see(p)
	b.words[at] = next
	p.SetOverride(backend, next.balance(now))
	b.opt.Logger.Info("backend override", "pool", at.pool, "backend", backend, "state", next.State,
		"weight", next.Weight, "until", timeText(next.Until), "deadline", timeText(next.Deadline))
	return nil
}

func timeText(t time.Time) string {
	if t.IsZero() {
		return "none"
	}
	return t.UTC().Format(time.RFC3339)
}

// Drop takes an override back, if there is one. p is the pool, nil if the configuration does not have it.
func (b *Book) Drop(pool, backend string, p *balance.Pool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.dropLocked(subject{pool, backend}, p, "taken back")
}

func (b *Book) dropLocked(at subject, p *balance.Pool, why string) {
	if b.words[at] == nil {
		return
	}
	delete(b.words, at)
	if p != nil {
		p.SetOverride(at.backend, balance.Override{})
	}
	b.opt.Logger.Info("backend override ended", "pool", at.pool, "backend", at.backend, "reason", why)
}

// List is every word by pool and backend. The error is why they would not survive the process, if so.
func (b *Book) List() ([]Word, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.listLocked(), b.unsaved
}

func (b *Book) listLocked() []Word {
	list := make([]Word, 0, len(b.words))
	for e := range maps.Values(b.words) {
		list = append(list, e.Word)
	}
	slices.SortFunc(list, func(x, y Word) int {
		return cmp.Or(cmp.Compare(x.Pool, y.Pool), cmp.Compare(x.Backend, y.Backend))
	})
	return list
}
