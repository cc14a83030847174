package http2

// A Decoder decodes the field blocks of a connection, one after the other (RFC 7541). Its own memory is the
// dynamic table, of TableSize at most; HuffmanDecode of golang.org/x/net, which it uses, pools its own.
type Decoder struct {
	Scanner
	table   table
	left    int  // bytes that the fields may have, by RFC 9113 6.5.2
	begun   bool // a field line has been seen: the table's size may not change any more
	started bool
}

// Begin takes a block, whose fields may have that many bytes. It must be decoded to its end.
func (d *Decoder) Begin(block []byte, most int) {
	if !d.started {
		d.started, d.table.most = true, TableSize
	}
	d.In, d.left, d.begun = block, most, false
}

// More tells whether there is another field line. It takes changes of the table's size, which are none.
func (d *Decoder) More() (bool, *Error) {
	for len(d.In) > 0 && d.In[0]&0xe0 == 0x20 {
		n, ok := d.Integer(5)
		if !ok || n > TableSize || d.begun {
			return false, errBlock
		}
		d.table.resize(int(n))
	}
	return len(d.In) > 0, nil
}

// Next gives the next field line. ok is false when the fields have more bytes than they may: then nothing is
// given, but the block must be decoded on, for the next ones refer to its fields.
func (d *Decoder) Next() (name, value []byte, ok bool, err *Error) {
	d.begun = true
	kept := len(d.Mem)
	var good bool
	switch b := d.In[0]; {
	case b&0x80 != 0:
		return d.indexed()
	case b&0xc0 == 0x40:
		if name, value, good = d.literal(6); good {
			d.table.add(name, value)
		}
	default: // not to be kept, or never to be
		name, value, good = d.literal(4)
	}
	if !good {
		return nil, nil, false, errBlock
	}
	if !d.fits(len(name) + len(value)) {
		d.Mem = d.Mem[:kept]
		return nil, nil, false, nil
	}
	return name, value, true, nil
}

// fits counts a field.
func (d *Decoder) fits(n int) bool {
	if d.left < n+entryCost {
		d.left = 0
		return false
	}
	d.left -= n + entryCost
	return true
}

func (d *Decoder) indexed() (name, value []byte, ok bool, err *Error) {
	i, good := d.Integer(7)
	if !good || i == 0 {
		return nil, nil, false, errBlock
	}
	if i <= uint64(len(static)) {
		f := &static[i-1]
		if !d.fits(len(f.name) + len(f.value)) {
			return nil, nil, false, nil
		}
		return d.Keep(f.name), d.Keep(f.value), true, nil
	}
	if i -= uint64(len(static)) + 1; i >= uint64(d.table.len()) {
		return nil, nil, false, errBlock
	}
	name, value = d.table.get(int(i))
	if !d.fits(len(name) + len(value)) {
		return nil, nil, false, nil
	}
	return d.keep(name), d.keep(value), true, nil
}

// literal decodes a line whose value follows; its name does, or has an index of that many bits.
func (d *Decoder) literal(prefix int) (name, value []byte, ok bool) {
	i, ok := d.Integer(prefix)
	switch {
	case !ok:
		return nil, nil, false
	case i == 0:
		if name, ok = d.Text(7); !ok {
			return nil, nil, false
		}
	case i <= uint64(len(static)):
		name = d.Keep(static[i-1].name)
	case i-uint64(len(static)) <= uint64(d.table.len()):
		old, _ := d.table.get(int(i) - len(static) - 1)
		name = d.keep(old)
	default:
		return nil, nil, false
	}
	value, ok = d.Text(7)
	return name, value, ok
}

func (d *Decoder) keep(b []byte) []byte {
	n := len(d.Mem)
	d.Mem = append(d.Mem, b...)
	return d.Mem[n:len(d.Mem):len(d.Mem)]
}
