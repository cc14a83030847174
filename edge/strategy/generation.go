package strategy

import (
	"context"
	"errors"
	"time"

	"github.com/wedge-lb/wedge/edge/balance"
	"github.com/wedge-lb/wedge/edge/plugin"
)

// A generation is one module and its guests for each pool. It holds one reference to each.
type generation struct {
	number int
	spec   Spec // without Wasm
	code   *code
	guests map[*balance.Pool]*guests
}

// code is a compiled module that generations and guests share. It is closed when the last reference goes.
type code struct {
	module *plugin.Module
	refs   int // guarded by Strategy.mu
}

// guests are the instances for one pool, shared by a generation and the candidates made beside it.
type guests struct {
	*plugin.Guests
	pool   *balance.Pool
	code   *code
	secret [16]byte
	refs   int // guarded by Strategy.mu

	// Of Run alone: when instances that could not be replaced are tried again.
	pause time.Duration
	again time.Time
}

// releaseLocked gives back the references of a generation; what nobody holds any more is left to reap.
func (s *Strategy) releaseLocked(g *generation) {
	for _, held := range g.guests {
		if held.refs--; held.refs == 0 {
			s.retired = append(s.retired, held)
		}
	}
	if g.code != nil {
		if g.code.refs--; g.code.refs == 0 {
			s.retired = append(s.retired, &guests{code: g.code}) // no guests, only the module to close
		}
	}
}

// reap closes what was retired, as far as its picks have ended; the error is of what has to wait.
func (s *Strategy) reap(ctx context.Context) error {
	s.mu.Lock()
	retired := s.retired
	s.retired = nil
	s.mu.Unlock()
	var errs []error
	for _, g := range retired {
		if g.Guests != nil {
			if err := g.Close(ctx); err != nil {
				errs = append(errs, err)
				s.mu.Lock()
				s.retired = append(s.retired, g)
				s.mu.Unlock()
				continue
			}
			s.dropCode(g.code)
			continue
		}
		errs = append(errs, g.code.module.Close(ctx))
	}
	return errors.Join(errs...)
}

// dropCode gives back the reference that guests had to their module.
func (s *Strategy) dropCode(c *code) {
	s.mu.Lock()
	c.refs--
	last := c.refs == 0
	s.mu.Unlock()
	if last {
		_ = c.module.Close(context.Background())
	}
}
