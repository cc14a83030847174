package listen

import (
	"sync"
	"time"
)

// A watch calls late when something takes longer than it may. Its timer is left running over many short waits
// and set again only when it fires. It is for streams, whose own deadlines end more than the wait.
type watch struct {
	// late is called with mu held; it gives how much longer to wait, or 0 once it has ended the wait.
	late func(waited time.Duration) (more time.Duration)

	mu    sync.Mutex
	timer *time.Timer
	at    time.Time // when the timer fires; zero = it does not run
	begun time.Time // zero = nothing is watched
	due   time.Time
}

// begin watches something that may take d. The fields above must be set.
func (w *watch) begin(now time.Time, d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.begun, w.due = now, now.Add(d)
	switch {
	case w.timer == nil:
		w.timer = time.AfterFunc(d, w.fire)
	case w.at.IsZero() || w.due.Before(w.at):
		w.timer.Reset(d)
	default:
		return
	}
	w.at = w.due
}

// end gives how long it took.
func (w *watch) end() time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	waited := time.Since(w.begun)
	w.begun = time.Time{}
	return waited
}

// fire may come too early, for a wait that is over.
func (w *watch) fire() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.at = time.Time{}
	if w.begun.IsZero() {
		return
	}
	now := time.Now()
	left := w.due.Sub(now)
	if left <= 0 {
		left = w.late(now.Sub(w.begun))
		w.due = now.Add(left)
	}
	if left > 0 {
		w.timer.Reset(left)
		w.at = w.due
	}
}

var longAgo = time.Unix(1, 0)
