package config

import (
	"fmt"
	"strings"
)

// Fault is one thing wrong with a configuration.
type Fault struct {
	File    string // as given to Load or Parse
	Line    int    // from 1; 0 = the configuration was not read from a file
	Column  int    // from 1, in characters
	Path    string // such as pools.shop.backends[0].url; "" = the whole file
	Message string
	Source  string // the line, or the part of a long line, that Column is in; secrets masked
	caret   int    // how many characters of Source stand before the place
}

// Error returns the place and the message in one line, then the source line with a
// caret below it if there is one.
func (f Fault) Error() string {
	var b strings.Builder
	b.WriteString(f.Summary())
	if f.Line > 0 {
		number := fmt.Sprintf("%5d", f.Line)
		fmt.Fprintf(&b, "\n%s | %s\n%s | %s^", number, f.Source, strings.Repeat(" ", len(number)), f.margin())
	}
	return b.String()
}

// Summary returns the place and the message in one line.
func (f Fault) Summary() string {
	parts := []string{f.Message}
	if f.Path != "" {
		parts = []string{f.Path, f.Message}
	}
	switch {
	case f.Line > 0:
		parts = append([]string{fmt.Sprintf("%s:%d:%d", f.File, f.Line, f.Column)}, parts...)
	case f.File != "":
		parts = append([]string{f.File}, parts...)
	}
	return strings.Join(parts, ": ")
}

// margin is as wide as what stands before the place, tabs kept.
func (f Fault) margin() string {
	var b strings.Builder
	n := 0
	for _, r := range f.Source {
		if n == f.caret {
			break
		}
		if r != '\t' {
			r = ' '
		}
		b.WriteRune(r)
		n++
	}
	b.WriteString(strings.Repeat(" ", f.caret-n))
	return b.String()
}

// Faults is everything found wrong with a configuration, in the order of the file.
type Faults []Fault

// Error returns every fault, one below the other.
func (fs Faults) Error() string {
	texts := make([]string, len(fs))
	for i, f := range fs {
		texts[i] = f.Error()
	}
	return strings.Join(texts, "\n")
}
