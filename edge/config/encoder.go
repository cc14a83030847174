package config

import (
	"bytes"
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// YAML writes c as a file that Parse takes and that means the same. Defaults are left
// out, and so is the zero value of a key that cannot be zero; secrets stay references,
// names of files are absolute.
func (c *Config) YAML() ([]byte, error) {
	root, err := encodeSection(reflect.ValueOf(c).Elem(), defaults[Config]())
	if err != nil {
		return nil, fmt.Errorf("config: %w", err)
	}
	var b bytes.Buffer
	e := yaml.NewEncoder(&b)
	e.SetIndent(2)
	if err := e.Encode(root); err != nil {
		return nil, fmt.Errorf("config: %w", err)
	}
	return b.Bytes(), nil
}

// Equal reports whether c and o say the same, wherever they were read from.
func (c *Config) Equal(o *Config) bool {
	a, b := *c, *o
	a.source, b.source = nil, nil
	return reflect.DeepEqual(a, b)
}

// encodeSection writes the keys of struct v that differ from those of standard.
func encodeSection(v reflect.Value, standard any) (*yaml.Node, error) {
	n := &yaml.Node{Kind: yaml.MappingNode}
	s := reflect.ValueOf(standard)
	for _, f := range fieldsOf(v.Type()) {
		fv, fs := v.Field(f.index), s.Field(f.index)
		if sameValue(fv, fs) || f.unset(fv) {
			continue
		}
		if f.whole {
			fs = reflect.Zero(fs.Type())
		}
		value, err := encodeValue(fv, fs)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f.name, err)
		}
		if isKeyed(fv.Type()) && value.Kind == yaml.MappingNode && len(value.Content) == 0 && !f.whole {
			continue // nothing in it but what was unset
		}
		n.Content = append(n.Content, textNode(f.name), value)
	}
	return n, nil
}

// unset reports whether v is a zero that a program left and no file may hold: it stands
// for the default.
func (f field) unset(v reflect.Value) bool {
	if f.standard == "" || !v.IsZero() {
		return false
	}
	_, options := v.Interface().(json.RawMessage)
	return options || v.Kind() == reflect.String || (f.min != "" && f.refuse(v) != "")
}

// sameValue reports whether v needs no key; no list and an empty list are the same.
func sameValue(v, standard reflect.Value) bool {
	if v.Kind() == reflect.Slice || v.Kind() == reflect.Map {
		return v.Len() == 0 && standard.Len() == 0 || reflect.DeepEqual(v.Interface(), standard.Interface())
	}
	return reflect.DeepEqual(v.Interface(), standard.Interface())
}

func encodeValue(v, standard reflect.Value) (*yaml.Node, error) {
	if n, err := encodeScalar(v); n != nil || err != nil {
		return n, err
	}
	switch {
	case v.Kind() == reflect.Pointer:
		s := reflect.New(v.Type().Elem()).Elem()
		defaultPointee(s)
		return encodeValue(v.Elem(), s)
	case isKeyed(v.Type()):
		return encodeSection(v, standard.Interface())
	case v.Kind() == reflect.Map:
		return encodeNames(v)
	default:
		return encodeList(v)
	}
}

func encodeNames(v reflect.Value) (*yaml.Node, error) {
	n := &yaml.Node{Kind: yaml.MappingNode}
	standard := reflect.New(v.Type().Elem()).Elem()
	defaultPointee(standard)
	keys := v.MapKeys()
	slices.SortFunc(keys, func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) })
	for _, key := range keys {
		value, err := encodeValue(v.MapIndex(key), standard)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", key, err)
		}
		n.Content = append(n.Content, textNode(key.String()), value)
	}
	return n, nil
}

func encodeList(v reflect.Value) (*yaml.Node, error) {
	n := &yaml.Node{Kind: yaml.SequenceNode}
	standard := reflect.New(v.Type().Elem()).Elem()
	defaultPointee(standard)
	if !isKeyed(v.Type().Elem()) {
		n.Style = yaml.FlowStyle
	}
	for i := range v.Len() {
		item, err := encodeValue(v.Index(i), standard)
		if err != nil {
			return nil, fmt.Errorf("[%d]: %w", i, err)
		}
		n.Content = append(n.Content, item)
	}
	return n, nil
}

// encodeScalar writes what is a word, a number or JSON; nil = v is none of them.
func encodeScalar(v reflect.Value) (*yaml.Node, error) {
	switch x := v.Interface().(type) {
	case json.RawMessage:
		return encodeJSON(x)
	case time.Duration:
		return textNode(formatDuration(x)), nil
	case bool:
		return plainNode(strconv.FormatBool(x)), nil
	case int:
		return plainNode(strconv.Itoa(x)), nil
	case SiteTLS:
		if x == (SiteTLS{Issuer: x.Issuer}) {
			return textNode(x.Issuer), nil
		}
		return nil, nil
	case encoding.TextMarshaler:
		b, err := x.MarshalText()
		return textNode(string(b)), err
	case fmt.Stringer:
		return textNode(x.String()), nil
	}
	if v.Kind() == reflect.String {
		return textNode(v.String()), nil
	}
	return nil, nil
}

// encodeJSON writes options; the tree of JSON is one of YAML.
func encodeJSON(raw json.RawMessage) (*yaml.Node, error) {
	if !json.Valid(raw) {
		return nil, errors.New("not JSON")
	}
	n := jsonTree(string(raw))
	walkOnce(n, map[*yaml.Node]bool{}, func(n *yaml.Node) {
		if n.Kind == yaml.ScalarNode && n.Style == yaml.DoubleQuotedStyle {
			*n = *textNode(n.Value)
		}
	})
	return n, nil
}

func plainNode(text string) *yaml.Node { return &yaml.Node{Kind: yaml.ScalarNode, Value: text} }

var unquoted = regexp.MustCompile(`^[A-Za-z0-9/][A-Za-z0-9_./%-]*$`)

// textNode writes text so that it is read as text, without quotes where that is plain
// to see.
func textNode(text string) *yaml.Node {
	n := plainNode(text)
	if !unquoted.MatchString(text) || plainKind(text) != kindText {
		n.Style = yaml.DoubleQuotedStyle
	}
	return n
}
