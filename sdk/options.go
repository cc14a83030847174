package sdk

import (
	"errors"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// Options reads the strategy's options into the struct v points to, over the defaults that are
// in it. The names of the options are those of the fields' json tags. An unknown option, a
// wrong type or a number out of range is an error that names the option and what it may be; all
// faults are told at once. A list of one may be written as its only element.
func (c *Config) Options(v any) error {
	if len(c.raw) == 0 {
		return nil
	}
	root, err := parseJSON(c.raw)
	if err != nil || root.kind == jsonNull {
		return err
	}
	if root.kind != jsonObject {
		return errors.New("options: want an object")
	}
	var d optionReader
	d.set(reflect.ValueOf(v).Elem(), root, "")
	if len(d.faults) > 0 {
		return errors.New(strings.Join(d.faults, "; "))
	}
	return nil
}

// Has reports whether an option is set, whether or not the strategy knows it.
func (c *Config) Has(option string) bool {
	root, err := parseJSON(c.raw)
	return err == nil && slices.Contains(root.keys, option)
}

// OneOf is nil if value is one of allowed, else an error that names the option and both.
func OneOf(option, value string, allowed ...string) error {
	if slices.Contains(allowed, value) {
		return nil
	}
	return OptionError(option, value, "want one of "+strings.Join(allowed, ", "))
}

// Between is nil if value is from least to most, else an error that names the option and all three.
func Between(option string, value, least, most int) error {
	if least <= value && value <= most {
		return nil
	}
	return OptionError(option, strconv.Itoa(value),
		"want "+strconv.Itoa(least)+" to "+strconv.Itoa(most))
}

// OptionError says what is wrong with the value of an option.
func OptionError(option, value, wrong string) error {
	return errors.New("option " + option + ": " + strconv.Quote(value) + ": " + wrong)
}

// optionReader sets fields from JSON and gathers what does not fit.
type optionReader struct {
	faults []string
}

func (d *optionReader) fault(path, text string) {
	if path == "" {
		path = "(all)"
	}
	d.faults = append(d.faults, "option "+path+": "+text)
}

func (d *optionReader) want(path, what string, v jsonValue) {
	found := [...]string{"null", v.text, v.text, strconv.Quote(v.text), "a list", "an object"}[v.kind]
	d.fault(path, found+": want "+what)
}

func (d *optionReader) set(to reflect.Value, v jsonValue, path string) {
	switch to.Kind() {
	case reflect.Struct:
		d.setStruct(to, v, path)
	case reflect.Map:
		d.setMap(to, v, path)
	case reflect.Slice:
		d.setSlice(to, v, path)
	case reflect.Pointer:
		to.Set(reflect.New(to.Type().Elem()))
		d.set(to.Elem(), v, path)
	case reflect.String:
		if v.kind != jsonText {
			d.want(path, "text", v)
			return
		}
		to.SetString(v.text)
	case reflect.Bool:
		if v.kind != jsonBool {
			d.want(path, "true or false", v)
			return
		}
		to.SetBool(v.text == "true")
	default:
		d.setNumber(to, v, path)
	}
}

func (d *optionReader) setNumber(to reflect.Value, v jsonValue, path string) {
	if v.kind != jsonNumber {
		d.want(path, "a number", v)
		return
	}
	switch {
	case to.CanInt():
		n, err := strconv.ParseInt(v.text, 10, to.Type().Bits())
		if err != nil {
			d.want(path, "a whole number in range", v)
			return
		}
		to.SetInt(n)
	case to.CanUint():
		n, err := strconv.ParseUint(v.text, 10, to.Type().Bits())
		if err != nil {
			d.want(path, "a whole number in range, not negative", v)
			return
		}
		to.SetUint(n)
	case to.CanFloat():
		n, err := strconv.ParseFloat(v.text, to.Type().Bits())
		if err != nil {
			d.want(path, "a number in range", v)
			return
		}
		to.SetFloat(n)
	default:
		panic("sdk: Options: a field of type " + to.Type().String())
	}
}

func (d *optionReader) setSlice(to reflect.Value, v jsonValue, path string) {
	if v.kind != jsonList {
		v = jsonValue{kind: jsonList, items: []jsonValue{v}}
		to.Set(reflect.MakeSlice(to.Type(), 1, 1))
		d.set(to.Index(0), v.items[0], path)
		return
	}
	to.Set(reflect.MakeSlice(to.Type(), len(v.items), len(v.items)))
	for i, item := range v.items {
		d.set(to.Index(i), item, path+"["+strconv.Itoa(i)+"]")
	}
}

func (d *optionReader) setMap(to reflect.Value, v jsonValue, path string) {
	if v.kind != jsonObject {
		d.want(path, "an object", v)
		return
	}
	m := reflect.MakeMap(to.Type())
	for i, key := range v.keys {
		item := reflect.New(to.Type().Elem()).Elem()
		d.set(item, v.items[i], join(path, key))
		m.SetMapIndex(reflect.ValueOf(key), item)
	}
	to.Set(m)
}

func (d *optionReader) setStruct(to reflect.Value, v jsonValue, path string) {
	if v.kind != jsonObject {
		d.want(path, "an object", v)
		return
	}
	names := optionNames(to.Type())
	for i, key := range v.keys {
		field := indexName(names, key)
		if field < 0 {
			d.fault(join(path, key), "unknown; known are "+known(names))
			continue
		}
		d.set(to.Field(field), v.items[i], join(path, key))
	}
}

// optionNames gives the option name of each field, "" for fields without a json tag.
func optionNames(t reflect.Type) []string {
	names := make([]string, t.NumField())
	for i := range names {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		if name != "-" {
			names[i] = name
		}
	}
	return names
}

func known(names []string) string {
	names = slices.DeleteFunc(slices.Clone(names), func(n string) bool { return n == "" })
	if len(names) == 0 {
		return "none"
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

func indexName(names []string, key string) int {
	if key == "" {
		return -1
	}
	return slices.Index(names, key)
}
