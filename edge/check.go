package edge

import (
	"context"
	"errors"
	"os"
	"path/filepath"

	"github.com/wedge-lb/wedge/edge/config"
	"github.com/wedge-lb/wedge/edge/plugin"
)

// Check tells every fault of c that can be found without serving: plugins are compiled and configured with their
// options, certificates' files and client authorities are read. It writes to a directory of its own and binds no
// socket.
func Check(ctx context.Context, c *config.Config) error { return CheckWith(ctx, c, Options{}) }

// CheckWith is Check with the Compiler of o.
func CheckWith(ctx context.Context, c *config.Config, o Options) (err error) {
	dir, err := os.MkdirTemp("", "wedge-check-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	trial := *c
	trial.StateDir = config.Dir(dir)
	trial.Logging.Access.Format = "off"
	s, err := build(&trial, Options{Compiler: o.Compiler})
	if err != nil {
		return err
	}
	s.trial = true
	s.library = plugin.ReadLibrary(filepath.Join(string(c.StateDir), library))
	g, err := s.plan(ctx, &trial)
	if err == nil {
		g.discard()
	}
	return errors.Join(err, s.release(ctx))
}
