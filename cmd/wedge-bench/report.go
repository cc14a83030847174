package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// A report is all that a run has to say.
type report struct {
	Machine   machine    `json:"machine"`
	Rounds    int        `json:"rounds"`
	Window    float64    `json:"window_seconds"`
	Scenarios []*outcome `json:"scenarios"`
}

func (r *report) writeJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(r)
}

func (r *report) writeHead(w io.Writer) {
	fmt.Fprintf(w, "%s, %d processors, %s\n", r.Machine.Model, r.Machine.Processors, r.Machine.Kernel)
	fmt.Fprintf(w, "medians, rounds: %d, each %.1fs; ratio: the edge's cost divided by that of the row\n",
		r.Rounds, r.Window)
}

// noisy is the share of the proxy's processor that, used by others, is worth a word.
const noisy = 0.05

// write prints a scenario as a table.
func (o *outcome) write(w io.Writer) {
	fmt.Fprintf(w, "\n%s  %s\n", o.Letter, o.Title)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, strings.Join(o.columns(), "\t")+"\t")
	for _, e := range o.Entries {
		fmt.Fprintln(t, strings.Join(o.cells(e), "\t")+"\t")
	}
	t.Flush()
	for _, n := range o.notes() {
		fmt.Fprintln(w, "  "+n)
	}
}

func (o *outcome) memory() bool {
	return len(o.Entries) > 0 && o.Entries[0].Median.Memory > 0
}

func (o *outcome) columns() []string {
	if o.memory() {
		return []string{"", "KiB/connection", "ratio", "rounds"}
	}
	ratio := "ratio"
	if o.baseline && len(o.Entries) > 0 {
		ratio = "÷ " + strings.TrimPrefix(o.Entries[0].Name, edgeName+" ")
	}
	return []string{"", "µs/request", ratio, "requests/s", "p50 ms", "p99 ms", "allocs/request", "rounds"}
}

func (o *outcome) cells(e *entry) []string {
	m := e.Median
	if o.memory() {
		return []string{e.Name, number("%.1f", m.Memory), number("%.2f", e.Ratio), fmt.Sprint(len(e.Rounds))}
	}
	allocs := "-"
	if m.Allocs != nil {
		allocs = fmt.Sprintf("%.2f", *m.Allocs)
	}
	return []string{e.Name, number("%.2f", m.CPU), number("%.2f", e.Ratio), number("%.0f", m.Rate),
		number("%.2f", m.P50), number("%.2f", m.P99), allocs, fmt.Sprint(len(e.Rounds))}
}

// number prints what there is.
func number(format string, n float64) string {
	if n == 0 {
		return "-"
	}
	return fmt.Sprintf(format, n)
}

// notes are what a reader of the table should know.
func (o *outcome) notes() []string {
	notes := o.Notes
	for _, e := range o.Entries {
		if len(e.Refused) > 0 {
			notes = append(notes, fmt.Sprintf("%s: refused rounds: %d, the first: %s",
				e.Name, len(e.Refused), e.Refused[0]))
		}
		if e.Median.Others > noisy {
			notes = append(notes, fmt.Sprintf("%s: others had %.0f %% of its processor", e.Name, e.Median.Others*100))
		}
	}
	return notes
}
