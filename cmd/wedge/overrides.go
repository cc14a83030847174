package main

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/wedge-lb/wedge/edge/admin"
)

func overridesCommand() *cobra.Command {
	var f adminFlags
	c := &cobra.Command{
		Use:   "overrides",
		Short: "List what operators have said of backends, and until when",
		Long: "List what operators have said of backends, and until when. An override stands before the\n" +
			"configuration, survives a reload and a restart, and ends by itself if it was given a time to live.\n" +
			"wedge backend configured takes it back.",
		Example: "  wedge overrides\n  wedge overrides -o json",
		Args:    noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return f.call(func(client *admin.Client) error {
				list, err := client.Overrides(c.Context())
				if err != nil {
					return err
				}
				return f.print(c.OutOrStdout(), list, func(w io.Writer) { overridesText(w, list) })
			})
		},
	}
	f.register(c)
	return c
}

func overridesText(w io.Writer, list []admin.Override) {
	if len(list) == 0 {
		fmt.Fprintln(w, "none")
		return
	}
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	defer tw.Flush()
	fmt.Fprint(tw, "POOL\tBACKEND\tSTATE\tWEIGHT\tSINCE\tUNTIL\tDEADLINE\tNOTE\n")
	for _, o := range list {
		weight := ""
		if o.Weight > 0 {
			weight = fmt.Sprint(o.Weight)
		}
		fmt.Fprintf(tw, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", o.Pool, o.Backend, orDash(o.State), orDash(weight),
			timeText(o.Since), timeText(o.Until), timeText(o.Deadline), orDash(overrideNote(o)))
	}
}

func overrideNote(o admin.Override) string {
	switch {
	case o.Unsaved != "":
		return "not saved: " + o.Unsaved
	case !o.Known:
		return "not in the configuration"
	}
	return ""
}

func timeText(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.Local().Format(time.RFC3339)
}
