package meter

import "unicode/utf8"

// nameFunctions is the kind of the part of the name section that has the names of functions.
const nameFunctions = 1

// readNames takes the names of functions from the name section. One that is not sound is left out, as the
// specification has it: names change nothing of what a module does.
func (m *module) readNames() {
	r := m.reader(m.at[sectionCustom], sectionCustom)
	functions := span{}
	for r.more() {
		kind := r.byte()
		size := r.count("bytes of names", m.lim.Names)
		if at := r.at; kind == nameFunctions {
			functions = span{at, at + size}
		}
		r.take(size)
	}
	if r.fault != nil || functions == (span{}) || !m.readFunctionNames(functions) {
		m.names, m.at[sectionCustom] = nil, span{}
		return
	}
	m.at[sectionCustom] = functions
}

// readFunctionNames tells whether the names are sound: in the order of their functions and each of valid
// text.
func (m *module) readFunctionNames(at span) bool {
	r := m.reader(at, sectionCustom)
	n := r.count("names", m.lim.Functions+m.lim.Imports)
	m.names = make(map[uint32]string, n)
	last := int64(-1)
	for range n {
		i := r.u32()
		name := r.take(r.count("bytes of a name", maxName))
		if int64(i) <= last || !utf8.Valid(name) {
			return false
		}
		last = int64(i)
		m.names[i] = string(name)
	}
	return r.fault == nil && !r.more()
}

// appendNames appends the section of the names that were read.
func (m *module) appendNames(out []byte) []byte {
	at := m.at[sectionCustom]
	if len(m.names) == 0 {
		return out
	}
	content := append(appendU32(nil, 4), "name"...)
	content = append(content, nameFunctions)
	content = appendU32(content, uint32(at.to-at.from))
	return appendSection(out, sectionCustom, append(content, m.wasm[at.from:at.to]...))
}
