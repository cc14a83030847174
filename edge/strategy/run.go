package strategy

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"time"
)

// How often Run looks by itself, and how long it leaves instances that could not be replaced.
const (
	idleTime   = 10 * time.Second
	firstRetry = 100 * time.Millisecond
	lastRetry  = 30 * time.Second
)

// Run does what must not be done while a client waits, until ctx ends: it gives the guests the tables of
// their pools when those change, replaces broken instances, closes old generations when their picks have
// ended, and lifts a quarantine. The strategy serves on when Run has returned; Close ends that.
func (s *Strategy) Run(ctx context.Context) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-s.wake:
		case <-timer.C:
		}
		timer.Reset(s.work(ctx))
	}
}

// work does what there is and tells how long it may be until the next time.
func (s *Strategy) work(ctx context.Context) time.Duration {
	now := s.deps.Now()
	next := idleTime
	if lifted, end := s.outage.lift(now); lifted {
		s.deps.Logger.Info("strategy out of quarantine", slog.String("strategy", s.name))
	} else if !end.IsZero() {
		next = min(next, end.Sub(now))
	}
	for _, g := range s.hold() {
		next = min(next, s.tend(ctx, g, now))
	}
	reaping, cancel := context.WithTimeout(ctx, reapTime)
	defer cancel()
	if s.reap(reaping) != nil {
		next = min(next, reapTime)
	}
	return max(next, time.Millisecond)
}

// hold lists the guests that serve. Only Run tends guests, and it alone closes those that a Commit retires
// meanwhile or leaves them to a closer that takes turns with it.
func (s *Strategy) hold() []*guests {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.current == nil {
		return nil
	}
	return slices.Collect(maps.Values(s.current.guests))
}

// tend keeps the guests of one pool in order, and tells when it wants to be called again.
func (s *Strategy) tend(ctx context.Context, g *guests, now time.Time) time.Duration {
	if set := g.pool.Set(); set != g.Set() {
		if err := g.Refresh(ctx, set); err != nil {
			s.complain("table not taken", g, err)
		}
		g.pause, g.again = 0, time.Time{}
	}
	if now.Before(g.again) {
		return g.again.Sub(now)
	}
	if err := g.Maintain(ctx); err != nil {
		g.pause = min(max(2*g.pause, firstRetry), lastRetry)
		g.again = now.Add(g.pause)
		s.complain("instance not replaced", g, err)
		return g.pause
	}
	g.pause, g.again = 0, time.Time{}
	return idleTime
}

func (s *Strategy) complain(what string, g *guests, err error) {
	s.deps.Logger.Warn(what, slog.String("strategy", s.name), slog.String("pool", g.pool.Name()),
		slog.Any("error", err))
}

// Close takes the strategy out of service and frees it, once the picks in progress have ended or ctx has.
// Run must have returned.
func (s *Strategy) Close(ctx context.Context) error {
	s.mu.Lock()
	if old := s.current; old != nil {
		s.current = nil
		for _, h := range s.handles {
			h.serving.Store(nil)
		}
		s.releaseLocked(old)
		s.unwatchLocked(old)
	}
	s.mu.Unlock()
	return s.reap(ctx)
}
