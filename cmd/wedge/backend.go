package main

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/wedge-lb/wedge/edge/admin"
)

func backendCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "backend",
		Short: "Take a backend out of service, or back into it",
		Example: "  wedge backend drain shop shop-1 --wait\n  wedge backend weight shop shop-1 5\n" +
			"  wedge backend configured shop shop-1",
	}
	c.AddCommand(drainCommand("backend drain"), maintCommand(), readyCommand(), weightCommand(),
		configuredCommand())
	return c
}

// drainCommand is at two places; path is the one it has here.
func drainCommand(path string) *cobra.Command {
	w := wait{pins: true}
	return stateCommand(path, admin.StateDrain, "Send a backend no requests but those pinned to it", &w)
}

func maintCommand() *cobra.Command {
	return stateCommand("backend maint", admin.StateMaintenance, "Send a backend no requests", &wait{})
}

func readyCommand() *cobra.Command {
	return stateCommand("backend ready", admin.StateReady,
		"Send a backend requests, whatever the configuration says", nil)
}

func configuredCommand() *cobra.Command {
	return changeCommand("backend configured", "Let the configuration say state and weight again",
		func(*cobra.Command) (admin.Change, error) { return admin.Change{State: admin.StateConfigured}, nil }, nil)
}

// A changeFunc makes the change that flags ask for.
type changeFunc func(c *cobra.Command) (admin.Change, error)

// stateCommand asks for a state; one that ends takes a deadline, and w says what to wait for.
func stateCommand(path, state, short string, w *wait) *cobra.Command {
	var ttl, deadline time.Duration
	change := func(c *cobra.Command) (admin.Change, error) {
		change := admin.Change{State: state, TTL: ttl}
		if c.Flags().Changed("ttl") && ttl <= 0 {
			return change, usageError{fmt.Errorf("--ttl %s: want 1s or more", ttl)}
		}
		if w != nil && c.Flags().Changed("deadline") {
			change.Deadline = &deadline
		}
		return change, nil
	}
	c := changeCommand(path, short, change, w)
	c.Flags().DurationVar(&ttl, "ttl", 0, "take the override back after this time (default: when you do)")
	if w == nil {
		return c
	}
	c.Flags().DurationVar(&deadline, "deadline", 0,
		"end the requests and streams that are left after this time (default: they need not end)")
	w.register(c)
	c.Example += fmt.Sprintf("\n  wedge %s shop shop-1 --ttl 1h --deadline 30s --wait=1m", path)
	return c
}

func weightCommand() *cobra.Command {
	var f adminFlags
	var ttl time.Duration
	c := &cobra.Command{
		Use:     "weight POOL BACKEND WEIGHT",
		Short:   "Give a backend another share of the new requests; 0 = the configured one",
		Example: "  wedge backend weight shop shop-1 5 --ttl 1h",
		Args:    exactArgs(3),
		RunE: func(c *cobra.Command, args []string) error {
			n, err := strconv.ParseUint(args[2], 10, 32)
			if err != nil {
				return usageError{fmt.Errorf("%q: want a number up to 1000", args[2])}
			}
			weight := uint32(n)
			change := admin.Change{Weight: &weight, TTL: ttl}
			return f.call(func(client *admin.Client) error {
				b, err := client.Override(c.Context(), args[0], args[1], change)
				if err != nil {
					return err
				}
				return f.print(c.OutOrStdout(), b, func(w io.Writer) {
					fmt.Fprintf(w, "%s has weight %d\n", b.ID, b.Weight)
				})
			})
		},
	}
	f.register(c)
	c.Flags().DurationVar(&ttl, "ttl", 0, "take the override back after this time (default: when you do)")
	c.SetFlagErrorFunc(weightFlagError)
	return c
}

// weightFlagError is flagError, but what begins like a number is meant as one.
func weightFlagError(c *cobra.Command, err error) error {
	var unknown interface{ GetSpecifiedShortnames() string }
	if errors.As(err, &unknown) {
		if text := unknown.GetSpecifiedShortnames(); text != "" && text[0] >= '0' && text[0] <= '9' {
			return usageError{fmt.Errorf("\"-%s\": want a number up to 1000", text)}
		}
	}
	return flagError(c, err)
}

// changeCommand makes a change to one backend and tells what it is then; w, if it is not nil, may wait.
func changeCommand(path, short string, change changeFunc, w *wait) *cobra.Command {
	var f adminFlags
	c := &cobra.Command{
		Use:     lastWord(path) + " POOL BACKEND",
		Short:   short,
		Example: fmt.Sprintf("  wedge %s shop shop-1", path),
		Args:    w.args(exactArgs(2)),
		RunE: func(c *cobra.Command, args []string) error {
			wanted, err := change(c)
			if err != nil {
				return err
			}
			return f.call(func(client *admin.Client) error {
				b, err := client.Override(c.Context(), args[0], args[1], wanted)
				if err == nil && w != nil && c.Flags().Changed("wait") {
					b, err = w.until(c.Context(), client, args[0], b)
				}
				if err != nil {
					return err
				}
				return f.print(c.OutOrStdout(), b, func(w io.Writer) { fmt.Fprintln(w, backendText(b)) })
			})
		},
	}
	f.register(c)
	return c
}

func backendText(b admin.Backend) string {
	return fmt.Sprintf("%s is %s, %s", b.ID, stateText(b), remaining(b))
}

// remaining tells what a backend is doing, streams being WebSockets, events and the like.
func remaining(b admin.Backend) string {
	return fmt.Sprintf("%d requests and streams in flight, %d clients pinned", b.InFlight, b.Pins)
}
