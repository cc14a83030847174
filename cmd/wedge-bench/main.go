package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

// Exit codes: 1 = it went wrong, 2 = the call is wrong.
const (
	exitFailed = 1
	exitUsage  = 2
)

// usageError is a call that cannot be understood.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// subcommands run in processes of their own, so that their CPU time is their own.
var subcommands = map[string]func(ctx context.Context, args []string) error{
	"reverseproxy": reverseProxyCommand,
	"h3load":       h3Command,
	"handshakes":   handshakeCommand,
	"idle":         idleCommand,
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := run(ctx, os.Args[1:])
	code := exitCode(err)
	if code == 0 {
		return
	}
	fmt.Fprintln(os.Stderr, "wedge-bench:", err)
	stop()
	os.Exit(code)
}

// exitCode is 0 for help that was asked for.
func exitCode(err error) int {
	var usage usageError
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return 0
	case errors.As(err, &usage):
		return exitUsage
	}
	return exitFailed
}

func run(ctx context.Context, args []string) error {
	if len(args) > 0 {
		if sub, ok := subcommands[args[0]]; ok {
			return sub(ctx, args[1:])
		}
	}
	o, err := parseOptions(args)
	if err != nil {
		return err
	}
	return bench(ctx, o, os.Stdout, os.Stderr)
}
