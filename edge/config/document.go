package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"sort"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

const (
	maxDocument = 1 << 20   // bytes
	maxLocated  = 128 << 10 // bytes of a document in which the place of a syntax error is searched
)

// document makes the tree of the source's text, or says what keeps the text from
// being a document.
func (s *source) document() *Fault {
	if fault := s.unreadable(); fault != nil {
		return fault
	}
	text := strings.TrimLeft(s.text, " \t\r\n")
	if (strings.HasPrefix(text, "{") || strings.HasPrefix(text, "[")) && json.Valid([]byte(s.text)) {
		s.root = jsonTree(s.text)
		return nil
	}
	root, err := yamlTree(s.text)
	if err != nil {
		return s.syntaxFault(err)
	}
	if root == nil || kindOf(root) == kindNull {
		fault := s.fault(place{}, "", "the file is empty")
		return &fault
	}
	s.root = root
	return nil
}

// unreadable refuses what is no text at all; the parser would not say where.
func (s *source) unreadable() *Fault {
	if len(s.text) > maxDocument {
		return &Fault{File: s.name, Message: "the file is larger than 1 MiB"}
	}
	for i, r := range s.text {
		message := ""
		switch {
		case r == utf8.RuneError && !strings.HasPrefix(s.text[i:], "\uFFFD"):
			message = "not UTF-8"
		case !isText(r):
			message = fmt.Sprintf("control character %U", r)
		default:
			continue
		}
		fault := s.fault(s.at(i), "", message)
		return &fault
	}
	return nil
}

// isText reports whether YAML 1.2 calls r printable.
func isText(r rune) bool {
	switch {
	case r == '\t' || isBreak(r):
		return true
	case r < ' ' || r == 0x7f || (0x80 <= r && r <= 0x9f):
		return false
	}
	return r != 0xFEFF && r != 0xFFFE && r != 0xFFFF
}

// errSecond is what a file with two documents is refused with.
var errSecond = errors.New("a second document; one file holds one")

// yamlTree parses the only document of text; nil = there is none.
func yamlTree(text string) (*yaml.Node, error) {
	var first, second yaml.Node
	d := yaml.NewDecoder(strings.NewReader(text))
	err := d.Decode(&first)
	if errors.Is(err, io.EOF) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if err := d.Decode(&second); err == nil {
		return nil, errSecond
	} else if !errors.Is(err, io.EOF) {
		return nil, err
	}
	return first.Content[0], nil
}

var parserLine = regexp.MustCompile(`^yaml: (?:line (\d+): )?`)

// syntaxFault finds where err came up: the end of the shortest beginning of the text
// that is refused with the same words. The parser itself tells no column, and often
// no line or the line before.
func (s *source) syntaxFault(err error) *Fault {
	words := err.Error()
	p := place{line: lineOf(words), column: 1}
	if len(s.text) <= maxLocated {
		end := sort.Search(len(s.text), func(n int) bool {
			_, err := yamlTree(strings.ToValidUTF8(s.text[:n], ""))
			return err != nil && err.Error() == words
		})
		for end > 0 && !utf8.RuneStart(s.text[end-1]) {
			end--
		}
		p = s.at(max(end-1, 0))
	}
	fault := s.fault(p, "", parserLine.ReplaceAllString(words, ""))
	return &fault
}

func lineOf(words string) int {
	line := 0
	if m := parserLine.FindStringSubmatch(words); m != nil {
		fmt.Sscan(m[1], &line)
	}
	return line
}

// jsonTree makes the tree of valid JSON, which is YAML but for what the parser does
// not know of it, such as escaped surrogate pairs.
func jsonTree(text string) *yaml.Node {
	b := jsonBuilder{decoder: json.NewDecoder(strings.NewReader(text)), text: text, here: place{1, 1}}
	b.decoder.UseNumber()
	return b.next()
}

// jsonBuilder turns tokens into nodes that know their places.
type jsonBuilder struct {
	decoder *json.Decoder
	text    string
	offset  int   // of here
	here    place // of the last token
}

func (b *jsonBuilder) next() *yaml.Node {
	start := int(b.decoder.InputOffset())
	start += len(b.text[start:]) - len(strings.TrimLeft(b.text[start:], " \t\r\n,:"))
	b.advance(start)
	token, err := b.decoder.Token()
	if err != nil {
		return nil
	}
	n := &yaml.Node{Line: b.here.line, Column: b.here.column}
	switch t := token.(type) {
	case json.Delim:
		b.fill(n, t)
	case string:
		n.Kind, n.Style, n.Value = yaml.ScalarNode, yaml.DoubleQuotedStyle, t
	default:
		n.Kind, n.Value = yaml.ScalarNode, scalarText(t)
	}
	return n
}

func (b *jsonBuilder) fill(n *yaml.Node, open json.Delim) {
	n.Kind, n.Style = yaml.MappingNode, yaml.FlowStyle
	if open == '[' {
		n.Kind = yaml.SequenceNode
	}
	for b.decoder.More() {
		n.Content = append(n.Content, b.next())
	}
	_, _ = b.decoder.Token() // the closing bracket: the text is known to be valid
}

// advance moves here to the byte at offset.
func (b *jsonBuilder) advance(offset int) {
	lines := splitLines(b.text[b.offset:offset])
	if len(lines) > 1 {
		b.here = place{b.here.line + len(lines) - 1, 1}
	}
	b.here.column += utf8.RuneCountInString(lines[len(lines)-1])
	b.offset = offset
}

func scalarText(token json.Token) string {
	if token == nil {
		return "null"
	}
	return string(bytes.TrimSpace(fmt.Append(nil, token)))
}
