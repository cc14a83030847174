package config

import (
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// spot is a value and what names it: its key, or in a list itself; nil for the root.
type spot struct{ key, value *yaml.Node }

// place is where a fault about the whole value points.
func (s spot) place() place {
	if s.key != nil && s.value.Kind != yaml.ScalarNode {
		return placeOf(s.key)
	}
	return placeOf(s.value)
}

// finder finds paths in a source; it remembers the keys of sections it has seen.
type finder struct {
	source *source
	keys   map[*yaml.Node]keys
}

// keys are those of one section, as paths write them.
type keys struct {
	all map[string]pair
	odd []string // that hold dots or are in quotes
}

func (s *source) finder() *finder {
	return &finder{source: s, keys: map[*yaml.Node]keys{}}
}

// find walks path from the root as far as the file goes; exact = to its end.
func (f *finder) find(path string) (at spot, exact bool) {
	at.value = f.source.root
	for rest := f.source.original(path); rest != ""; {
		next, tail, ok := f.step(at.value, rest)
		if !ok {
			return at, false
		}
		at, rest = next, tail
		if at.value.Kind == yaml.AliasNode {
			at.value = at.value.Alias
		}
	}
	return at, true
}

// step takes the first key or index of path.
func (f *finder) step(n *yaml.Node, path string) (spot, string, bool) {
	switch n.Kind {
	case yaml.SequenceNode:
		digits, rest, ok := strings.Cut(strings.TrimPrefix(path, "["), "]")
		i, err := strconv.Atoi(digits)
		if !ok || err != nil || i < 0 || i >= len(n.Content) {
			return spot{}, "", false
		}
		return spot{n.Content[i], n.Content[i]}, rest, true
	case yaml.MappingNode:
		return f.key(n, strings.TrimPrefix(path, "."))
	}
	return spot{}, "", false
}

// key takes the first key of path, or the longest of those that hold dots.
func (f *finder) key(n *yaml.Node, path string) (spot, string, bool) {
	section, seen := f.keys[n]
	if !seen {
		section = f.source.keysOf(n)
		f.keys[n] = section
	}
	end := len(path)
	if i := strings.IndexAny(path, ".["); i >= 0 {
		end = i
	}
	best, found := section.all[path[:end]]
	for _, written := range section.odd {
		rest, ok := strings.CutPrefix(path, written)
		if ok && isEnd(rest) && (!found || len(written) > end) {
			best, end, found = section.all[written], len(written), true
		}
	}
	if !found {
		return spot{}, "", false
	}
	return spot{best.key, best.value}, path[end:], true
}

// isEnd reports whether a key may end before rest.
func isEnd(rest string) bool { return rest == "" || rest[0] == '.' || rest[0] == '[' }

func (s *source) keysOf(n *yaml.Node) keys {
	section := keys{all: map[string]pair{}}
	d := &decoder{source: s, told: map[told]bool{}}
	for _, p := range d.pairs(n, nil) {
		written := p.name
		if !plainStep.MatchString(written) {
			written = "[" + strconv.Quote(written) + "]"
		}
		section.all[written] = p
		if strings.ContainsAny(written, ".[") {
			section.odd = append(section.odd, written)
		}
	}
	return section
}

// original maps a path of the explicit form to that of the file.
func (s *source) original(path string) string {
	best, length := path, 0
	for from, to := range s.moved {
		if rest, ok := strings.CutPrefix(path, from); ok && isEnd(rest) && len(from) > length {
			best, length = to+rest, len(from)
		}
	}
	return best
}

// Position returns the line and column, from 1, of the value that path names, such as
// strategies.spread.options, or of the nearest value above it that the file has. Both
// are 0 if the configuration was not read from a file.
func (c *Config) Position(path string) (line, column int) {
	if c.source == nil {
		return 0, 0
	}
	at, _ := c.source.finder().find(path)
	p := c.source.within(at.place())
	return p.line, p.column
}

// Fault makes the fault that message is about the value that path names.
func (c *Config) Fault(path, message string) Fault {
	if c.source == nil {
		return Fault{Path: path, Message: message}
	}
	line, column := c.Position(path)
	return c.source.fault(place{line, column}, path, message)
}
