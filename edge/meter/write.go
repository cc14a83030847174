package meter

import "math/bits"

// appendU32 appends an unsigned integer in LEB128.
func appendU32(out []byte, n uint32) []byte {
	for n >= 0x80 {
		out = append(out, byte(n)|0x80)
		n >>= 7
	}
	return append(out, byte(n))
}

// appendS64 appends a signed integer in LEB128.
func appendS64(out []byte, n int64) []byte {
	for n < -0x40 || n >= 0x40 {
		out = append(out, byte(n)|0x80)
		n >>= 7
	}
	return append(out, byte(n)&0x7f)
}

// sizeU32 is how many bytes appendU32 appends.
func sizeU32(n uint32) int { return (bits.Len32(n|1) + 6) / 7 }

func appendSection(out []byte, id byte, content []byte) []byte {
	out = append(out, id)
	out = appendU32(out, uint32(len(content)))
	return append(out, content...)
}

// write makes the metered module.
func (m *module) write(code []byte) []byte {
	out := make([]byte, 0, len(m.wasm)+len(code)/2)
	out = append(out, m.wasm[:8]...)
	for _, id := range inOrder {
		out = m.writeSection(out, id, code)
	}
	return m.appendNames(out)
}

func (m *module) writeSection(out []byte, id int, code []byte) []byte {
	extra, more := 0, []byte(nil)
	switch id {
	case sectionCode:
		if extra = len(m.bodies) + len(m.helpers); extra == 0 {
			return out
		}
		return appendSection(out, sectionCode, append(appendU32(nil, uint32(extra)), code...))
	case sectionType:
		extra, more = len(m.added), m.newTypes()
	case sectionFunction:
		extra, more = len(m.helpers), m.newFunctions()
	case sectionGlobal:
		extra, more = 1, m.newGlobal()
	case sectionExport:
		extra, more = 1+len(m.fuelled), m.newExports()
	}
	if m.at[id] == (span{}) && extra == 0 {
		return out
	}
	return appendSection(out, byte(id), m.edited(id, extra, more))
}

// edited is a section's content with its edits, and with so many things more than it had.
func (m *module) edited(id, extra int, more []byte) []byte {
	at := m.at[id]
	out := make([]byte, 0, at.to-at.from+len(more)+8)
	if extra > 0 {
		r := m.reader(at, id)
		n := uint32(0)
		if at != (span{}) {
			n = r.u32()
		}
		out = appendU32(out, n+uint32(extra))
		at.from = r.at
	}
	for _, e := range m.edits[id] {
		out = append(out, m.wasm[at.from:e.from]...)
		out = append(out, e.with...)
		at.from = e.to
	}
	out = append(out, m.wasm[at.from:at.to]...)
	return append(out, more...)
}

func (m *module) newTypes() (out []byte) {
	for _, t := range m.added {
		out = append(out, typeFunc)
		out = append(appendU32(out, uint32(len(t.params))), t.params...)
		out = append(appendU32(out, uint32(len(t.results))), t.results...)
	}
	return out
}

func (m *module) newFunctions() (out []byte) {
	for _, h := range m.helpers {
		out = appendU32(out, h.typ)
	}
	return out
}

func (m *module) newGlobal() []byte {
	return append(appendS64([]byte{I64, 1, opI64Const}, m.opt.Fuel), opEnd)
}

func (m *module) newExports() []byte {
	out := appendExport(nil, Export, externGlobal, uint32(m.globals))
	for _, f := range m.fuelled {
		out = appendExport(out, Fuelled(f.name), externFunction, f.helper)
	}
	return out
}

func appendExport(out []byte, name string, kind byte, index uint32) []byte {
	out = append(appendU32(out, uint32(len(name))), name...)
	return appendU32(append(out, kind), index)
}
