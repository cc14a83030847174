package config

import (
	"encoding/json"
	"math/big"
	"reflect"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// special decodes the types that have a form of their own and reports whether v is
// one.
func (d *decoder) special(n *yaml.Node, t *trail, v reflect.Value) bool {
	switch p := v.Addr().Interface().(type) {
	case *json.RawMessage:
		d.options(n, t, p)
	case *Secret:
		d.secret(n, t, p)
	case *SiteTLS:
		switch kindOf(n) {
		case kindSection:
			return false
		case kindText:
		default:
			d.fault(t, n, "want acme, internal, off or a section")
			return true
		}
		issuer, _ := reflect.TypeFor[SiteTLS]().FieldByName("Issuer")
		f := newField(0, "issuer", issuer.Tag)
		d.scalar(n, t, reflect.ValueOf(&p.Issuer).Elem(), f.rules)
	default:
		return false
	}
	return true
}

// scalar decodes one word or number.
func (d *decoder) scalar(n *yaml.Node, t *trail, v reflect.Value, r rules) {
	text, ok := d.text(n, t, v)
	if !ok {
		return
	}
	next := reflect.New(v.Type()).Elem()
	if err := setText(next, text); err != nil {
		d.fault(t, n, "%s", err)
		return
	}
	if message := r.refuse(next); message != "" {
		d.fault(t, n, "%s", message)
		return
	}
	if d.resolve(n, t, next) {
		v.Set(next)
	}
}

// text returns the written form of v that n holds.
func (d *decoder) text(n *yaml.Node, t *trail, v reflect.Value) (string, bool) {
	found := kindOf(n)
	switch v.Addr().Interface().(type) {
	case *int:
		if !d.want(n, t, kindInt) {
			return "", false
		}
		return d.integer(n, t)
	case *bool:
		if !d.want(n, t, kindBool) {
			return "", false
		}
		return strings.ToLower(n.Value), true
	case *time.Duration:
		if found == kindInt || found == kindFloat {
			d.fault(t, n, "a duration needs a unit, such as %ss", strings.TrimLeft(n.Value, "+-"))
			return "", false
		}
	case *Size:
		if found == kindInt {
			return n.Value, true
		}
	case *Percent:
		if found == kindInt || found == kindFloat {
			d.fault(t, n, "want a whole percentage such as 20%%")
			return "", false
		}
	}
	return n.Value, d.want(n, t, kindText) && d.plainText(n, t)
}

// plainText refuses what no key takes: control characters.
func (d *decoder) plainText(n *yaml.Node, t *trail) bool {
	if strings.ContainsFunc(n.Value, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		d.fault(t, n, "the text holds a line break or another control character")
		return false
	}
	return true
}

// integer returns n in decimal.
func (d *decoder) integer(n *yaml.Node, t *trail) (string, bool) {
	i, ok := parseInteger(n.Value)
	if !ok || !i.IsInt64() {
		d.fault(t, n, "the number is too large")
		return "", false
	}
	return i.String(), true
}

// parseInteger reads an integer of the core schema.
func parseInteger(text string) (*big.Int, bool) {
	base := 10
	switch {
	case strings.HasPrefix(text, "0x"):
		text, base = text[2:], 16
	case strings.HasPrefix(text, "0o"):
		text, base = text[2:], 8
	}
	if len(text) > 1000 {
		return nil, false
	}
	return new(big.Int).SetString(text, base)
}

// resolve makes file names absolute.
func (d *decoder) resolve(n *yaml.Node, t *trail, v reflect.Value) bool {
	switch v.Addr().Interface().(type) {
	case *Output:
		if v.String() == "stdout" || v.String() == "stderr" {
			return true
		}
	case *File, *Dir:
	default:
		return true
	}
	name, err := d.opt.resolve(v.String())
	if err != nil {
		d.fault(t, n, "%s", err)
		return false
	}
	v.SetString(name)
	return true
}

// refuse says why v breaks the rules; "" = it does not.
func (r rules) refuse(v reflect.Value) string {
	if r.enum != nil && !slices.Contains(r.enum, v.String()) {
		return "want " + alternatives(r.enum) + suggest(v.String(), r.enum)
	}
	low := r.min != "" && v.Int() < r.bound(v, r.min)
	high := r.max != "" && v.Int() > r.bound(v, r.max)
	switch {
	case !low && !high:
		return ""
	case r.min != "" && r.min == r.max:
		return "want " + r.min
	case r.min != "" && r.max != "":
		return "want " + r.min + " to " + r.max
	case low:
		return "want at least " + r.min
	}
	return "want at most " + r.max
}

func (r rules) bound(v reflect.Value, text string) int64 {
	b := reflect.New(v.Type()).Elem()
	defaultValue(b, text)
	return b.Int()
}

func alternatives(words []string) string {
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " or " + words[last]
}
