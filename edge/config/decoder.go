package config

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

const (
	maxDepth   = 64      // nested sections and lists
	maxAliased = 4 << 20 // bytes that aliases and merge keys stand for, 32 a value and its text
	maxItems   = 10000   // of a list
	maxKey     = 256     // bytes of a key
	maxFaults  = 100
)

// decoder writes a tree into structs by their tags and collects what is wrong.
type decoder struct {
	source  *source
	opt     Options
	faults  Faults
	told    map[told]bool
	aliased int // bytes met through aliases and merge keys
	inAlias int // aliases around the current value
}

// told is a fault that was noted; a value reached in two ways is told of once.
type told struct {
	place
	leaf, message string
}

// path is where a value is; its leaf is its last key, "" in a list.
type path interface {
	String() string
	leaf() string
}

// fault notes message for the value at t; n is where it is told, nil = at its key.
func (d *decoder) fault(t *trail, n *yaml.Node, format string, args ...any) {
	p := place{1, 1}
	switch {
	case n != nil:
		p = placeOf(n)
	case t != nil && t.node != nil:
		p = placeOf(t.node)
	}
	d.tell(p, t, fmt.Sprintf(format, args...))
}

func (d *decoder) tell(p place, at path, message string) {
	key := told{p, at.leaf(), message}
	if d.told[key] {
		return
	}
	d.told[key] = true
	if len(d.faults) < maxFaults {
		d.faults = append(d.faults, d.source.fault(p, at.String(), message))
	}
}

func (d *decoder) document(c *Config) {
	d.value(d.source.root, nil, reflect.ValueOf(c).Elem(), rules{})
}

// result returns the faults in the order of the file, or nil.
func (d *decoder) result() error {
	if len(d.faults) == 0 {
		return nil
	}
	slices.SortStableFunc(d.faults, func(a, b Fault) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	if more := len(d.told) - maxFaults; more > 0 {
		last := d.faults[len(d.faults)-1]
		last.Path, last.Message = "", fmt.Sprintf("%d more faults are not shown", more)
		d.faults = append(d.faults, last)
	}
	return d.faults
}

// value decodes n into v, which is addressable and holds the default; a fault leaves
// it so.
func (d *decoder) value(n *yaml.Node, t *trail, v reflect.Value, r rules) {
	n, leave := d.enter(n, t)
	if n == nil {
		return
	}
	defer leave()
	if d.special(n, t, v) {
		return
	}
	switch {
	case v.Kind() == reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		defaultPointee(v.Elem())
		d.value(n, t, v.Elem(), r)
	case isKeyed(v.Type()):
		d.section(n, t, v)
	case v.Kind() == reflect.Map:
		d.names(n, t, v)
	case v.Kind() == reflect.Slice:
		d.list(n, t, v, r)
	default:
		d.scalar(n, t, v, r)
	}
}

func isKeyed(t reflect.Type) bool { return t.Kind() == reflect.Struct && isSection(t) }

func defaultPointee(v reflect.Value) {
	if isKeyed(v.Type()) {
		defaultStruct(v)
	}
}

// enter resolves an alias and holds the bounds. The node is nil if one is passed;
// otherwise leave must be called when the value is done.
func (d *decoder) enter(n *yaml.Node, t *trail) (_ *yaml.Node, leave func()) {
	if t.level() > maxDepth {
		d.fault(nil, n, "nested deeper than %d levels", maxDepth)
		return nil, nil
	}
	leave = func() {}
	if n.Kind == yaml.AliasNode {
		n = n.Alias
		d.inAlias++
		leave = func() { d.inAlias-- }
	}
	if d.inAlias > 0 && !d.spend(n) {
		leave()
		return nil, nil
	}
	return n, leave
}

// spend counts a value that an alias or a merge key stands for.
func (d *decoder) spend(n *yaml.Node) bool {
	if d.aliased > maxAliased {
		return false
	}
	if d.aliased += 32 + len(n.Value); d.aliased > maxAliased {
		d.fault(nil, n, "aliases stand for more than %d MiB", maxAliased>>20)
		return false
	}
	return true
}

func (d *decoder) section(n *yaml.Node, t *trail, v reflect.Value) {
	if !d.want(n, t, kindSection) {
		return
	}
	fields := fieldsOf(v.Type())
	seen := map[string]bool{}
	for _, p := range d.pairs(n, t) {
		if strings.HasPrefix(p.name, "x-") {
			continue
		}
		at := t.child(p.name, p.key)
		i := slices.IndexFunc(fields, func(f field) bool { return f.name == p.name })
		if i < 0 {
			seen[d.unknown(p, at, fields)] = true // one slip, one fault
			continue
		}
		seen[p.name] = true
		d.field(p, at, v.Field(fields[i].index), fields[i])
	}
	for _, f := range fields {
		if f.required && !seen[f.name] {
			d.missing(n, t, f.name)
		}
	}
}

// unknown tells of a key that no field has and returns the one that was meant.
func (d *decoder) unknown(p pair, at *trail, fields []field) string {
	names := keyNames(fields)
	if len(d.faults) == maxFaults {
		names = nil // it is not shown, and the search takes time
	}
	meant := nearest(p.name, names)
	hint := suggest(p.name, names)
	if meant == "" && len(names) > 0 {
		hint = "; there are " + strings.Join(names, ", ")
	}
	d.fault(at, nil, "unknown key%s", hint)
	return meant
}

func (d *decoder) field(p pair, at *trail, v reflect.Value, f field) {
	if f.whole {
		v.SetZero()
	}
	if f.required && isEmptyText(p.value) {
		d.fault(at, p.value, "empty; want text")
		return
	}
	d.value(p.value, at, v, f.rules)
}

// isEmptyText reports whether n is text, but none.
func isEmptyText(n *yaml.Node) bool {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	return kindOf(n) == kindText && n.Value == ""
}

// missing tells at the section's key that name is not in it.
func (d *decoder) missing(n *yaml.Node, t *trail, name string) {
	at := t.child(name, n)
	if t != nil {
		at.node = t.node
	}
	d.fault(at, nil, "missing")
}

func keyNames(fields []field) []string {
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = f.name
	}
	return names
}

