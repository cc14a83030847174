package config

import (
	"bytes"
	"encoding/json"
	"math/big"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// options decodes a section of free shape into canonical JSON.
func (d *decoder) options(n *yaml.Node, t *trail, to *json.RawMessage) {
	if !d.want(n, t, kindSection) {
		return
	}
	var b bytes.Buffer
	before := len(d.told)
	d.jsonValue(&b, n, t)
	if len(d.told) == before {
		*to = b.Bytes()
	}
}

func (d *decoder) jsonValue(b *bytes.Buffer, n *yaml.Node, t *trail) {
	n, leave := d.enter(n, t)
	if n == nil {
		return
	}
	defer leave()
	switch k := kindOf(n); k {
	case kindSection:
		d.jsonObject(b, n, t)
	case kindList:
		d.jsonArray(b, n, t)
	case kindText:
		writeString(b, n.Value)
	case kindBool:
		b.WriteString(strings.ToLower(n.Value))
	case kindNull:
		b.WriteString("null")
	case kindUnknown:
		d.fault(t, n, "tags such as %s are not used here", n.Tag)
	default:
		d.jsonNumber(b, n, t, k)
	}
}

func (d *decoder) jsonObject(b *bytes.Buffer, n *yaml.Node, t *trail) {
	pairs := d.pairs(n, t)
	slices.SortFunc(pairs, func(a, b pair) int { return strings.Compare(a.name, b.name) })
	b.WriteByte('{')
	for i, p := range pairs {
		if i > 0 {
			b.WriteByte(',')
		}
		writeString(b, p.name)
		b.WriteByte(':')
		d.jsonValue(b, p.value, t.child(p.name, p.key))
	}
	b.WriteByte('}')
}

func (d *decoder) jsonArray(b *bytes.Buffer, n *yaml.Node, t *trail) {
	b.WriteByte('[')
	for i, item := range n.Content {
		if i > 0 {
			b.WriteByte(',')
		}
		d.jsonValue(b, item, t.item(i, item))
	}
	b.WriteByte(']')
}

func writeString(b *bytes.Buffer, s string) {
	e := json.NewEncoder(b)
	e.SetEscapeHTML(false)
	_ = e.Encode(s) // a string always encodes
	b.Truncate(b.Len() - len("\n"))
}

func (d *decoder) jsonNumber(b *bytes.Buffer, n *yaml.Node, t *trail, k kind) {
	if k == kindInt {
		if i, ok := parseInteger(n.Value); ok {
			b.WriteString(i.String())
			return
		}
	}
	if text := decimal(n.Value); len(text) <= 1000 && json.Valid([]byte(text)) {
		b.WriteString(text)
		return
	}
	d.fault(t, n, "JSON has no such number")
}

// decimal turns a number of the core schema into JSON's form of it: no plus sign, no
// leading zeros, digits on both sides of a point.
func decimal(text string) string {
	text = strings.TrimPrefix(text, "+")
	digits := strings.TrimPrefix(text, "-")
	sign := text[:len(text)-len(digits)]
	end := len(digits)
	if i := strings.IndexAny(digits, "eE"); i >= 0 {
		end = i
	}
	whole, part, point := strings.Cut(digits[:end], ".")
	if n, ok := new(big.Int).SetString(whole, 10); ok && len(whole) < 1000 {
		whole = n.String()
	} else if whole == "" {
		whole = "0"
	}
	if point {
		part = "." + part + strings.Repeat("0", max(0, 1-len(part)))
	}
	return sign + whole + part + digits[end:]
}
