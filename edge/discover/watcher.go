package discover

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"time"
)

const maxPause = time.Hour // whatever a source's TTL says

// Options are for a Watcher.
type Options struct {
	Interval time.Duration // between two looks, at least; default 5s
	LookTime time.Duration // that one look may take; default 5s
	// Empty leaves no member when the source fails; else those that were last found stay.
	Empty bool
	Last  []Member // that were found before, by another Watcher; they count until a look succeeds
	// Changed hears, on the goroutine that looks, that the members have changed, and that Run begins.
	Changed func()
	Random  func() float64 // uniform in [0, 1); default: math/rand/v2
	Logger  *slog.Logger   // of changes, failures and their end; default: discard
}

func (o Options) withDefaults() Options {
	if o.Interval == 0 {
		o.Interval = 5 * time.Second
	}
	if o.LookTime == 0 {
		o.LookTime = 5 * time.Second
	}
	if o.Changed == nil {
		o.Changed = func() {}
	}
	if o.Random == nil {
		o.Random = rand.Float64
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Empty {
		o.Last = nil
	}
	return o
}

// A Watcher keeps what a Source says. Members and Stats are safe for concurrent use; Look and Run are not
// called at once.
type Watcher struct {
	source Source
	opt    Options
	pause  time.Duration // until the next look
	told   string        // the failure that was logged last; "" = none

	mu       sync.Mutex
	members  []Member // replaced, never changed
	found    bool     // by a look of this Watcher
	last     time.Time
	failures uint64
}

// NewWatcher makes a Watcher, which has looked at nothing yet.
func NewWatcher(s Source, o Options) *Watcher {
	o = o.withDefaults()
	return &Watcher{source: s, opt: o, members: ordered(o.Last)}
}

// Look asks the source once. An error is of the source, and is told and counted already, or of ctx.
func (w *Watcher) Look(ctx context.Context) error {
	bound, cancel := context.WithTimeout(ctx, w.opt.LookTime)
	f, err := w.source.Look(bound)
	cancel()
	if ctx.Err() != nil {
		return ctx.Err() // it says nothing of the source
	}
	w.pause = w.wait(f.TTL)
	before, after := w.note(f, err)
	w.tell(f, err, len(after))
	if !same(before, after) {
		joined, left := difference(before, after)
		w.opt.Logger.Info("backends found", "now", len(after), "joined", joined, "left", left)
		w.opt.Changed()
	}
	return err
}

// wait is the time to the next look: as long as the members are good for, within bounds, and up to a tenth
// more, so that not all pools look at once.
func (w *Watcher) wait(ttl time.Duration) time.Duration {
	d := min(max(ttl, w.opt.Interval), maxPause)
	return min(d+time.Duration(w.opt.Random()*float64(d)/10), maxPause)
}

// note keeps what a look has brought and tells the members before and after.
func (w *Watcher) note(f Finding, err error) (before, after []Member) {
	w.mu.Lock()
	defer w.mu.Unlock()
	before = w.members
	if err != nil || f.Missed != nil {
		w.failures++
	}
	switch {
	case err == nil:
		w.members, w.found, w.last = ordered(f.Members), true, time.Now()
	case w.opt.Empty:
		w.members, w.found = nil, false
	}
	return before, w.members
}

// tell logs a failure when it begins or becomes another, and its end.
func (w *Watcher) tell(f Finding, err error, members int) {
	text, message := "", "backends not found"
	if err != nil {
		text = err.Error()
	} else if f.Missed != nil {
		text, message = f.Missed.Error(), "backends found in part"
	}
	switch {
	case text == w.told:
		return
	case text != "":
		w.opt.Logger.Warn(message, "error", text, "now", members)
	default:
		w.opt.Logger.Info("backends found again", "now", members)
	}
	w.told = text
}

// difference counts the ids that b has beside a's, and those it has not.
func difference(a, b []Member) (joined, left int) {
	ids := make(map[string]bool, len(a))
	for _, m := range a {
		ids[m.ID] = true
	}
	for _, m := range b {
		if !ids[m.ID] {
			joined++
		}
		delete(ids, m.ID)
	}
	return joined, len(ids)
}

// Run looks until ctx ends.
func (w *Watcher) Run(ctx context.Context) error {
	w.opt.Changed()
	timer := time.NewTimer(w.pause)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
		}
		_ = w.Look(ctx) // it is told
		timer.Reset(w.pause)
	}
}

// Members are the backends by id, and whether a look has found them: else they are what was known before. The
// caller may keep them.
func (w *Watcher) Members() (members []Member, found bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.members), w.found
}

// Stats are what happened since NewWatcher.
type Stats struct {
	Members     int       // now
	LastSuccess time.Time // zero = there was none
	Failures    uint64    // looks that failed, wholly or in part
}

// Stats tells how the looks went.
func (w *Watcher) Stats() Stats {
	w.mu.Lock()
	defer w.mu.Unlock()
	return Stats{Members: len(w.members), LastSuccess: w.last, Failures: w.failures}
}
