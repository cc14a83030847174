package meter

// The bits of the form of a segment of references.
const (
	elementPassive  = 1 // or declared, if there is a table too
	elementExplicit = 2 // the table is named; declared, if passive
	elementConstant = 4 // constant expressions instead of function indices
)

func (m *module) readElements(r *reader) {
	m.elements = r.count("segments of references", m.lim.Elements)
	items := 0
	for range m.elements {
		items = m.readElement(r, items)
	}
}

// readElement reads one segment, before which there were so many references, and gives how many there are
// now.
func (m *module) readElement(r *reader, items int) int {
	at := r.at
	form := r.u32()
	if form > 7 {
		r.fail(at, "segment of unknown form %d", form)
	}
	if form&elementPassive == 0 {
		number := 0
		if form&elementExplicit != 0 {
			number = int(r.u32())
		}
		if r.fault == nil && number >= m.tables {
			r.fail(at, "table %d of %d", number, m.tables)
		}
		m.constant(r, sectionElement, m.globals)
	}
	if form&(elementPassive|elementExplicit) != 0 {
		m.readKind(r, form&elementConstant != 0)
	}
	at = r.at
	n := r.count("references in all segments", m.lim.Items)
	if items += n; items > m.lim.Items {
		r.over(at, int64(items), int64(m.lim.Items), "references in all segments")
		return items
	}
	for range n {
		if form&elementConstant != 0 {
			m.constant(r, sectionElement, m.globals)
		} else {
			m.refer(r, sectionElement)
		}
	}
	return items
}

func (m *module) readKind(r *reader, constant bool) {
	at := r.at
	if constant {
		r.reference()
	} else if kind := r.byte(); r.fault == nil && kind != 0 {
		r.fail(at, "segment of unknown kind %#x", kind)
	}
}

func (m *module) readData(r *reader) {
	at := r.at
	n := r.count("segments of data", m.lim.Segments)
	if m.counted && n != m.segments {
		r.fail(at, "%d segments of data, %d are counted", n, m.segments)
	}
	m.segments = n
	for range n {
		m.readSegment(r)
	}
}

func (m *module) readSegment(r *reader) {
	at := r.at
	form := r.u32()
	if form > 2 {
		r.fail(at, "segment of unknown form %d", form)
	}
	if form == 2 {
		r.index("memory", m.memories)
	}
	if form != 1 {
		if r.fault == nil && m.memories == 0 {
			r.fail(at, "data without a memory")
		}
		m.constant(r, sectionData, m.globals)
	}
	r.take(r.count("bytes of data", m.lim.Module))
}
