package http1

// validExtensions tells whether e, in which there is no control byte but HTAB, is
// "1*( BWS ; BWS name [ BWS = BWS ( token / quoted-string ) ] )" (RFC 9112 7.1.1).
func validExtensions(e []byte) bool {
	for len(e) > 0 {
		var ok bool
		if e, ok = after(e, ';'); !ok {
			return false
		}
		if e, ok = afterToken(e); !ok {
			return false
		}
		value, ok := after(e, '=')
		if !ok {
			continue
		}
		if e, ok = afterValue(value); !ok {
			return false
		}
	}
	return true
}

// after takes c, with white space around it, off the front of e.
func after(e []byte, c byte) (rest []byte, ok bool) {
	e = skipSpace(e)
	if len(e) == 0 || e[0] != c {
		return nil, false
	}
	return skipSpace(e[1:]), true
}

func skipSpace(e []byte) []byte {
	for len(e) > 0 && (e[0] == ' ' || e[0] == '\t') {
		e = e[1:]
	}
	return e
}

func afterToken(e []byte) (rest []byte, ok bool) {
	i := 0
	for i < len(e) && class[e[i]]&isToken != 0 {
		i++
	}
	return e[i:], i > 0
}

func afterValue(e []byte) (rest []byte, ok bool) {
	if len(e) == 0 || e[0] != '"' {
		return afterToken(e)
	}
	for i := 1; i < len(e); i++ {
		switch e[i] {
		case '"':
			return e[i+1:], true
		case '\\':
			i++ // what is quoted
		}
	}
	return nil, false
}
