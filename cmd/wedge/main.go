// Command wedge is a load balancer for the network edge whose strategies are sandboxed WebAssembly modules.
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/wedge-lb/wedge/edge/config"
)

// Exit codes: 1 = it went wrong, 2 = the call or the configuration is wrong.
const (
	exitFailed = 1
	exitUsage  = 2
)

// usageError is a call that cannot be understood.
type usageError struct{ error }

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := command().ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "wedge:", err)
		stop()
		os.Exit(code(err))
	}
}

func code(err error) int {
	var faults config.Faults
	var fault config.Fault
	var usage usageError
	if errors.As(err, &faults) || errors.As(err, &fault) || errors.As(err, &usage) {
		return exitUsage
	}
	return exitFailed
}

func command() *cobra.Command {
	root := &cobra.Command{
		Use:           "wedge",
		Short:         "A load balancer for the network edge with sandboxed WebAssembly strategies",
		Version:       version(),
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return usageError{fmt.Errorf("%w (see %s --help)", err, c.CommandPath())}
	})
	root.AddCommand(runCommand(), checkCommand(), proxyCommand(), demoCommand(), reloadCommand(),
		statusCommand(), strategyCommand(), backendCommand(), caCommand())
	return root
}

func version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}

// logger writes to standard error from the level named on.
func logger(level string) *slog.Logger {
	var l slog.Level
	if l.UnmarshalText([]byte(level)) != nil {
		l = slog.LevelInfo
	}
	return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: l}))
}

// noArgs is cobra.NoArgs as a usage error.
func noArgs(c *cobra.Command, args []string) error {
	if err := cobra.NoArgs(c, args); err != nil {
		return usageError{err}
	}
	return nil
}

// exactArgs is cobra.ExactArgs as a usage error that names what is missing.
func exactArgs(n int) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) != n {
			return usageError{fmt.Errorf("usage: %s", c.UseLine())}
		}
		return nil
	}
}
