package config

import (
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

const maxShown = 120 // characters of a source line that a fault shows

// place is a position in the source, both from 1; the zero place is unknown.
type place struct{ line, column int }

func placeOf(n *yaml.Node) place { return place{n.Line, n.Column} }

// source is the text a configuration was read from and the tree it stands for.
type source struct {
	name  string
	text  string
	lines []string
	root  *yaml.Node        // nil if the text is no document
	moved map[string]string // path in the explicit form → path in the file

	secrets func() []span // of root, found once
}

func newSource(name, text string) *source {
	s := &source{name: name, text: text, lines: splitLines(text)}
	s.secrets = sync.OnceValue(func() []span { return findSecrets(s.root) })
	return s
}

// withMoved returns a copy of s that knows where the paths of the explicit form are.
func (s *source) withMoved(moved map[string]string) *source {
	c := *s
	c.moved = moved
	return &c
}

// splitLines splits at every line break of YAML, so that lines count as the parser
// counts them.
func splitLines(text string) []string {
	var lines []string
	start := 0
	for i, r := range text {
		if i < start || !isBreak(r) || (r == '\r' && strings.HasPrefix(text[i:], "\r\n")) {
			continue
		}
		lines = append(lines, strings.TrimSuffix(text[start:i], "\r"))
		start = i + utf8.RuneLen(r)
	}
	return append(lines, text[start:])
}

func isBreak(r rune) bool {
	return r == '\n' || r == '\r' || r == '\u0085' || r == '\u2028' || r == '\u2029'
}

// at returns the place of the byte at offset.
func (s *source) at(offset int) place {
	before := splitLines(s.text[:offset])
	last := before[len(before)-1]
	return place{len(before), utf8.RuneCountInString(last) + 1}
}

// within moves p into the text, so that a fault never points outside.
func (s *source) within(p place) place {
	p.line = min(max(p.line, 1), len(s.lines))
	width := utf8.RuneCountInString(s.lines[p.line-1])
	p.column = min(max(p.column, 1), width+1)
	return p
}

// fault makes the fault at p, with the line that p is in.
func (s *source) fault(p place, path, message string) Fault {
	p = s.within(p)
	shown, caret := s.excerpt(p)
	return Fault{
		File: s.name, Line: p.line, Column: p.column, Path: path, Message: message,
		Source: shown, caret: caret,
	}
}

// excerpt returns what is shown of the line that p is in, and how many characters of
// it stand before p.
func (s *source) excerpt(p place) (string, int) {
	line, caret := []rune(s.lines[p.line-1]), p.column-1
	start, end := 0, len(line)
	if len(line) > maxShown {
		start = max(0, min(caret-maxShown/2, len(line)-maxShown))
		end = start + maxShown
	}
	shown := s.masked(p.line, line[start:end], start)
	return strings.Map(printable, shown), caret - start
}

// printable keeps what a terminal may be given.
func printable(r rune) rune {
	if r == '\t' || unicode.IsPrint(r) {
		return r
	}
	return utf8.RuneError
}
