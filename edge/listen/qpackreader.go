package listen

import "golang.org/x/net/http2/hpack"

// A qpackReader decodes a field section (RFC 9204 4.5) that refers to the static table only: we grant no
// other. What it gives is appended to mem, and stays valid when mem grows.
type qpackReader struct {
	mem  []byte
	in   []byte // not yet decoded
	left int    // of the bytes that the section may have, by RFC 9114 4.2.2
}

// begin takes the prefix of a section.
func (q *qpackReader) begin(section []byte, most int) error {
	q.in, q.left = section, most
	required, ok := q.integer(8)
	if !ok || required != 0 || len(q.in) == 0 || q.in[0]&0x80 != 0 { // a negative base
		return errH3Block
	}
	if _, ok = q.integer(7); !ok { // any base will do where nothing refers to it
		return errH3Block
	}
	return nil
}

// more tells whether there is another field line.
func (q *qpackReader) more() bool { return len(q.in) > 0 }

// next gives the next field line. The error is errH3Block, or errSection if the section is too large.
func (q *qpackReader) next() (name, value []byte, err error) {
	ok := false
	switch b := q.in[0]; {
	case b&0xc0 == 0xc0: // indexed, static
		name, value, ok = q.indexed()
	case b&0xf0 == 0x50 || b&0xf0 == 0x70: // name of the static table
		var i uint64
		if i, ok = q.integer(4); ok && i < uint64(len(qpackStatic)) {
			name = q.keep(qpackStatic[i].name)
			value, ok = q.text(7)
		} else {
			ok = false
		}
	case b&0xe0 == 0x20: // literal name
		if name, ok = q.text(3); ok {
			value, ok = q.text(7)
		}
	}
	if !ok {
		return nil, nil, errH3Block
	}
	if q.left -= len(name) + len(value) + 32; q.left < 0 {
		return nil, nil, errSection
	}
	return name, value, nil
}

func (q *qpackReader) indexed() (name, value []byte, ok bool) {
	i, ok := q.integer(6)
	if !ok || i >= uint64(len(qpackStatic)) {
		return nil, nil, false
	}
	return q.keep(qpackStatic[i].name), q.keep(qpackStatic[i].value), true
}

func (q *qpackReader) keep(s string) []byte {
	n := len(q.mem)
	q.mem = append(q.mem, s...)
	return q.mem[n:len(q.mem):len(q.mem)]
}

// text decodes a string whose length has a prefix of that many bits; the bit before tells of Huffman's code.
func (q *qpackReader) text(prefix int) ([]byte, bool) {
	if len(q.in) == 0 {
		return nil, false
	}
	coded := q.in[0]&(1<<prefix) != 0
	n, ok := q.integer(prefix)
	if !ok || n > uint64(len(q.in)) {
		return nil, false
	}
	raw := q.in[:n]
	q.in = q.in[n:]
	begin := len(q.mem)
	if !coded {
		q.mem = append(q.mem, raw...)
	} else if _, err := hpack.HuffmanDecode((*qpackMemory)(q), raw); err != nil {
		return nil, false
	}
	return q.mem[begin:len(q.mem):len(q.mem)], true
}

// qpackMemory appends to mem.
type qpackMemory qpackReader

func (m *qpackMemory) Write(p []byte) (int, error) {
	m.mem = append(m.mem, p...)
	return len(p), nil
}

// integer decodes one with a prefix of that many bits (RFC 7541 5.1), of 62 bits at most.
func (q *qpackReader) integer(prefix int) (uint64, bool) {
	if len(q.in) == 0 {
		return 0, false
	}
	most := uint64(1)<<prefix - 1
	v := uint64(q.in[0]) & most
	q.in = q.in[1:]
	if v < most {
		return v, true
	}
	for shift := 0; len(q.in) > 0 && shift < 63; shift += 7 {
		b := q.in[0]
		q.in = q.in[1:]
		if v += uint64(b&0x7f) << shift; v >= 1<<62 {
			return 0, false
		}
		if b&0x80 == 0 {
			return v, true
		}
	}
	return 0, false
}
