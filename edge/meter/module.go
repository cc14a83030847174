package meter

import "slices"

// The ids of sections.
const (
	sectionCustom = iota
	sectionType
	sectionImport
	sectionFunction
	sectionTable
	sectionMemory
	sectionGlobal
	sectionExport
	sectionStart
	sectionElement
	sectionCode
	sectionData
	sectionDataCount
	sections
)

var sectionNames = [sections]string{"custom", "type", "import", "function", "table", "memory", "global",
	"export", "start", "element", "code", "data", "data count"}

// inOrder are the sections as they follow each other; the data count stands before the code.
var inOrder = [...]int{
	sectionType, sectionImport, sectionFunction, sectionTable, sectionMemory, sectionGlobal, sectionExport,
	sectionStart, sectionElement, sectionDataCount, sectionCode, sectionData,
}

// A span is a part of the module's bytes.
type span struct{ from, to int }

// A funcType is the type of a function.
type funcType struct{ params, results []byte }

// A module is what was read of a module before its code.
type module struct {
	opt  *Options
	lim  Limits
	wasm []byte
	at   [sections]span // the content of each section; empty if it is not there

	types      []funcType
	functions  []uint32 // the type of each function, the imported ones first
	imported   int      // how many are imported
	offers     []Import // of the imported ones
	tables     int
	memories   int
	globals    int
	mutable    int
	elements   int
	segments   int  // of data
	counted    bool // there is a data count
	bodies     []span
	referenced []bool // functions that a table may hold, or code may take a reference of

	leaves  []int // points of the functions that who calls them pays for, 0 for the others
	anyLeaf int   // the most of those that a table may hold

	names map[uint32]string
	edits [sections][]edit
	meters
}

// An edit of a section: the bytes at give place to with.
type edit struct {
	span
	with []byte
}

// read goes through the sections in their order.
func (m *module) read() *Fault {
	r := m.reader(span{0, len(m.wasm)}, -1)
	if len(m.wasm) > m.lim.Module {
		r.over(0, int64(len(m.wasm)), int64(m.lim.Module), "bytes")
	}
	if magic := r.take(8); r.fault == nil && string(magic) != "\x00asm\x01\x00\x00\x00" {
		r.fail(0, "not a WebAssembly module of version 1")
	}
	last := 0
	for r.more() {
		last = m.next(r, last)
	}
	if r.fault != nil {
		return r.fault
	}
	m.readNames()
	for _, id := range inOrder {
		if f := m.section(id); f != nil {
			return f
		}
	}
	return m.consistent()
}

// next notes where a section is, and gives its place in the order.
func (m *module) next(r *reader, last int) int {
	at := r.at
	id := int(r.byte())
	size := r.count("bytes of a section", m.lim.Module)
	content := span{r.at, r.at + size}
	r.take(size)
	switch {
	case r.fault != nil:
	case id >= sections:
		r.fail(at, "section of unknown kind %d", id)
	case id == sectionCustom:
		m.custom(r, content)
	case slices.Index(inOrder[:], id) < last:
		r.fail(at, "%s section out of its order", sectionNames[id])
	default:
		m.at[id] = content
		return slices.Index(inOrder[:], id) + 1
	}
	return last
}

// custom looks at the name of a custom section; all but the names of functions are left out.
func (m *module) custom(r *reader, at span) {
	c := m.reader(at, sectionCustom)
	name := c.name()
	if c.fault != nil {
		r.fail(at.from, "custom section: %s", c.fault.Text)
		return
	}
	if name == "name" && m.at[sectionCustom] == (span{}) && at.to-c.at <= m.lim.Names {
		m.at[sectionCustom] = span{c.at, at.to}
	}
}

// reader reads a part of a section.
func (m *module) reader(at span, section int) *reader {
	r := &reader{data: m.wasm, at: at.from, end: at.to, function: -1}
	if section >= 0 {
		r.section = sectionNames[section]
	}
	return r
}

// section reads one section, if it is there.
func (m *module) section(id int) *Fault {
	if m.at[id] == (span{}) {
		return nil
	}
	r := m.reader(m.at[id], id)
	switch id {
	case sectionType:
		m.readTypes(r)
	case sectionImport:
		m.readImports(r)
	case sectionFunction:
		m.readFunctions(r)
	case sectionTable:
		m.readTables(r)
	case sectionMemory:
		m.readMemories(r)
	case sectionGlobal:
		m.readGlobals(r)
	case sectionExport:
		m.readExports(r)
	case sectionStart:
		m.readStart(r)
	case sectionElement:
		m.readElements(r)
	case sectionDataCount:
		m.counted = true
		m.segments = int(r.u32())
	case sectionData:
		m.readData(r)
	case sectionCode:
		m.readCode(r)
	}
	if r.more() {
		r.fail(r.at, "%d bytes too many", r.end-r.at)
	}
	return r.fault
}

// consistent compares what several sections say of the same things.
func (m *module) consistent() *Fault {
	r := m.reader(m.at[sectionCode], sectionCode)
	if own := len(m.functions) - m.imported; own != len(m.bodies) {
		r.fail(r.at, "%d functions and %d bodies", own, len(m.bodies))
	}
	if m.counted && m.at[sectionData] == (span{}) && m.segments != 0 {
		r.fail(r.at, "%d segments of data are counted and there are none", m.segments)
	}
	return r.fault
}
