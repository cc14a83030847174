package sdk

import (
	"errors"
	"strconv"
	"unicode/utf8"
)

// maxDepth bounds how deep options may nest.
const maxDepth = 32

// jsonKind is the type of a JSON value.
type jsonKind uint8

const (
	jsonNull jsonKind = iota
	jsonBool
	jsonNumber
	jsonText
	jsonList
	jsonObject
)

// jsonValue is a parsed JSON value. The reader is our own because encoding/json adds 0.75 MB to
// a module of 2.6, and takes names in any case, names twice and broken UTF-8.
type jsonValue struct {
	kind  jsonKind
	text  string      // of a text: its content; of a number or bool: as written
	keys  []string    // of an object
	items []jsonValue // of a list or an object
}

// jsonReader reads RFC 8259, and refuses duplicate keys and broken UTF-8.
type jsonReader struct {
	in    []byte
	at    int
	depth int
}

var (
	errJSON      = errors.New("not valid JSON")
	errDuplicate = errors.New("a key twice")
	errDepth     = errors.New("nested too deep")
)

func parseJSON(in []byte) (jsonValue, error) {
	if !utf8.Valid(in) {
		return jsonValue{}, errJSON
	}
	r := jsonReader{in: in}
	v, err := r.value()
	if r.space(); err == nil && r.at != len(in) {
		err = errJSON
	}
	if err != nil {
		return v, errors.New("options, byte " + strconv.Itoa(r.at) + ": " + err.Error())
	}
	return v, nil
}

func (r *jsonReader) space() {
	for r.at < len(r.in) {
		switch r.in[r.at] {
		case ' ', '\t', '\n', '\r':
			r.at++
		default:
			return
		}
	}
}

// next gives the next byte that is not white space without taking it; 0 at the end.
func (r *jsonReader) next() byte {
	r.space()
	if r.at == len(r.in) {
		return 0
	}
	return r.in[r.at]
}

// take takes the next byte if it is c.
func (r *jsonReader) take(c byte) bool {
	if r.next() != c || r.at == len(r.in) {
		return false
	}
	r.at++
	return true
}

func (r *jsonReader) value() (jsonValue, error) {
	switch c := r.next(); c {
	case '{':
		return r.nested(jsonObject, '}')
	case '[':
		return r.nested(jsonList, ']')
	case '"':
		s, err := r.text()
		return jsonValue{kind: jsonText, text: s}, err
	case 't':
		return r.word("true", jsonBool)
	case 'f':
		return r.word("false", jsonBool)
	case 'n':
		return r.word("null", jsonNull)
	}
	return r.number()
}

func (r *jsonReader) word(word string, kind jsonKind) (jsonValue, error) {
	if len(r.in)-r.at < len(word) || string(r.in[r.at:r.at+len(word)]) != word {
		return jsonValue{}, errJSON
	}
	r.at += len(word)
	return jsonValue{kind: kind, text: word}, nil
}

func (r *jsonReader) nested(kind jsonKind, end byte) (jsonValue, error) {
	v := jsonValue{kind: kind}
	if r.depth++; r.depth > maxDepth {
		return v, errDepth
	}
	r.at++
	if r.take(end) {
		r.depth--
		return v, nil
	}
	for {
		if err := r.member(&v); err != nil {
			return v, err
		}
		if r.take(end) {
			r.depth--
			return v, nil
		}
		if !r.take(',') {
			return v, errJSON
		}
	}
}

func (r *jsonReader) member(v *jsonValue) error {
	if v.kind == jsonObject {
		if err := r.key(v); err != nil {
			return err
		}
	}
	item, err := r.value()
	v.items = append(v.items, item)
	return err
}

func (r *jsonReader) key(v *jsonValue) error {
	if r.next() != '"' {
		return errJSON
	}
	key, err := r.text()
	if err != nil {
		return err
	}
	for _, k := range v.keys {
		if k == key {
			return errDuplicate
		}
	}
	v.keys = append(v.keys, key)
	if !r.take(':') {
		return errJSON
	}
	return nil
}

// digits takes one or more digits.
func (r *jsonReader) digits() bool {
	start := r.at
	for r.at < len(r.in) && r.in[r.at] >= '0' && r.in[r.at] <= '9' {
		r.at++
	}
	return r.at > start
}

// is takes the byte at the place of the reader if it is one of a or b.
func (r *jsonReader) is(a, b byte) bool {
	if r.at < len(r.in) && (r.in[r.at] == a || r.in[r.at] == b) {
		r.at++
		return true
	}
	return false
}

func (r *jsonReader) number() (jsonValue, error) {
	start := r.at
	r.is('-', '-')
	if !r.is('0', '0') && !r.digits() {
		return jsonValue{}, errJSON
	}
	if r.is('.', '.') && !r.digits() {
		return jsonValue{}, errJSON
	}
	if r.is('e', 'E') {
		r.is('+', '-')
		if !r.digits() {
			return jsonValue{}, errJSON
		}
	}
	return jsonValue{kind: jsonNumber, text: string(r.in[start:r.at])}, nil
}
