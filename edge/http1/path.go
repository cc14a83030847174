package http1

// NormalizePath gives the one form of a path that is routed, shown to strategies and forwarded: escapes of
// unreserved characters are decoded, the hex digits of the others are upper case (RFC 3986 6.2.2), nothing
// else changes. It works in p's memory. A path with a dot segment in any spelling (also behind an encoded
// slash or backslash, or before a path parameter) is refused and never resolved, and so are a control byte,
// %00, a backslash, # and bytes outside ASCII. A path begins with a slash; "*" is not one.
func NormalizePath(p []byte) ([]byte, error) {
	if len(p) == 0 || p[0] != '/' {
		return nil, errPath
	}
	special := false
	for i, c := range p {
		if class[c]&isPath == 0 {
			return nil, errPath
		}
		if c == '%' || c == '/' && i+1 < len(p) && p[i+1] == '.' {
			special = true
		}
	}
	if !special {
		return p, nil
	}
	p, err := decodeUnreserved(p)
	if err != nil {
		return nil, err
	}
	if dotSegment(p) {
		return nil, errDots
	}
	return p, nil
}

func decodeUnreserved(p []byte) ([]byte, error) {
	w := 0
	for i := 0; i < len(p); i++ {
		c := p[i]
		if c != '%' {
			p[w] = c
			w++
			continue
		}
		if i+2 >= len(p) || class[p[i+1]]&class[p[i+2]]&isHex == 0 {
			return nil, errEscape
		}
		v := unhex(p[i+1])<<4 | unhex(p[i+2])
		switch {
		case v == 0:
			return nil, errEscape
		case class[v]&isUnreserved != 0:
			p[w] = v
			w++
		default:
			p[w], p[w+1], p[w+2] = '%', upperHex(p[i+1]), upperHex(p[i+2])
			w += 3
		}
		i += 2
	}
	return p[:w], nil
}

// dotSegment looks for "." and ".." between slashes of any spelling; p is decoded and in upper case.
func dotSegment(p []byte) bool {
	for i := 0; i < len(p); {
		n := separator(p[i:])
		if n == 0 {
			i++
			continue
		}
		i += n
		if dots := countDots(p[i:]); dots > 0 && dots <= 2 && segmentEnds(p[i+dots:]) {
			return true
		}
	}
	return false
}

// separator is the length of the slash or backslash that p begins with, 0 = none.
func separator(p []byte) int {
	switch {
	case p[0] == '/':
		return 1
	case len(p) >= 3 && p[0] == '%' && (p[1] == '2' && p[2] == 'F' || p[1] == '5' && p[2] == 'C'):
		return 3
	}
	return 0
}

func countDots(p []byte) int {
	n := 0
	for n < len(p) && p[n] == '.' {
		n++
	}
	return n
}

// segmentEnds counts a path parameter as the end: servers that know them strip them first ("/..;x/").
func segmentEnds(p []byte) bool {
	return len(p) == 0 || separator(p) > 0 || p[0] == ';' ||
		len(p) >= 3 && p[0] == '%' && p[1] == '3' && p[2] == 'B'
}

func unhex(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return c&^0x20 - 'A' + 10
}

func upperHex(c byte) byte {
	if c >= 'a' {
		return c &^ 0x20
	}
	return c
}
