package main

import (
	"github.com/spf13/cobra"

	"github.com/wedge-lb/wedge/edge/admin"
)

func caCommand() *cobra.Command {
	var f adminFlags
	c := &cobra.Command{
		Use:     "ca",
		Short:   "Print the root certificate of the local CA (tls: internal), for trust stores",
		Example: "  wedge ca > wedge-root.pem",
		Args:    noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return f.call(func(client *admin.Client) error {
				pem, err := client.Authority(c.Context())
				if err != nil {
					return err
				}
				_, err = c.OutOrStdout().Write(pem)
				return err
			})
		},
	}
	f.register(c)
	return c
}
