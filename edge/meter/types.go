package meter

// The bytes of value types.
const (
	I32       byte = 0x7f
	I64       byte = 0x7e
	F32       byte = 0x7d
	F64       byte = 0x7c
	V128      byte = 0x7b
	FuncRef   byte = 0x70
	ExternRef byte = 0x6f

	typeFunc  byte = 0x60
	typeEmpty byte = 0x40 // of a block
)

func isReference(t byte) bool { return t == FuncRef || t == ExternRef }

func isValue(t byte) bool { return t >= V128 && t <= I32 || isReference(t) }

// value reads a value type.
func (r *reader) value() byte {
	at := r.at
	t := r.byte()
	if r.fault == nil && !isValue(t) {
		r.fail(at, "value type %#x", t)
	}
	return t
}

// reference reads a reference type.
func (r *reader) reference() byte {
	at := r.at
	t := r.byte()
	if r.fault == nil && !isReference(t) {
		r.fail(at, "reference type %#x", t)
	}
	return t
}

// values reads a vector of value types.
func (r *reader) values(what string, limit int) []byte {
	n := r.count(what, limit)
	from := r.at
	for range n {
		r.value()
	}
	if r.fault != nil {
		return nil
	}
	return r.data[from:r.at]
}

func (m *module) readTypes(r *reader) {
	n := r.count("types", m.lim.Types)
	m.types = make([]funcType, 0, n)
	for range n {
		at := r.at
		if form := r.byte(); r.fault == nil && form != typeFunc {
			r.fail(at, "type of form %#x", form)
		}
		params := r.values("parameters", m.lim.Values)
		m.types = append(m.types, funcType{params, r.values("results", m.lim.Values)})
	}
}

// String writes a type as (i32, i64) -> (i32).
func (t funcType) String() string { return valueText(t.params) + " -> " + valueText(t.results) }

func valueText(list []byte) string {
	names := map[byte]string{
		I32: "i32", I64: "i64", F32: "f32", F64: "f64", V128: "v128", FuncRef: "funcref", ExternRef: "externref",
	}
	text := "("
	for i, t := range list {
		if i > 0 {
			text += ", "
		}
		text += names[t]
	}
	return text + ")"
}

// bounds reads the limits of a table or a memory.
func (r *reader) bounds() (low, high uint32, bounded bool) {
	at := r.at
	switch flag := r.byte(); {
	case r.fault != nil:
	case flag == 0:
		return r.u32(), 0, false
	case flag == 1:
		low, high = r.u32(), r.u32()
		if r.fault == nil && high < low {
			r.fail(at, "at least %d and at most %d", low, high)
		}
		return low, high, true
	default:
		r.fail(at, "limits of form %#x", flag)
	}
	return 0, 0, false
}

func (m *module) readFunctions(r *reader) {
	n := r.count("functions", m.lim.Functions)
	for range n {
		m.functions = append(m.functions, r.index("type", len(m.types)))
	}
}

func (m *module) readTables(r *reader) {
	at := r.at
	n := r.count("tables", 1<<16)
	if m.tables+n > 1 && !m.opt.Linked {
		r.over(at, int64(m.tables+n), 1, "tables")
	}
	for range n {
		m.tables++
		r.reference()
		m.readTable(r)
	}
}

func (m *module) readTable(r *reader) {
	at := r.at
	low, high, bounded := r.bounds()
	if int64(low) > int64(m.lim.Table) {
		r.over(at, int64(low), int64(m.lim.Table), "entries of a table")
	}
	if most := max(low, uint32(m.lim.Growth)); !bounded || high > most {
		m.clamp(sectionTable, span{at, r.at}, low, most)
	}
}

func (m *module) readMemories(r *reader) {
	at := r.at
	n := r.count("memories", 1<<16)
	if m.memories += n; m.memories > 1 {
		r.over(at, int64(m.memories), 1, "memories")
	}
	for range n {
		at := r.at
		low, high, bounded := r.bounds()
		if most := m.lim.Memory; int64(low) > int64(most) {
			r.over(at, int64(low), int64(most), "pages of memory")
		} else if high > 1<<16 {
			r.over(at, int64(high), 1<<16, "pages of memory")
		} else if !bounded || int64(high) > int64(most) {
			m.clamp(sectionMemory, span{at, r.at}, low, uint32(most))
		}
	}
}

// clamp writes other limits in the place of those at.
func (m *module) clamp(section int, at span, low, high uint32) {
	with := appendU32(appendU32([]byte{1}, low), high)
	m.edits[section] = append(m.edits[section], edit{at, with})
}
