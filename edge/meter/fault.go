package meter

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A Fault is why a module is refused. Its texts are of one line, bounded and printable.
type Fault struct {
	Section  string // where it is: type, import, …; empty: not in a section
	Function int    // the function it is in, imports counted, or -1
	Name     string // of that function in the module's name section, if it has one
	Offset   int    // of the byte, from the module's beginning
	Limit    int64  // the limit that is passed, or 0 if it is none of a limit
	Text     string // what is wrong
}

func (f *Fault) Error() string {
	var b strings.Builder
	b.WriteString(f.Text)
	if f.Limit > 0 {
		fmt.Fprintf(&b, "; at most %d are allowed", f.Limit)
	}
	b.WriteString(" (")
	if f.Section != "" {
		b.WriteString(f.Section + " section, ")
	}
	if f.Function >= 0 {
		fmt.Fprintf(&b, "function %d", f.Function)
		if f.Name != "" {
			fmt.Fprintf(&b, " %q", f.Name)
		}
		b.WriteString(", ")
	}
	fmt.Fprintf(&b, "offset %#x)", f.Offset)
	return b.String()
}

// maxShown is how much of a guest's name is shown, in bytes.
const maxShown = 128

// shown is a guest's name as part of a text: cut, and without what is not printable.
func shown(name string) string {
	var b strings.Builder
	for _, c := range name {
		if b.Len() >= maxShown {
			b.WriteString("…")
			break
		}
		if c == utf8.RuneError || !unicode.IsPrint(c) {
			c = '?'
		}
		b.WriteRune(c)
	}
	return b.String()
}
