package config

import (
	"reflect"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"go.yaml.in/yaml/v3"
)

var (
	sensitiveKey = regexp.MustCompile(`(?i)(secret|token|passw|credential|private)`)
	sensitiveRow = regexp.MustCompile(sensitiveKey.String() + `[A-Za-z0-9_.-]*["']?\s*:`)
	userInfo     = regexp.MustCompile(`(:\\?/\\?/|^)[^/\s"']*@`)
	reference    = regexp.MustCompile(`^\$\{(file|env):[^\r\n]+\}$`)
)

// span is a part of the source, from and to in its order; to is not in it.
type span struct{ from, to place }

// masked returns text, the part of a line from the character at start, with what may
// be a secret starred out: what stands for a secret without being a reference, and
// passwords in URLs.
func (s *source) masked(line int, text []rune, start int) string {
	if s.root == nil {
		starOut(text, s.sensitiveText(line)-start, len(text))
	}
	for _, sp := range s.secrets() {
		if sp.from.line > line || line > sp.to.line {
			continue
		}
		from, to := 0, len(text)
		if sp.from.line == line {
			from = sp.from.column - 1 - start
		}
		if sp.to.line == line {
			to = sp.to.column - 1 - start
		}
		starOut(text, from, to)
	}
	return userInfo.ReplaceAllStringFunc(string(text), starred)
}

func starOut(text []rune, from, to int) {
	for i := max(from, 0); i < min(to, len(text)); i++ {
		if !unicode.IsSpace(text[i]) {
			text[i] = '*'
		}
	}
}

func starred(s string) string {
	text := []rune(s)
	starOut(text, 0, len(text))
	return string(text)
}

// sensitiveText says from which character on a line of a text that is no document
// may hold a secret: behind a key that sounds like it, or wholly below one.
func (s *source) sensitiveText(line int) int {
	text := s.lines[line-1]
	if at := sensitiveRow.FindStringIndex(text); at != nil {
		return len([]rune(text[:at[1]]))
	}
	indent := indentOf(text)
	for above := line - 2; above >= 0 && indent > 0; above-- {
		row := s.lines[above]
		if strings.TrimSpace(row) == "" || indentOf(row) > indent {
			continue
		}
		if sensitiveRow.MatchString(row) {
			return 0
		}
		indent = min(indent, indentOf(row))
	}
	return len(text)
}

func indentOf(row string) int { return len(row) - len(strings.TrimLeft(row, " \t")) }

// findSecrets returns where secrets are written out, each up to the next value.
func findSecrets(root *yaml.Node) []span {
	var starts, secrets []place
	walkOnce(root, map[*yaml.Node]bool{}, func(n *yaml.Node) {
		starts = append(starts, placeOf(n))
		for i := 0; n.Kind == yaml.MappingNode && i+1 < len(n.Content); i += 2 {
			if soundsSecret(n.Content[i].Value) {
				secrets = append(secrets, writtenOut(n.Content[i+1])...)
			}
		}
	})
	slices.SortFunc(starts, comparePlaces)
	spans := make([]span, len(secrets))
	for i, p := range secrets {
		spans[i] = span{p, placeAfter(starts, p)}
	}
	return spans
}

// soundsSecret reports whether key is for a secret, or a slip away from one that is.
func soundsSecret(key string) bool {
	if sensitiveKey.MatchString(key) {
		return true
	}
	return nearest(key, []string{"secret", "secrets", "token"}) != "" && !isKey(reflect.TypeFor[Config](), key)
}

// isKey reports whether a section of type t, or one below it, has a key name.
func isKey(t reflect.Type, name string) bool {
	switch {
	case t.Kind() == reflect.Pointer, t.Kind() == reflect.Slice, t.Kind() == reflect.Map:
		return isKey(t.Elem(), name)
	case !isKeyed(t):
		return false
	}
	return slices.ContainsFunc(fieldsOf(t), func(f field) bool {
		return f.name == name || isKey(t.Field(f.index).Type, name)
	})
}

// walkOnce calls visit for every node below n, through aliases, once each.
func walkOnce(n *yaml.Node, seen map[*yaml.Node]bool, visit func(*yaml.Node)) {
	if n == nil || seen[n] {
		return
	}
	seen[n] = true
	visit(n)
	walkOnce(n.Alias, seen, visit)
	for _, child := range n.Content {
		walkOnce(child, seen, visit)
	}
}

// writtenOut returns the places of the scalars in n that are no references.
func writtenOut(n *yaml.Node) (all []place) {
	walkOnce(n, map[*yaml.Node]bool{}, func(n *yaml.Node) {
		if n.Kind == yaml.ScalarNode && !reference.MatchString(n.Value) {
			all = append(all, placeOf(n))
		}
	})
	return all
}

func placeAfter(sorted []place, p place) place {
	i, found := slices.BinarySearchFunc(sorted, p, comparePlaces)
	for found && i < len(sorted) && sorted[i] == p {
		i++
	}
	if i < len(sorted) {
		return sorted[i]
	}
	return place{line: int(^uint(0) >> 1)}
}

func comparePlaces(a, b place) int {
	if a.line != b.line {
		return a.line - b.line
	}
	return a.column - b.column
}
