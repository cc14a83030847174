package plugin

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/wedge-lb/wedge/edge/balance"
)

// pause is how long Refresh and Close leave an instance that is in use alone.
const pause = 200 * time.Microsecond

// Refresh gives the table to one idle instance after the other, while the others serve. An instance that
// does not take it goes out of service, and Maintain makes another; the error is the first such refusal, or
// ctx's.
func (g *Guests) Refresh(ctx context.Context, s *balance.Set) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.set.Store(s)
	table := appendTable(nil, s)
	var first error
	for slot := range g.free.slots {
		if err := g.refreshLocked(ctx, slot, s, table); err != nil && first == nil {
			first = err
		}
	}
	return first
}

func (g *Guests) refreshLocked(ctx context.Context, slot int, s *balance.Set, table []byte) error {
	i, err := g.catchLocked(ctx, slot)
	if i == nil {
		return err
	}
	if i.set == s {
		g.free.give(i)
		return nil
	}
	fault := i.update(s, table)
	if fault == nil {
		g.free.give(i)
		return nil
	}
	g.discard(i)
	g.binding.Fault(fault)
	return fault
}

// catchLocked waits until the instance of a slot is idle and takes it; nil without an error if there is
// none.
func (g *Guests) catchLocked(ctx context.Context, slot int) (*instance, error) {
	var timer *time.Timer
	for {
		if i := g.free.takeFrom(slot); i != nil {
			return i, nil
		}
		if g.emptyLocked(slot) {
			return nil, nil
		}
		if timer == nil {
			timer = time.NewTimer(pause)
			defer timer.Stop()
		} else {
			timer.Reset(pause)
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("instance %d in use: %w", slot, ctx.Err())
		case <-timer.C:
		}
	}
}

// emptyLocked tells whether a slot has no instance, free or taken.
func (g *Guests) emptyLocked(slot int) bool {
	g.collectLocked()
	for _, m := range g.missing {
		if m == slot {
			return true
		}
	}
	return false
}

// collectLocked closes the instances that went out of service.
func (g *Guests) collectLocked() {
	g.broken.mu.Lock()
	gone := g.broken.instances
	g.broken.instances = nil
	g.broken.mu.Unlock()
	for _, i := range gone {
		g.missing = append(g.missing, i.slot)
		i.close()
	}
}

// Maintain puts new instances in the place of those that went out of service. The error is why one could
// not be made; the rest is left for the next call.
func (g *Guests) Maintain(ctx context.Context) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.collectLocked()
	g.free.narrow()
	if g.closed.Load() {
		return nil
	}
	return g.noted(g.fillLocked(ctx))
}

// noted tells who counts of a fault.
func (g *Guests) noted(err error) error {
	var fault *Fault
	if errors.As(err, &fault) {
		g.binding.Fault(fault)
	}
	return err
}

// Close lets no new pick begin, waits for those in progress and frees the instances. If ctx ends first it
// reports that, and may be called again.
func (g *Guests) Close(ctx context.Context) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed.Store(true)
	for slot := range g.free.slots {
		i, err := g.catchLocked(ctx, slot)
		if err != nil {
			return fmt.Errorf("close: %w", err)
		}
		if i != nil {
			g.missing = append(g.missing, slot)
			g.free.lose()
			i.close()
		}
	}
	return nil
}

// Memory is the bytes of all instances that are idle at the moment.
func (g *Guests) Memory() (bytes int64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for slot := range g.free.slots {
		if i := g.free.takeFrom(slot); i != nil {
			bytes += int64(i.module.Memory().Size())
			g.free.give(i)
		}
	}
	return bytes
}
