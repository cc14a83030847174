package sdk

import (
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// text reads a string; the reader stands at its opening quote.
func (r *jsonReader) text() (string, error) {
	r.at++
	var out []byte
	for r.at < len(r.in) {
		c := r.in[r.at]
		r.at++
		switch {
		case c == '"':
			return string(out), nil
		case c < ' ':
			return "", errJSON
		case c != '\\':
			out = append(out, c)
			continue
		}
		var err error
		if out, err = r.escape(out); err != nil {
			return "", err
		}
	}
	return "", errJSON
}

// escape reads what follows a backslash.
func (r *jsonReader) escape(out []byte) ([]byte, error) {
	if r.at == len(r.in) {
		return out, errJSON
	}
	c := r.in[r.at]
	r.at++
	switch c {
	case '"', '\\', '/':
		return append(out, c), nil
	case 'b':
		return append(out, '\b'), nil
	case 'f':
		return append(out, '\f'), nil
	case 'n':
		return append(out, '\n'), nil
	case 'r':
		return append(out, '\r'), nil
	case 't':
		return append(out, '\t'), nil
	case 'u':
		return r.unicode(out)
	}
	return out, errJSON
}

// unicode reads the digits of an escape, and a second one if they are half of a pair.
func (r *jsonReader) unicode(out []byte) ([]byte, error) {
	c, ok := r.hex4()
	if !ok {
		return out, errJSON
	}
	if !utf16.IsSurrogate(c) {
		return utf8.AppendRune(out, c), nil
	}
	if len(r.in)-r.at < 2 || string(r.in[r.at:r.at+2]) != `\u` {
		return out, errJSON
	}
	r.at += 2
	low, ok := r.hex4()
	pair := utf16.DecodeRune(c, low)
	if !ok || pair == utf8.RuneError {
		return out, errJSON
	}
	return utf8.AppendRune(out, pair), nil
}

func (r *jsonReader) hex4() (rune, bool) {
	if len(r.in)-r.at < 4 {
		return 0, false
	}
	n, err := strconv.ParseUint(string(r.in[r.at:r.at+4]), 16, 16)
	r.at += 4
	return rune(n), err == nil
}
