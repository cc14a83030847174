package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/wedge-lb/wedge/edge/admin"
)

func reloadCommand() *cobra.Command {
	f := adminFlags{sound: true}
	c := &cobra.Command{
		Use:     "reload",
		Short:   "Make the running edge read its configuration again; a refused one changes nothing",
		Example: "  wedge reload -c wedge.yaml",
		Args:    noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return f.call(func(client *admin.Client) error {
				st, err := client.Reload(c.Context())
				if err != nil {
					return err
				}
				return f.print(c.OutOrStdout(), st, func(w io.Writer) {
					fmt.Fprintf(w, "configuration taken: generation %d\n", st.Generation)
				})
			})
		},
	}
	f.register(c)
	return c
}
