package listen

import "github.com/wedge-lb/wedge/edge/http2"

// A qpackReader decodes a field section (RFC 9204 4.5) that refers to the static table only: we grant no
// other. What it gives is appended to Mem, and stays valid when Mem grows.
type qpackReader struct {
	http2.Scanner
	left int // of the bytes that the section may have, by RFC 9114 4.2.2
}

// begin takes the prefix of a section.
func (q *qpackReader) begin(section []byte, most int) error {
	q.In, q.left = section, most
	required, ok := q.Integer(8)
	if !ok || required != 0 || len(q.In) == 0 || q.In[0]&0x80 != 0 { // a negative base
		return errH3Block
	}
	if _, ok = q.Integer(7); !ok { // any base will do where nothing refers to it
		return errH3Block
	}
	return nil
}

// more tells whether there is another field line.
func (q *qpackReader) more() bool { return len(q.In) > 0 }

// next gives the next field line. The error is errH3Block, or errSection if the section is too large.
func (q *qpackReader) next() (name, value []byte, err error) {
	ok := false
	switch b := q.In[0]; {
	case b&0xc0 == 0xc0: // indexed, static
		name, value, ok = q.indexed()
	case b&0xf0 == 0x50 || b&0xf0 == 0x70: // name of the static table
		var i uint64
		if i, ok = q.Integer(4); ok && i < uint64(len(qpackStatic)) {
			name = q.Keep(qpackStatic[i].name)
			value, ok = q.Text(7)
		} else {
			ok = false
		}
	case b&0xe0 == 0x20: // literal name
		if name, ok = q.Text(3); ok {
			value, ok = q.Text(7)
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
	i, ok := q.Integer(6)
	if !ok || i >= uint64(len(qpackStatic)) {
		return nil, nil, false
	}
	return q.Keep(qpackStatic[i].name), q.Keep(qpackStatic[i].value), true
}
