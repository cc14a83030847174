package meter

// An Import is a function that the host offers.
type Import struct {
	Params, Results []byte // value types
	Cost            int64  // units for each call
	Counted         int    // the parameter, from 1, an i32 whose amount is paid for as well; 0 = none
	Shift           uint8  // of that parameter: a unit for each 1<<Shift
}

func (i Import) paid() bool { return i.Cost > 0 || i.Counted > 0 }

func (m *module) readImports(r *reader) {
	for range r.count("imports", m.lim.Imports) {
		at := r.at
		from, name := r.name(), r.name()
		kind := r.byte()
		if kind != externFunction && !m.opt.Linked {
			r.fail(at, "import %q: a %s; only functions are offered", shown(from+"."+name), externName(kind))
		}
		switch kind {
		case externFunction:
			m.importFunction(r, at, from, name)
		case externTable:
			m.tables++
			r.reference()
			r.bounds()
		case externMemory:
			m.memories++
			r.bounds()
		case externGlobal:
			m.globals++
			m.globalType(r)
		default:
			r.fail(at, "import %q: of unknown kind %#x", shown(from+"."+name), kind)
		}
	}
}

// The kinds of what modules import and export.
const (
	externFunction = iota
	externTable
	externMemory
	externGlobal
)

func externName(kind byte) string {
	if names := []string{"function", "table", "memory", "global"}; int(kind) < len(names) {
		return names[kind]
	}
	return "thing of an unknown kind"
}

func (m *module) importFunction(r *reader, at int, from, name string) {
	index := r.index("type", len(m.types))
	if r.fault != nil {
		return
	}
	m.functions = append(m.functions, index)
	m.imported++
	offer, known := m.offer(r, at, from, name)
	m.offers = append(m.offers, offer)
	if !known {
		return
	}
	want := funcType{offer.Params, offer.Results}
	if got := m.types[index]; got.String() != want.String() {
		r.fail(at, "import %q: a function %s; it is %s", shown(from+"."+name), got, want)
	}
}

// offer finds what the host offers by a name.
func (m *module) offer(r *reader, at int, from, name string) (Import, bool) {
	list, ok := m.opt.Imports[from]
	if !ok && !m.opt.Linked {
		r.fail(at, "import %q: unknown module", shown(from+"."+name))
		return Import{}, false
	}
	offer, ok := list[name]
	if !ok && !m.opt.Linked {
		r.fail(at, "import %q: unknown function", shown(from+"."+name))
	}
	return offer, ok
}