// names decodes a section whose keys are chosen by its author.
func (d *decoder) names(n *yaml.Node, t *trail, v reflect.Value) {
	if !d.want(n, t, kindSection) {
		return
	}
	if v.SetZero(); len(n.Content) == 0 {
		return
	}
	v.Set(reflect.MakeMap(v.Type()))
	elem := v.Type().Elem()
	for _, p := range d.pairs(n, t) {
		at := t.child(p.name, p.key)
		if isKeyed(elem) && !validName(p.name) {
			d.fault(at, nil, "a name is 1 to 63 letters, digits, - and _, a letter or digit first")
		}
		e := reflect.New(elem).Elem()
		defaultPointee(e)
		d.value(p.value, at, e, rules{})
		v.SetMapIndex(reflect.ValueOf(p.name), e)
	}
}

func validName(s string) bool {
	for i := range len(s) {
		c := s[i] | 0x20
		letter := ('a' <= c && c <= 'z') || ('0' <= s[i] && s[i] <= '9')
		if !letter && (i == 0 || (s[i] != '-' && s[i] != '_')) {
			return false
		}
	}
	return 0 < len(s) && len(s) <= 63
}

// list decodes every item; a bad one keeps its place as a default.
func (d *decoder) list(n *yaml.Node, t *trail, v reflect.Value, r rules) {
	if !d.want(n, t, kindList) {
		return
	}
	if len(n.Content) > maxItems {
		d.fault(t, n, "a list has at most %d items", maxItems)
		return
	}
	if v.SetZero(); len(n.Content) == 0 {
		return
	}
	v.Set(reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content)))
	for i, item := range n.Content {
		defaultPointee(v.Index(i))
		d.value(item, t.item(i, item), v.Index(i), r)
	}
}

// want reports whether n is a k; if not it is a fault.
func (d *decoder) want(n *yaml.Node, t *trail, k kind) bool {
	found := kindOf(n)
	if found == k {
		return true
	}
	switch {
	case found == kindNull:
		d.fault(t, n, "no value; want %s, or leave the key out", k)
	case found == kindUnknown:
		d.fault(t, n, "want %s; tags such as %s are not used here", k, n.Tag)
	case k == kindText && n.Kind == yaml.ScalarNode:
		d.fault(t, n, "want text, found %s; put it in quotes", found)
	case k == kindList && n.Kind == yaml.ScalarNode:
		d.fault(t, n, "want a list, found %s; put it in [ ]", found)
	default:
		d.fault(t, n, "want %s, found %s", k, found)
	}
	return false
}
