package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/wedge-lb/wedge/edge"
	"github.com/wedge-lb/wedge/edge/config"
)

func checkCommand() *cobra.Command {
	var file string
	c := &cobra.Command{
		Use:     "check [-c wedge.yaml]",
		Short:   "Tell every fault of a configuration; compiles its plugins and tries their options",
		Example: "  wedge check -c wedge.yaml",
		Args:    noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			conf, err := config.Load(file)
			if err != nil {
				return err
			}
			if err := edge.CheckWith(c.Context(), conf, edge.Options{Compiler: compiler()}); err != nil {
				return err
			}
			fmt.Fprintf(c.OutOrStdout(), "%s: ok\n", file)
			return nil
		},
	}
	c.Flags().StringVarP(&file, "config", "c", defaultFile, "the configuration")
	return c
}
