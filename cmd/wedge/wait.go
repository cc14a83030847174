package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/wedge-lb/wedge/edge/admin"
)

const (
	waitFor  = 10 * time.Minute // by --wait alone
	waitStep = 250 * time.Millisecond
)

// wait is for a backend that is taken out of service to have nothing left to do.
type wait struct {
	pins    bool // also for the pins to end, while the backend drains
	timeout time.Duration
}

func (w *wait) register(c *cobra.Command) {
	what := "nothing is in flight"
	c.Long = c.Short + ".\n\n--wait returns once nothing is in flight, streams such as WebSockets included; "
	if w.pins {
		what += " and no client is pinned"
		c.Long = c.Short + ".\n\n--wait returns once nothing is in flight, streams such as WebSockets " +
			"included, and no client\nis pinned any more: none has come back to the backend within the pool's " +
			"affinity.idle. After\na deadline pins are not waited for, as they are not served any more; "
	}
	c.Long += "when its time is over it\ntells what remains and exits with 1. The backend stays as it is then."
	c.Flags().DurationVar(&w.timeout, "wait", waitFor, "wait until "+what+", at most for this time")
	c.Flags().Lookup("wait").NoOptDefVal = waitFor.String()
}

// args is others for a command that may wait, w being nil if it may not: the time of --wait is to be one, and
// behind an equals sign.
func (w *wait) args(others cobra.PositionalArgs) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		err := others(c, args)
		if w == nil || !c.Flags().Changed("wait") {
			return err
		}
		if w.timeout <= 0 {
			return usageError{fmt.Errorf("--wait=%s: want a time, such as --wait=1m", w.timeout)}
		}
		for _, arg := range args {
			if _, other := time.ParseDuration(arg); err != nil && other == nil {
				return usageError{fmt.Errorf("--wait %s: write --wait=%s", arg, arg)}
			}
		}
		return err
	}
}

// until waits; b is what the backend was at first.
func (w *wait) until(ctx context.Context, client *admin.Client, pool string, b admin.Backend) (admin.Backend, error) {
	over := time.NewTimer(w.timeout)
	defer over.Stop()
	tick := time.NewTicker(waitStep)
	defer tick.Stop()
	for {
		if done, err := w.done(b); done || err != nil {
			return b, err
		}
		select {
		case <-ctx.Done():
			return b, fmt.Errorf("not waited to the end: %s", backendText(b))
		case <-over.C:
			return b, fmt.Errorf("after %s %s", w.timeout, backendText(b))
		case <-tick.C:
		}
		var err error
		if b, err = client.Backend(ctx, pool, b.ID); err != nil {
			return b, err
		}
	}
}

// done tells whether nothing is left to wait for. It is an error if the backend is in service again.
func (w *wait) done(b admin.Backend) (bool, error) {
	if !b.Override {
		return false, fmt.Errorf("%s: the override was taken back", backendText(b))
	}
	drains := b.State == "draining"
	return b.InFlight == 0 && (!w.pins || !drains || b.Pins == 0), nil
}

// lastWord is the name of a command by the words that call it.
func lastWord(path string) string { return path[strings.LastIndex(path, " ")+1:] }
