package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/wedge-lb/wedge/edge/admin"
)

// overview is what wedge status shows.
type overview struct {
	Status       admin.Status        `json:"status"`
	Pools        []admin.Pool        `json:"pools"`
	Strategies   []admin.Strategy    `json:"strategies"`
	Certificates []admin.Certificate `json:"certificates"`
}

func statusCommand() *cobra.Command {
	var f adminFlags
	c := &cobra.Command{
		Use:     "status",
		Short:   "Show what runs: listeners, pools, strategies, certificates",
		Example: "  wedge status\n  wedge status -o json",
		Args:    noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return f.call(func(client *admin.Client) error {
				o, err := look(c.Context(), client)
				if err != nil {
					return err
				}
				return f.print(c.OutOrStdout(), o, o.text)
			})
		},
	}
	f.register(c)
	return c
}

func look(ctx context.Context, client *admin.Client) (o overview, err error) {
	if o.Status, err = client.Status(ctx); err != nil {
		return o, err
	}
	if o.Pools, err = client.Pools(ctx); err != nil {
		return o, err
	}
	if o.Strategies, err = client.Strategies(ctx); err != nil {
		return o, err
	}
	o.Certificates, err = client.Certificates(ctx)
	return o, err
}

func (o overview) text(w io.Writer) {
	st := o.Status
	state := "ready"
	if !st.Ready {
		state = st.NotReady
	}
	fmt.Fprintf(w, "wedge %s, pid %d, %s, up %s, configuration %d\n", st.Version, st.PID, state,
		time.Since(st.Started).Round(time.Second), st.Generation)
	if r := st.LastReload; r != nil && !r.OK {
		fmt.Fprintf(w, "last reload refused at %s: %s\n", r.At.Format(time.RFC3339), r.Error)
	}
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	defer tw.Flush()
	fmt.Fprint(tw, "\nLISTENER\tPROTOCOLS\tCONNECTIONS\n")
	for _, l := range st.Listeners {
		fmt.Fprintf(tw, "%s %s\t%s\t%d\n", l.Network, l.Address, strings.Join(l.Protocols, ", "), l.Connections)
	}
	fmt.Fprint(tw, "\nPOOL\tBACKEND\tADDRESS\tWEIGHT\tSTATE\tIN FLIGHT\tPINS\tLATENCY\n")
	for _, p := range o.Pools {
		for _, b := range p.Backends {
			fmt.Fprintf(tw, "%s\t%s\t%s\t%d\t%s\t%d\t%d\t%s\n",
				p.Name, b.ID, b.Address, b.Weight, stateText(b), b.InFlight, b.Pins,
				time.Duration(b.LatencyNS).Round(time.Microsecond))
		}
	}
	strategiesText(tw, o.Strategies)
	if len(o.Certificates) > 0 {
		fmt.Fprint(tw, "\nCERTIFICATE\tSOURCE\tISSUER\tUNTIL\n")
	}
	for _, c := range o.Certificates {
		until := c.Error
		if !c.NotAfter.IsZero() {
			until = c.NotAfter.Format(time.RFC3339)
		}
		fmt.Fprintf(tw, "%s\t%s\t%s\t%s\n", strings.Join(c.Names, ", "), c.Source, c.Issuer, until)
	}
}

// stateText tells a backend's state and whose word it is.
func stateText(b admin.Backend) string {
	var why []string
	for _, w := range []struct {
		on   bool
		name string
	}{{b.Override, "operator"}, {b.Down, "probes"}, {b.Ejected, "ejected"}} {
		if w.on {
			why = append(why, w.name)
		}
	}
	if len(why) == 0 {
		return b.State
	}
	return b.State + " (" + strings.Join(why, ", ") + ")"
}

func strategiesText(w io.Writer, list []admin.Strategy) {
	fmt.Fprint(w, "\nSTRATEGY\tUSE\tOPTIONS\tGENERATION\tSTATE\tFAULTS\tFUEL\tSEES\n")
	for _, s := range list {
		var faults []string
		for kind, n := range s.Faults {
			faults = append(faults, fmt.Sprintf("%s %d", kind, n))
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%s\t%s\t%d, most %d\t%s\n", s.Name, s.Use, oneLine(s.Options), s.Generation,
			s.State, orDash(strings.Join(faults, ", ")), s.FuelMean, s.FuelMost,
			orDash(strings.Join(s.Attributes, ", ")))
		if s.LastFault != "" {
			fmt.Fprintf(w, "\tlast fault: %s\n", s.LastFault)
		}
	}
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
