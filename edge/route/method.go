package route

import "bytes"

func (r *Route[T]) allows(method []byte) bool {
	for _, m := range r.Methods {
		if string(method) == m {
			return true
		}
	}
	return len(r.Methods) == 0
}

// validMethod tells whether a client may send m: a token (RFC 9110, section 9.1), here without small letters.
func validMethod(m string) bool {
	for i := range len(m) {
		c := m[i]
		if c <= ' ' || c >= 0x7f || 'a' <= c && c <= 'z' || bytes.IndexByte([]byte(`"(),/:;<=>?@[\]{}`), c) >= 0 {
			return false
		}
	}
	return m != ""
}

// appendMethods appends those of methods that the list, which begins at start of dst, does not name yet.
func appendMethods(dst []byte, start int, methods []string) []byte {
	for _, m := range methods {
		if listed(dst[start:], m) {
			continue
		}
		if len(dst) > start {
			dst = append(dst, ", "...)
		}
		dst = append(dst, m...)
	}
	return dst
}

func listed(list []byte, method string) bool {
	for item := range bytes.SplitSeq(list, []byte(", ")) {
		if string(item) == method {
			return true
		}
	}
	return false
}
