package affinity

import "bytes"

// Uncacheable tells whether a Cache-Control value keeps an answer out of shared caches already (RFC 9111,
// 5.2.2.5 and 5.2.2.7; private with a list of fields does not).
func Uncacheable(value []byte) bool {
	for len(value) > 0 {
		var d []byte
		d, value = directive(value)
		if bytes.EqualFold(d, noStore) || bytes.EqualFold(d, private) {
			return true
		}
	}
	return false
}

// AppendPrivate appends what the Cache-Control field of an answer that sets the cookie has to be: private,
// and what value (nil = no field) says but for what lets shared caches keep the answer. It is meant for
// values that are not Uncacheable; of several fields, the values behind the first follow by AppendDirectives.
func AppendPrivate(dst, value []byte) []byte {
	return AppendDirectives(append(dst, private...), value)
}

// AppendDirectives appends the directives of one more Cache-Control field, as AppendPrivate does.
func AppendDirectives(dst, value []byte) []byte {
	for len(value) > 0 {
		var d []byte
		if d, value = directive(value); len(d) > 0 && !shares(d) {
			dst = append(dst, ", "...)
			dst = append(dst, d...)
		}
	}
	return dst
}

var (
	noStore = []byte("no-store")
	private = []byte("private")
	public  = []byte("public")
	sMaxAge = []byte("s-maxage")
)

// shares tells whether a directive lets shared caches keep an answer.
func shares(d []byte) bool {
	name, _, _ := bytes.Cut(d, equals)
	name = bytes.TrimRight(name, white)
	return bytes.EqualFold(name, public) || bytes.EqualFold(name, sMaxAge)
}

// directive cuts the first directive off a list; a comma between quotes does not end it.
func directive(list []byte) (first, rest []byte) {
	quoted := false
	for i := 0; i < len(list); i++ {
		switch c := list[i]; {
		case c == '\\' && quoted:
			i++
		case c == '"':
			quoted = !quoted
		case c == ',' && !quoted:
			return bytes.Trim(list[:i], white), list[i+1:]
		}
	}
	return bytes.Trim(list, white), nil
}
