package edge

import (
	"context"
	"errors"
	"time"
)

// ErrClosed is when a Server that ends or has ended is to be changed.
var ErrClosed = errors.New("the edge is stopping")

// ErrBusy is when another change takes too long to wait for: a plugin that does not return from configure, say.
var ErrBusy = errors.New("another change is in progress; try again once it is done")

// turnTime is how long a change waits for the one before it.
const turnTime = 5 * time.Second

// A turn lets one change of the Server happen at a time. Who waits for it gives up when its context ends, when
// the Server does, or after turnTime: a change that hangs must not take others with it.
type turn struct {
	taken chan struct{} // holds a value while somebody's turn is on
	over  chan struct{} // closed when the Server ends
}

func newTurn() turn { return turn{make(chan struct{}, 1), make(chan struct{})} }

// take begins a turn; give ends it.
func (t turn) take(ctx context.Context) error {
	patience := time.NewTimer(turnTime)
	defer patience.Stop()
	select {
	case <-t.over:
		return ErrClosed
	default:
	}
	select {
	case t.taken <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-t.over:
		return ErrClosed
	case <-patience.C:
		return ErrBusy
	}
}

func (t turn) give() { <-t.taken }

// takeLast begins the Server's last turn, which nobody can follow. It is false if d passed first.
func (t turn) takeLast(d time.Duration) bool {
	close(t.over)
	patience := time.NewTimer(d)
	defer patience.Stop()
	select {
	case t.taken <- struct{}{}:
		return true
	case <-patience.C:
		return false
	}
}
