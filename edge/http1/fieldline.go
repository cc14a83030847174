package http1

import "slices"

// fields reads the field lines from i to the empty line and gives the place behind it. Those that frame the
// message go to p.head, the others to out.
func (p *Parser) fields(buf []byte, i int, out *Fields, request bool) (int, error) {
	for lines := 0; ; lines++ {
		if i < len(buf) && buf[i] == '\r' {
			return lineEnd(buf, i)
		}
		if lines == p.lim.Fields {
			return 0, errTooManyFields
		}
		f, kind, next, err := fieldLine(buf, i, request)
		if err != nil {
			return 0, err
		}
		i = next
		if kind != plain {
			if kind, err = p.wire(kind, f.Value, request); err != nil {
				return 0, err
			}
		}
		if kind == plain {
			*out = append(*out, f)
		}
	}
}

// fieldLine reads "name: value CRLF" at i and gives the place behind it. In a request a name must not be an
// alias of a reserved one.
func fieldLine(buf []byte, i int, request bool) (f Field, kind nameKind, next int, err error) {
	start, bits := i, uint8(0)
	for i < len(buf) {
		c := class[buf[i]]
		if c&isToken == 0 {
			break
		}
		bits |= c
		i++
	}
	if i == len(buf) {
		return f, plain, 0, ErrIncomplete
	}
	if buf[i] != ':' || i == start {
		return f, plain, 0, nameError(buf, start, i)
	}
	f.Name = buf[start:i]
	kind = kindOf(f.Name)
	if request && bits&isUnderline != 0 && isReserved(f.Name) {
		return f, plain, 0, errAlias
	}
	for i++; i < len(buf) && (buf[i] == ' ' || buf[i] == '\t'); i++ {
	}
	start = i
	i = textEnd(buf, i)
	if next, err = lineEnd(buf, i); err != nil {
		return f, plain, 0, err
	}
	for i > start && (buf[i-1] == ' ' || buf[i-1] == '\t') {
		i--
	}
	f.Value = buf[start:i:i]
	return f, kind, next, nil
}

// nameError says what is wrong with the name from start that stops at i.
func nameError(buf []byte, start, i int) error {
	switch c := buf[i]; {
	case c == '\n':
		return errBareLF
	case c == '\r' && i+1 == len(buf):
		return ErrIncomplete
	case c == '\r' && buf[i+1] != '\n':
		return errBareCR
	case (c == ' ' || c == '\t') && i == start:
		return errFold
	case c == ' ' || c == '\t':
		return errColonSpace
	}
	return errName
}

// wire notes a field that frames the message. It gives plain if the field is to be forwarded as it is.
func (p *Parser) wire(kind nameKind, v []byte, request bool) (nameKind, error) {
	h := &p.head
	switch kind {
	case nameLength:
		return kind, h.setLength(v)
	case nameCoding:
		if h.hasCoding {
			return kind, errCoding
		}
		h.coding, h.hasCoding = v, true
	case nameConnection:
		return kind, p.addConnection(v)
	case nameUpgrade:
		h.addUpgrade(v, request)
		h.upgrades = min(h.upgrades+1, 2)
	case nameTE:
		h.te = h.te || EqualFold(v, "trailers")
	case nameHost:
		if !request {
			return plain, nil
		}
		if h.hasHost {
			return kind, errHostTwice
		}
		h.host, h.hasHost = v, true
	case nameExpect:
		if !request {
			return plain, nil
		}
		if h.hasExpect || !EqualFold(v, "100-continue") {
			return kind, errExpect
		}
		h.expect, h.hasExpect = v, true
	}
	return kind, nil
}

func (h *head) setLength(v []byte) error {
	if h.length >= 0 {
		return errLengthTwice
	}
	n, ok := parseDecimal(v)
	if !ok {
		return errLength
	}
	h.length = n
	return nil
}

// maxConnections bounds the Connection lines of a head.
const maxConnections = 8

func (p *Parser) addConnection(v []byte) error {
	switch p.head.lines++; {
	case p.head.lines == 1:
		p.head.connection = v
		p.more = p.more[:0]
	case p.head.lines <= maxConnections:
		p.more = append(p.more, v)
	default:
		return errConnection
	}
	return nil
}

// addUpgrade keeps the last line of a request, of which several are not taken, and all of an answer.
func (h *head) addUpgrade(v []byte, request bool) {
	if !request && h.upgrades > 0 {
		v = slices.Concat(h.upgrade, []byte(", "), v)
	}
	h.upgrade = v
}
