package meter

import (
	"slices"
	"strings"
)

// Export is the name under which the counter is exported; guests may not use what begins like it.
const Export = "wedge_fuel"

// globalType reads a global's type.
func (m *module) globalType(r *reader) {
	r.value()
	at := r.at
	switch r.byte() {
	case 0:
	case 1:
		if m.mutable++; m.mutable > m.lim.Mutable {
			r.over(at, int64(m.mutable), int64(m.lim.Mutable), "globals that can change")
		}
	default:
		r.fail(at, "mutability of unknown form")
	}
}

func (m *module) readGlobals(r *reader) {
	n := r.count("globals", m.lim.Globals)
	for range n {
		m.globalType(r)
		m.constant(r, sectionGlobal, m.globals)
	}
	m.globals += n
}

// constant reads a constant expression, which may use so many globals.
func (m *module) constant(r *reader, section, globals int) {
	at := r.at
	switch op := r.byte(); op {
	case opI32Const:
		r.signed(32)
	case opI64Const:
		r.signed(64)
	case opF32Const:
		r.take(4)
	case opF64Const:
		r.take(8)
	case prefixVector:
		if r.byte() != vectorConst {
			r.fail(at, "instruction in a constant expression")
		}
		r.take(16)
	case opRefNull:
		r.reference()
	case opRefFunc:
		m.refer(r, section)
	case opGlobalGet:
		r.index("global", globals)
	default:
		r.fail(at, "instruction %#x in a constant expression", op)
	}
	if r.more() && r.byte() != opEnd {
		r.fail(r.at-1, "constant expression of several instructions")
	}
}

// exported notes the functions that are to be called with fuel.
func (m *module) exported(name string, function uint32) {
	if slices.Contains(m.opt.Calls, name) {
		m.fuelled = append(m.fuelled, fuelled{name: name, target: function})
	}
}

// refer reads the index of a function that something may hold a reference of.
func (m *module) refer(r *reader, section int) uint32 {
	at := r.at
	i := r.index("function", len(m.functions))
	if r.fault != nil {
		return 0
	}
	if m.referenced == nil {
		m.referenced = make([]bool, len(m.functions))
	}
	m.referenced[i] = true
	m.redirect(section, span{at, r.at}, i)
	return i
}

func (m *module) readExports(r *reader) {
	n := r.count("exports", m.lim.Exports)
	seen := make(map[string]bool, n)
	for range n {
		at := r.at
		name := r.name()
		switch {
		case seen[name]:
			r.fail(at, "export %q: twice", shown(name))
		case strings.HasPrefix(name, Export):
			r.fail(at, "export %q: the name is kept for the host", shown(name))
		}
		seen[name] = true
		kindAt := r.at
		switch kind := r.byte(); kind {
		case externFunction:
			m.exported(name, m.refer(r, sectionExport))
		case externTable:
			r.index("table", m.tables)
		case externMemory:
			r.index("memory", m.memories)
		case externGlobal:
			r.index("global", m.globals)
		default:
			r.fail(kindAt, "export of unknown kind %#x", kind)
		}
	}
}

func (m *module) readStart(r *reader) {
	at := r.at
	m.redirect(sectionStart, span{at, r.at}, r.index("function", len(m.functions)))
}
