package route

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// A pattern is a compiled path pattern. The zero value matches everything.
type pattern struct {
	parsed   bool
	literal  []byte    // what the path begins with, or is
	segments []segment // after literal, each behind a slash; nil if the pattern has no single star
	tail     bool      // ends in /**
}

// A segment is matched by its two ends; exact if it has no star.
type segment struct {
	prefix, suffix []byte
	star           bool
}

func (r *Route[T]) compile() error {
	for _, m := range r.Methods {
		if !validMethod(m) {
			return fmt.Errorf("method %q: write it as a client sends it, in capitals", m)
		}
	}
	if r.Path == "" {
		return nil
	}
	p, err := parsePattern(r.Path)
	if err != nil {
		return fmt.Errorf("path %q: %w", r.Path, err)
	}
	r.pattern = p
	return nil
}

func parsePattern(s string) (pattern, error) {
	if err := checkPath(s); err != nil {
		return pattern{}, err
	}
	p := pattern{parsed: true}
	s, p.tail = strings.CutSuffix(s, "/**")
	if strings.Contains(s, "**") {
		return pattern{}, errors.New("** may only be the whole last segment, as in /app/**")
	}
	star := strings.IndexByte(s, '*')
	if star < 0 {
		p.literal = []byte(s)
		return p, nil
	}
	slash := strings.LastIndexByte(s[:star], '/')
	p.literal = []byte(s[:slash])
	for _, part := range strings.Split(s[slash+1:], "/") {
		before, after, found := strings.Cut(part, "*")
		if strings.Contains(after, "*") {
			return pattern{}, errors.New("a segment may have one *")
		}
		p.segments = append(p.segments, segment{[]byte(before), []byte(after), found})
	}
	return p, nil
}

// checkPath refuses what a normalised path cannot be, so that no pattern is silently dead.
func checkPath(s string) error {
	if s[0] != '/' {
		return errors.New("begin it with a slash")
	}
	for i := range len(s) {
		switch c := s[i]; {
		case c <= ' ' || c >= 0x7f:
			return errors.New("write spaces, control and non-ASCII characters percent-encoded")
		case c == '?' || c == '#':
			return errors.New("a query or fragment is no part of the path")
		case c == '\\':
			return errors.New("it can never match: a backslash is refused before")
		case c == '%':
			if err := checkEscape(s[i:]); err != nil {
				return err
			}
		}
	}
	for part := range strings.SplitSeq(s[1:], "/") {
		if part == "." || part == ".." {
			return errors.New("it can never match: . and .. are resolved before")
		}
	}
	return nil
}

func (p *pattern) match(path []byte) bool {
	if !p.parsed {
		return true
	}
	rest, ok := bytes.CutPrefix(path, p.literal)
	if !ok {
		return false
	}
	for i := range p.segments {
		if rest, ok = p.segments[i].cut(rest); !ok {
			return false
		}
	}
	if p.tail {
		return len(path) > 0 && (len(rest) == 0 || rest[0] == '/')
	}
	return len(rest) == 0
}

// cut takes a slash and the segment behind it off path, if it matches.
func (s *segment) cut(path []byte) (rest []byte, ok bool) {
	if len(path) == 0 || path[0] != '/' {
		return nil, false
	}
	part, rest := path[1:], path[len(path):]
	if end := bytes.IndexByte(part, '/'); end >= 0 {
		part, rest = part[:end], part[end:]
	}
	if !s.star {
		return rest, bytes.Equal(part, s.prefix)
	}
	fits := len(part) >= len(s.prefix)+len(s.suffix)
	return rest, fits && bytes.HasPrefix(part, s.prefix) && bytes.HasSuffix(part, s.suffix)
}

// checkEscape refuses an escape that the parser would have written in another way.
func checkEscape(s string) error {
	if len(s) < 3 || !isHex(s[1]) || !isHex(s[2]) {
		return errors.New("it can never match: a % that is no escape is refused before")
	}
	v, err := strconv.ParseUint(s[1:3], 16, 8)
	if err != nil {
		return fmt.Errorf("escape %s: %w", s[:3], err) // of two hex digits: cannot happen
	}
	if c := byte(v); hostByte[c] != 0 || c == '~' {
		return fmt.Errorf("it can never match: write %s as %c", s[:3], c)
	}
	if upper := strings.ToUpper(s[:3]); upper != s[:3] {
		return fmt.Errorf("it can never match: write %s as %s", s[:3], upper)
	}
	return nil
}

func isHex(c byte) bool { return '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'f' }
