package meter

import "slices"

// meters is what metering adds to a module.
type meters struct {
	added   []funcType // types after the module's own
	found   map[string]uint32
	helpers []helper          // functions after the module's own
	calls   map[uint32]uint32 // the helpers that call imported functions
	fuelled []fuelled
	bulk    [helperKinds]uint32 // the functions of each kind, 0 if there is none yet
}

// The kinds of helpers. Those of bulk operations take an amount, pay for it and give it back.
const (
	helperImport = iota // pays for an imported function and calls it
	helperCall          // calls an exported function with fuel
	helperBytes
	helperItems
	helperPages
	helperKinds
)

// A helper is a function that metering adds.
type helper struct {
	kind   int
	typ    uint32
	target uint32 // of helperImport and helperCall
}

// fuelled is an exported function that can be called with fuel as well.
type fuelled struct {
	name           string
	target, helper uint32
}

// addCalls adds the functions that take fuel.
func (m *module) addCalls() {
	for i := range m.fuelled {
		f := &m.fuelled[i]
		t := m.types[m.functions[f.target]]
		with := funcType{append(slices.Clone(t.params), I64), append(slices.Clone(t.results), I64)}
		f.helper = m.addHelper(helper{kind: helperCall, typ: m.typeIndex(with), target: f.target})
	}
}

// appendCall makes the last parameter the counter, calls the target with the others, and gives the counter too.
func (m *module) appendCall(out []byte, h helper) []byte {
	n := len(m.types[m.functions[h.target]].params)
	out = appendU32(append(out, opLocalGet), uint32(n))
	out = appendU32(append(out, opGlobalSet), uint32(m.globals))
	for i := range n {
		out = appendU32(append(out, opLocalGet), uint32(i))
	}
	out = appendU32(append(out, opCall), m.paying(h.target))
	return appendU32(append(out, opGlobalGet), uint32(m.globals))
}

// typeIndex is the index of a type, which is added if there is none like it.
func (m *module) typeIndex(t funcType) uint32 {
	if m.found == nil {
		m.found = make(map[string]uint32, len(m.types))
		for i, have := range m.types {
			if key := have.key(); m.found[key] == 0 {
				m.found[key] = uint32(i) + 1
			}
		}
	}
	key := t.key()
	if m.found[key] == 0 {
		m.added = append(m.added, t)
		m.found[key] = uint32(len(m.types) + len(m.added))
	}
	return m.found[key] - 1
}

func (t funcType) key() string { return string(t.params) + ":" + string(t.results) }

func (m *module) addHelper(h helper) uint32 {
	m.helpers = append(m.helpers, h)
	return uint32(len(m.functions) + len(m.helpers) - 1)
}

// helperOf is the function that pays for one kind of bulk operation.
func (m *module) helperOf(kind int) uint32 {
	if m.bulk[kind] == 0 {
		typ := m.typeIndex(funcType{[]byte{I32}, []byte{I32}})
		m.bulk[kind] = m.addHelper(helper{kind: kind, typ: typ}) + 1
	}
	return m.bulk[kind] - 1
}

// paying is the function to use in the place of function i: itself, or the helper that pays for it.
func (m *module) paying(i uint32) uint32 {
	if int(i) >= m.imported || !m.offers[i].paid() {
		return i
	}
	to, ok := m.calls[i]
	if !ok {
		to = m.addHelper(helper{kind: helperImport, typ: m.functions[i], target: i})
		if m.calls == nil {
			m.calls = map[uint32]uint32{}
		}
		m.calls[i] = to
	}
	return to
}

// redirect puts the function that pays in the place of the index at.
func (m *module) redirect(section int, at span, i uint32) {
	if to := m.paying(i); to != i {
		m.edits[section] = append(m.edits[section], edit{at, appendU32(nil, to)})
	}
}

// appendHelper appends the body of a helper.
func (m *module) appendHelper(out []byte, h helper) []byte {
	body := []byte{0} // locals
	switch h.kind {
	case helperImport:
		body = m.appendImportCall(body, h)
	case helperCall:
		body = m.appendCall(body, h)
	default:
		body = appendU32(append(body, opGlobalGet), uint32(m.globals))
		body = append(body, opLocalGet, 0, opI64ExtendU)
		body = m.appendAmount(body, h.kind)
		body = m.appendCheck(append(body, opI64Sub))
		body = append(body, opLocalGet, 0)
	}
	body = append(body, opEnd)
	return append(appendU32(out, uint32(len(body))), body...)
}

// appendAmount makes units of the number on the stack.
func (m *module) appendAmount(out []byte, kind int) []byte {
	switch kind {
	case helperBytes:
		return append(out, opI64Const, shiftBytes, opI64ShrU)
	case helperItems:
		return append(out, opI64Const, shiftItems, opI64ShrU)
	}
	out = append(out, opMemorySize, 0, opI64ExtendU, opI64Add)
	return append(appendS64(append(out, opI64Const), pageUnits), opI64Mul)
}

func (m *module) appendImportCall(out []byte, h helper) []byte {
	offer := m.offers[h.target]
	out = appendU32(append(out, opGlobalGet), uint32(m.globals))
	out = append(appendS64(append(out, opI64Const), offer.Cost), opI64Sub)
	if offer.Counted > 0 {
		out = append(appendU32(append(out, opLocalGet), uint32(offer.Counted-1)), opI64ExtendU)
		out = append(appendS64(append(out, opI64Const), int64(offer.Shift)), opI64ShrU, opI64Sub)
	}
	out = m.appendCheck(out)
	for i := range m.types[h.typ].params {
		out = appendU32(append(out, opLocalGet), uint32(i))
	}
	return appendU32(append(out, opCall), h.target)
}

// appendCheck makes the counter what is on the stack, and traps if that is below zero.
func (m *module) appendCheck(out []byte) []byte {
	counter := uint32(m.globals)
	out = appendU32(append(out, opGlobalSet), counter)
	out = appendU32(append(out, opGlobalGet), counter)
	return append(out, opI64Const, 0, opI64LtS, opIf, typeEmpty, opUnreachable, opEnd)
}
