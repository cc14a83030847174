package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/wedge-lb/wedge/edge/admin"
)

func backendCommand() *cobra.Command {
	c := &cobra.Command{
		Use:     "backend",
		Short:   "Take a backend out of service, or back into it",
		Example: "  wedge backend drain shop shop-1\n  wedge backend configured shop shop-1",
	}
	c.AddCommand(
		stateCommand("drain", admin.StateDrain, "Send a backend no requests but those pinned to it"),
		stateCommand("maint", admin.StateMaintenance, "Send a backend no requests"),
		stateCommand("ready", admin.StateReady, "Send a backend requests, whatever the configuration says"),
		stateCommand("configured", admin.StateConfigured, "Let the configuration say the state again"),
	)
	return c
}

func stateCommand(name, state, short string) *cobra.Command {
	var f adminFlags
	c := &cobra.Command{
		Use:     name + " POOL BACKEND",
		Short:   short,
		Example: "  wedge backend " + name + " shop shop-1",
		Args:    exactArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			return f.call(func(client *admin.Client) error {
				b, err := client.SetState(c.Context(), args[0], args[1], state)
				if err != nil {
					return err
				}
				return f.print(c.OutOrStdout(), b, func(w io.Writer) {
					fmt.Fprintf(w, "%s is %s, %d requests in flight\n", b.ID, stateText(b), b.InFlight)
				})
			})
		},
	}
	f.register(c)
	return c
}
