package sdktest

import (
	"fmt"
	"slices"
	"strings"

	"github.com/wedge-lb/wedge/sdk/abi"
)

// A trial is what a subject is put through: tables, each with requests.
type trial []step

type step struct {
	table    []Backend // in the order of the ids
	requests []Request
	outcomes bool // the subject hears how each request ended
}

// ids are those of all tables, each once.
func (t trial) ids() []string {
	var list []string
	for _, s := range t {
		for _, b := range s.table {
			list = append(list, b.ID)
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// without is the trial as if some backends had never been.
func (t trial) without(ids []string) trial {
	gone := func(id string) bool { return slices.Contains(ids, id) }
	return t.each(func(s *step) {
		s.table = slices.DeleteFunc(s.table, func(b Backend) bool { return gone(b.ID) })
		for i := range s.requests {
			r := &s.requests[i]
			if gone(r.Pinned) {
				r.Pinned = ""
			}
			r.Excluded = slices.DeleteFunc(slices.Clone(r.Excluded), gone)
		}
	})
}

// each is a copy of the trial with every step edited; the steps' slices are copies too.
func (t trial) each(edit func(*step)) trial {
	t = slices.Clone(t)
	for i := range t {
		t[i].table, t[i].requests = slices.Clone(t[i].table), slices.Clone(t[i].requests)
		edit(&t[i])
	}
	return t
}

// shown is how many backends or requests of one step are told of.
const shown = 8

// String tells of a trial, a line for each table and request.
func (t trial) String() string {
	var s strings.Builder
	for n, step := range t {
		fmt.Fprintf(&s, "\ttable %d: %s\n", n+1, tableText(step.table))
		for i, r := range step.requests[:min(len(step.requests), shown)] {
			fmt.Fprintf(&s, "\t\trequest %d: %s\n", i+1, r.text())
		}
		if more := len(step.requests) - shown; more > 0 {
			fmt.Fprintf(&s, "\t\t… and %d more\n", more)
		}
	}
	return strings.TrimRight(s.String(), "\n")
}

func tableText(table []Backend) string {
	if len(table) == 0 {
		return "empty"
	}
	var list []string
	for _, b := range table[:min(len(table), shown)] {
		text := b.ID
		if b.Weight > 1 {
			text += fmt.Sprintf(" of weight %d", b.Weight)
		}
		if b.State != abi.StateReady {
			text += " " + b.State.String()
		}
		list = append(list, text)
	}
	if more := len(table) - shown; more > 0 {
		list = append(list, fmt.Sprintf("… and %d more", more))
	}
	return strings.Join(list, ", ")
}

// text names the fields that are set, long values cut.
func (r Request) text() string {
	var list []string
	add := func(name, value string) {
		if len(value) > 40 {
			value = fmt.Sprintf("%.40s… (%d bytes)", value, len(value))
		}
		if value != "" {
			list = append(list, name+" "+value)
		}
	}
	if r.ClientIP.IsValid() {
		add("from", r.ClientIP.String())
	}
	add("path", r.Path)
	add("query", r.Query)
	named := map[string]map[string]string{"header": r.Headers, "cookie": r.Cookies, "param": r.Params}
	for name, m := range named {
		for k, v := range m {
			add(name, k+"="+v)
		}
	}
	slices.Sort(list)
	add("pinned to", r.Pinned)
	add("not to", strings.Join(r.Excluded, ", "))
	if len(list) == 0 {
		return "with nothing"
	}
	return strings.Join(list, ", ")
}
