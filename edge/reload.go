package edge

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/wedge-lb/wedge/edge/admin"
	"github.com/wedge-lb/wedge/edge/config"
)

// ErrNoFile is when a Server was not started from a file that could be read again.
var ErrNoFile = errors.New("this edge was not started from a file: nothing to reload")

// Reload reads the configuration again and serves by it. A configuration that is refused changes nothing. What
// is the same by identity keeps its sockets, connections, counters, health and pins.
func (s *Server) Reload(ctx context.Context) error {
	err := s.reload(ctx)
	s.metrics.Reloaded(err == nil)
	note := &admin.Reload{At: time.Now(), OK: err == nil}
	if err != nil {
		note.Error = err.Error()
	}
	s.lastReload.Store(note)
	return err
}

func (s *Server) reload(ctx context.Context) error {
	if s.opt.Load == nil {
		return ErrNoFile
	}
	c, err := s.opt.Load()
	if err != nil {
		return err
	}
	if err := s.change.take(ctx); err != nil {
		return err
	}
	defer s.change.give()
	if err := s.fixed(c); err != nil {
		return err
	}
	g, err := s.plan(ctx, c)
	if err != nil {
		return err
	}
	if err := g.open(); err != nil {
		g.discard()
		return err
	}
	g.loadSessions()
	if !s.replace(g) {
		g.discard()
		return ErrClosed
	}
	s.log.Info("configuration taken")
	return nil
}

// fixed refuses what a running edge cannot change.
func (s *Server) fixed(c *config.Config) error {
	var faults []error
	if c.StateDir != s.file.StateDir {
		faults = append(faults, c.Fault("state_dir", "cannot change while the edge runs; restart"))
	}
	if c.Admin != s.file.Admin {
		faults = append(faults, c.Fault("admin", "cannot change while the edge runs; restart"))
	}
	if c.Logging.Level != s.file.Logging.Level || c.Logging.Access.Output != s.file.Logging.Access.Output ||
		c.Logging.Access.Format != s.file.Logging.Access.Format {
		faults = append(faults, c.Fault("logging", "cannot change while the edge runs; restart"))
	}
	return errors.Join(faults...)
}

// replace takes g into service, starts what is new and ends what it does not have any more. It is false, and
// nothing has changed, if the Server has begun to drain.
func (s *Server) replace(g *generation) bool {
	old, watched := s.conf, s.discovered
	known := make(map[string]bool, len(s.strategies))
	for name := range s.strategies {
		known[name] = true
	}
	if !s.take(g) {
		return false
	}
	for name, t := range s.strategies {
		switch {
		case !known[name]:
			s.tasks.start("strategy "+name, t.Run)
		case g.candidates[name] == nil:
			s.retire(name)
		}
	}
	s.changeDiscovery(watched)
	s.dropPools(g)
	s.sessions.retain(g)
	s.metrics.Retain(g.mark)
	s.changeDoors(g, old)
	return true
}

// dropPools forgets the pools that the configuration has no more.
func (s *Server) dropPools(g *generation) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name := range s.pools {
		if g.pools[name] == nil {
			delete(s.pools, name)
			delete(s.affinities, name)
			s.upstream.Remove(name)
		}
	}
}

// retire ends a strategy that the configuration has no more.
func (s *Server) retire(name string) {
	s.mu.Lock()
	t := s.strategies[name]
	delete(s.strategies, name)
	delete(s.swapped, name)
	s.mu.Unlock()
	s.tasks.end("strategy " + name)
	ctx, cancel := context.WithTimeout(context.Background(), closeTime)
	defer cancel()
	if err := t.Close(ctx); err != nil {
		s.log.Warn("strategy not freed", "strategy", name, "error", err)
	}
}

// changeDoors opens the new doors, drains those that are not wanted any more, and sets the limits of all.
func (s *Server) changeDoors(g *generation, old *config.Config) {
	for _, d := range g.opened {
		s.log.Info("listening", "address", d.tcp.Addr().String(), "tls", d.secure)
		d.serve(s.fail)
	}
	wanted := map[place]bool{}
	for _, p := range places(g.conf) {
		wanted[p] = true
	}
	for p, d := range s.doors {
		if wanted[p] {
			d.server.SetLimits(limits(g.conf))
			d.server.SetProxies(proxies(g.conf))
			continue
		}
		s.mu.Lock()
		delete(s.doors, p)
		s.mu.Unlock()
		s.drained++
		name := fmt.Sprintf("drain %s %d", p.address, s.drained)
		s.tasks.start(name, func(ctx context.Context) error { return s.drainDoor(ctx, d, old) })
	}
}

// drainDoor ends a door that a reload closed, beside those that serve.
func (s *Server) drainDoor(ctx context.Context, d *door, old *config.Config) error {
	ctx, cancel := context.WithTimeout(ctx, old.Server.DrainTimeout)
	defer cancel()
	if err := d.shutdown(ctx); err != nil {
		s.log.Warn("requests cut at the end of the drain time", "address", d.address)
	}
	return nil
}
