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
	context.AfterFunc(ctx, stop) // who asks a second time does not want to wait for the drain
	c, err := command().ExecuteContextC(ctx)
	if err == nil {
		return
	}
	fmt.Fprintln(os.Stderr, "wedge:", err)
	if errors.As(err, new(usageError)) {
		fmt.Fprintf(os.Stderr, "see %s --help\n", c.CommandPath())
	}
	os.Exit(code(err))
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
		Example:       "  wedge demo\n  wedge proxy --to :9001 --to :9002\n  wedge run -c wedge.yaml",
		Version:       version(),
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.SetFlagErrorFunc(flagError)
	root.AddCommand(runCommand(), checkCommand(), proxyCommand(), demoCommand(), reloadCommand(),
		statusCommand(), strategyCommand(), backendCommand(), drainCommand("drain"), overridesCommand(),
		caCommand(), compileCommand())
	for _, c := range append(root.Commands(), root) {
		if c.HasSubCommands() {
			c.Args, c.RunE = subcommand, func(c *cobra.Command, _ []string) error { return c.Help() }
		}
	}
	return root
}

// flagError is a usage error. Before a command that there is none of, its flags are not to blame.
func flagError(c *cobra.Command, err error) error {
	if c.HasSubCommands() {
		if unknown := subcommand(c, c.Flags().Args()); unknown != nil {
			return unknown
		}
	}
	return usageError{err}
}

// subcommand refuses what is none of c's commands.
func subcommand(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	err := fmt.Errorf("unknown command %q for %q", args[0], c.CommandPath())
	c.SuggestionsMinimumDistance = 2 // cobra's own default, which it sets where it uses it alone
	if like := c.SuggestionsFor(args[0]); len(like) > 0 {
		err = fmt.Errorf("%w; did you mean %q?", err, like[0])
	}
	return usageError{err}
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
func noArgs(c *cobra.Command, args []string) error { return atMost(0)(c, args) }

// atMost is cobra.MaximumNArgs as a usage error.
func atMost(n int) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) > n {
			return usageError{fmt.Errorf("%q is too much: %s", args[n], c.UseLine())}
		}
		return nil
	}
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
