package http2

// TableSize is what the client may have us keep of its fields, and the default (RFC 9113 6.5.2).
const TableSize = 4 << 10

// entryCost is what an entry counts for beside its text (RFC 7541 4.1).
const entryCost = 32

// A table is the dynamic table of a decoder: the text of its entries lies in one piece of memory, the oldest
// first.
type table struct {
	text    []byte
	entries []entry // entries[gone:] are there, the newest last
	gone    int
	size    int // by RFC 7541 4.1
	most    int // that the client asked for
}

// An entry is a name with a value behind it.
type entry struct{ at, name, value int32 }

// len is the number of entries.
func (t *table) len() int { return len(t.entries) - t.gone }

// get gives the entry at an index that begins with the newest at 0; its slices are the table's.
func (t *table) get(i int) (name, value []byte) {
	e := t.entries[len(t.entries)-1-i]
	end := e.at + e.name
	return t.text[e.at:end], t.text[end : end+e.value]
}

// add makes an entry, for which others may have to go, or all of them if it is too large (RFC 7541 4.4). The
// slices must not be the table's.
func (t *table) add(name, value []byte) {
	need := len(name) + len(value) + entryCost
	t.shrink(t.most - need)
	if need > t.most {
		return
	}
	t.compact(len(name) + len(value))
	t.entries = append(t.entries, entry{int32(len(t.text)), int32(len(name)), int32(len(value))})
	t.text = append(append(t.text, name...), value...)
	t.size += need
}

// resize makes the table one of at most n bytes.
func (t *table) resize(n int) {
	t.most = n
	t.shrink(n)
}

// shrink drops the oldest entries until the table has at most n bytes.
func (t *table) shrink(n int) {
	for t.size > n && t.gone < len(t.entries) {
		e := t.entries[t.gone]
		t.size -= int(e.name+e.value) + entryCost
		t.gone++
	}
}

// compact makes room for n more bytes of text, and for an entry, where memory of old ones can be used again.
func (t *table) compact(n int) {
	if t.gone == len(t.entries) {
		t.entries, t.gone, t.text = t.entries[:0], 0, t.text[:0]
		return
	}
	from := t.entries[t.gone].at
	crowded := len(t.text)+n > cap(t.text) && int(from) >= len(t.text)/2
	full := len(t.entries) == cap(t.entries) && t.gone >= len(t.entries)/2
	if !crowded && !full {
		return
	}
	t.text = t.text[:copy(t.text, t.text[from:])]
	t.entries = t.entries[:copy(t.entries, t.entries[t.gone:])]
	for i := range t.entries {
		t.entries[i].at -= from
	}
	t.gone = 0
}
