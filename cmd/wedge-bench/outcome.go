package main

import (
	"fmt"
	"strings"
)

// An outcome is what a scenario showed.
type outcome struct {
	Letter  string   `json:"scenario"`
	Title   string   `json:"title"`
	Entries []*entry `json:"contenders"`
	Notes   []string `json:"notes,omitempty"`

	baseline bool // ratios are to the first entry
}

// An entry is what one contender showed.
type entry struct {
	Name    string    `json:"name"`
	Version string    `json:"version,omitempty"`
	Rounds  []figures `json:"rounds"` // that count
	Refused []string  `json:"refused,omitempty"`
	Median  figures   `json:"median"`
	Ratio   float64   `json:"ratio,omitempty"` // of the edge to this peer, or of this to the first entry

	edge bool
}

// add takes a round, or the reason why it does not count.
func (e *entry) add(f figures, err error) {
	if err != nil {
		e.Refused = append(e.Refused, err.Error())
		return
	}
	e.Rounds = append(e.Rounds, f)
}

// cost is the figure that contenders are compared by: CPU time, or memory where that is measured.
func (f figures) cost() float64 {
	if f.Memory > 0 {
		return f.Memory
	}
	return f.CPU
}

// conclude takes medians and ratios.
func (o *outcome) conclude() {
	for _, e := range o.Entries {
		e.Median = medians(e.Rounds)
	}
	if len(o.Entries) == 0 || o.Entries[0].Median.cost() == 0 {
		return
	}
	first := o.Entries[0]
	for _, e := range o.Entries[1:] {
		switch {
		case e.Median.cost() == 0:
		case o.baseline:
			e.Ratio = e.Median.cost() / first.Median.cost()
		case first.edge:
			e.Ratio = first.Median.cost() / e.Median.cost()
		}
	}
}

// medians takes the median of each figure by itself.
func medians(rounds []figures) figures {
	of := func(get func(figures) float64) float64 {
		var l []float64
		for _, f := range rounds {
			l = append(l, get(f))
		}
		return median(l)
	}
	m := figures{
		CPU: of(func(f figures) float64 { return f.CPU }), Rate: of(func(f figures) float64 { return f.Rate }),
		P50: of(func(f figures) float64 { return f.P50 }), P99: of(func(f figures) float64 { return f.P99 }),
		Memory: of(func(f figures) float64 { return f.Memory }),
		Others: of(func(f figures) float64 { return f.Others }),
	}
	if len(rounds) > 0 && rounds[0].Allocs != nil {
		allocs := of(func(f figures) float64 { return *f.Allocs })
		m.Allocs = &allocs
	}
	return m
}

// fault is an error if a contender has no round that counts.
func (o *outcome) fault() error {
	var names []string
	for _, e := range o.Entries {
		if len(e.Rounds) == 0 {
			names = append(names, e.Name)
		}
	}
	if len(o.Entries) == 0 {
		names = []string{"anybody"}
	}
	if names == nil {
		return nil
	}
	return fmt.Errorf("scenario %s: no good round of %s", o.Letter, strings.Join(names, ", "))
}
