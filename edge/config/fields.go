package config

import (
	"encoding/json"
	"net/netip"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// field is what the tags of a struct field say about a key.
type field struct {
	index    int
	name     string
	required bool // the key must be there
	whole    bool // given at all, its own keys have no defaults
	standard string
	rules
}

// rules hold for a value, or for each element of a list.
type rules struct {
	min, max string   // in the written form of the type; "" = no bound
	enum     []string // nil = any
}

// fieldsOf returns the keys of struct type t in their order.
func fieldsOf(t reflect.Type) []field {
	var all []field
	for i := range t.NumField() {
		if tag, ok := t.Field(i).Tag.Lookup("yaml"); ok {
			all = append(all, newField(i, tag, t.Field(i).Tag))
		}
	}
	return all
}

func newField(index int, yaml string, tag reflect.StructTag) field {
	name, option, _ := strings.Cut(yaml, ",")
	f := field{index: index, name: name, required: option == "required", whole: option == "whole"}
	f.standard, f.min, f.max = tag.Get("default"), tag.Get("min"), tag.Get("max")
	if words := tag.Get("enum"); words != "" {
		f.enum = strings.Split(words, ",")
	}
	return f
}

// setDefaults gives every key in the struct that p points to its default.
func setDefaults(p any) { defaultStruct(reflect.ValueOf(p).Elem()) }

func defaultStruct(v reflect.Value) {
	for _, f := range fieldsOf(v.Type()) {
		switch fv := v.Field(f.index); {
		case f.standard != "":
			defaultValue(fv, f.standard)
		case fv.Kind() == reflect.Struct && isSection(fv.Type()):
			defaultStruct(fv)
		}
	}
}

func defaultValue(v reflect.Value, text string) {
	if list, ok := v.Addr().Interface().(*[]string); ok {
		*list = strings.Split(text, ",")
		return
	}
	if err := setText(v, text); err != nil {
		panic("config: default " + text + ": " + err.Error()) // a tag of ours is wrong
	}
}

// isSection reports whether t is one of our structs of keys.
func isSection(t reflect.Type) bool { return t.NumField() > 0 && t.Field(0).Tag.Get("yaml") != "" }

// setText sets v, which is addressable and no list, map or section, from its
// written form.
func setText(v reflect.Value, text string) (err error) {
	switch p := v.Addr().Interface().(type) {
	case *time.Duration:
		*p, err = parseDuration(text)
	case *Size:
		*p, err = ParseSize(text)
	case *Percent:
		*p, err = ParsePercent(text)
	case *netip.Prefix:
		*p, err = parsePrefix(text)
	case *json.RawMessage:
		*p = json.RawMessage(text)
	case *int:
		*p, err = strconv.Atoi(text)
	case *bool:
		*p, err = strconv.ParseBool(text)
	default:
		v.SetString(text)
	}
	return err
}
