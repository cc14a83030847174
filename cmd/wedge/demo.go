package main

import (
	"time"

	"github.com/spf13/cobra"

	"github.com/wedge-lb/wedge/edge/demo"
)

func demoCommand() *cobra.Command {
	var length time.Duration
	var verbose bool
	c := &cobra.Command{
		Use:   "demo",
		Short: "Three backends, TLS, h1/h2/h3 and some traffic; swaps the strategy twice",
		Long: "Runs three small backends and an edge before them on free ports of this machine, with\n" +
			"certificates of a local CA, sends light traffic over h1, h2 and h3, and swaps the strategy\n" +
			"while it flows. It needs nothing and leaves nothing. With --for it stops by itself, and fails\n" +
			"if a request failed; without, or with --for 0, it runs until it is interrupted.",
		Example: "  wedge demo --for 10s",
		Args:    noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			level := "error"
			if verbose {
				level = "debug"
			}
			return demo.Run(c.Context(), demo.Options{
				For: length, Out: c.OutOrStdout(), Logger: logger(level), Compiler: compiler(),
			})
		},
	}
	c.Flags().DurationVar(&length, "for", 0, "stop after this time; 0 = run until interrupted")
	c.Flags().BoolVarP(&verbose, "verbose", "v", false, "log what the edge does")
	return c
}
