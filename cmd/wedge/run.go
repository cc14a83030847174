package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/wedge-lb/wedge/edge"
	"github.com/wedge-lb/wedge/edge/config"
)

const defaultFile = "wedge.yaml"

func runCommand() *cobra.Command {
	var file string
	c := &cobra.Command{
		Use:     "run [-c wedge.yaml]",
		Short:   "Serve; SIGHUP reloads the file, SIGTERM drains and stops",
		Example: "  wedge run -c /etc/wedge/wedge.yaml",
		Args:    noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			conf, err := config.Load(file)
			if errors.Is(err, fs.ErrNotExist) && !c.Flags().Changed("config") {
				return fmt.Errorf("%w; name one with -c, or try wedge demo", err)
			}
			if err != nil {
				return err
			}
			load := func() (*config.Config, error) { return config.Load(file) }
			return serve(c.Context(), conf, edge.Options{Load: load})
		},
	}
	c.Flags().StringVarP(&file, "config", "c", defaultFile, "the configuration")
	return c
}

// serve runs an edge until ctx is done and lets SIGHUP reload it.
func serve(ctx context.Context, conf *config.Config, o edge.Options) error {
	o.Logger = logger(conf.Logging.Level)
	o.Version, o.Compiler = version(), compiler()
	s, err := edge.New(conf, o)
	if err != nil {
		return err
	}
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go reloadOn(ctx, hup, s, o.Logger, done)
	err = s.Run(ctx)
	cancel()
	<-done
	return err
}

func reloadOn(
	ctx context.Context, hup <-chan os.Signal, s *edge.Server, log *slog.Logger, done chan<- struct{},
) {
	defer close(done)
	for {
		select {
		case <-ctx.Done():
			return
		case <-hup:
			if err := s.Reload(ctx); err != nil {
				log.Error("reload refused", "error", err)
			}
		}
	}
}
