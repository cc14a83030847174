package meter

// An instruction is one that was read.
type instruction struct {
	operator
	at      int    // its first byte
	code    int    // its opcode, after a prefix
	prefix  byte   // prefixBulk, prefixVector or 0
	arg     uint32 // index or label; of blockType the number of results
	argAt   span   // where arg stands
	targets []uint32
}

// is tells whether it is an instruction of one byte.
func (i *instruction) is(op int) bool { return i.prefix == 0 && i.code == op }

// A body reads the instructions of one function. It holds every index to the original module.
type body struct {
	reader
	m      *module
	typ    funcType
	locals int // with the parameters
	start  int // where the instructions begin
	in     instruction
}

// readCode notes where the bodies are.
func (m *module) readCode(r *reader) {
	n := r.count("bodies", m.lim.Functions)
	for k := range n {
		r.function = m.imported + k
		at := r.at
		size := int(r.u32())
		if size > m.lim.Body {
			r.over(at, int64(size), int64(m.lim.Body), "bytes of a function")
		}
		m.bodies = append(m.bodies, span{r.at, r.at + size})
		r.take(size)
		m.named(r.fault)
	}
	r.function = -1
}

// named adds the function's name to a fault.
func (m *module) named(f *Fault) *Fault {
	if f != nil && f.Function >= 0 {
		f.Name = shown(m.names[uint32(f.Function)])
	}
	return f
}

// body begins to read the k-th function that the module brings: its locals.
func (m *module) body(b *body, k int) {
	at := m.bodies[k]
	index := m.imported + k
	b.reader = reader{data: m.wasm, at: at.from, end: at.to, section: sectionNames[sectionCode], function: index}
	b.m, b.typ = m, m.types[m.functions[index]]
	b.locals = len(b.typ.params)
	for range b.count("groups of locals", m.lim.Locals) {
		at := b.at
		n := int64(b.u32())
		b.value()
		if n += int64(b.locals); n > int64(m.lim.Locals) {
			b.over(at, n, int64(m.lim.Locals), "locals")
			return
		}
		b.locals = int(n)
	}
	b.start = b.at
}

// next reads an instruction.
func (b *body) next() *instruction {
	in := &b.in
	in.at, in.prefix = b.at, 0
	in.code = int(b.byte())
	switch in.code {
	default:
		in.operator = plain[in.code]
	case prefixBulk:
		b.prefixed(&bulk)
	case prefixVector:
		b.prefixed(&vector)
	}
	if b.fault == nil && in.immediate == undefined {
		b.unknown()
	}
	b.immediates()
	return in
}

// prefixed reads what follows a prefix. That of vectors has to be written with as few bytes as can be: there
// are compilers that would take other forms for other instructions.
func (b *body) prefixed(t *[256]operator) {
	in := &b.in
	in.prefix = byte(in.code)
	at := b.at
	n := b.u32()
	in.code, in.operator = int(n), operator{}
	if n < 256 && (in.prefix == prefixBulk || b.at-at == sizeU32(n)) {
		in.operator = t[n]
	}
}

func (b *body) unknown() {
	if in := &b.in; in.prefix != 0 {
		b.fail(in.at, "instruction %#x %#x, which WebAssembly 2.0 does not have", in.prefix, in.code)
	} else {
		b.fail(in.at, "instruction %#x, which WebAssembly 2.0 does not have", in.code)
	}
}

// immediates reads what follows the opcode.
func (b *body) immediates() {
	in := &b.in
	m := b.m
	switch in.immediate {
	case nothing:
	case blockType:
		b.block()
	case label:
		in.arg = b.u32()
	case labels:
		b.labels()
	case local:
		in.arg = b.index("local", b.locals)
	case global:
		in.arg = b.index("global", m.globals)
	case function:
		from := b.at
		in.arg = b.index("function", len(m.functions))
		in.argAt = span{from, b.at}
	case indirect:
		in.arg = b.index("type", len(m.types))
		b.index("table", m.tables)
	case constI32:
		b.signed(32)
	case constI64:
		b.signed(64)
	case bytes4:
		b.take(4)
	case bytes8:
		b.take(8)
	case bytes16:
		b.take(16)
	case heapType:
		b.reference()
	case valueTypes:
		b.select1()
	default:
		b.memoryImmediates()
	}
}

// memoryImmediates reads those of instructions that use memories, tables, segments and lanes.
func (b *body) memoryImmediates() {
	in, m := &b.in, b.m
	switch in.immediate {
	case memoryArg:
		b.address()
	case memoryLane:
		b.address()
		b.lane(in.lanes)
	case lane:
		b.lane(in.lanes)
	case lanes16:
		for range 16 {
			b.lane(32)
		}
	case memory:
		b.zero()
	case twoMemories:
		b.zero()
		b.zero()
	case data, dataMemory:
		b.segment()
		if in.immediate == dataMemory {
			b.zero()
		}
	case element:
		b.index("segment", m.elements)
	case elementTable:
		b.index("segment", m.elements)
		b.index("table", m.tables)
	case table:
		b.index("table", m.tables)
	case twoTables:
		b.index("table", m.tables)
		b.index("table", m.tables)
	}
}

// segment reads the index of a segment of data; they have to be counted before the code.
func (b *body) segment() {
	if !b.m.counted {
		b.fail(b.at, "segments of data are not counted")
	}
	b.index("segment", b.m.segments)
}

// block reads the type of a block.
func (b *body) block() {
	at := b.at
	t := b.signed(33)
	switch first := b.data[at] & 0x7f; {
	case b.fault != nil:
	case t >= int64(len(b.m.types)):
		b.fail(at, "type %d of %d", t, len(b.m.types))
	case t < 0 && (b.at-at != 1 || first != typeEmpty && !isValue(first)):
		b.fail(at, "block of type %#x", first)
	}
}

// labels reads the targets of a br_table, the default last.
func (b *body) labels() {
	in := &b.in
	n := b.count("targets of a br_table", b.m.lim.Targets)
	in.targets = in.targets[:0]
	for range n + 1 {
		in.targets = append(in.targets, b.u32())
	}
}

// select1 reads the type of a select, which has one.
func (b *body) select1() {
	at := b.at
	if n := b.u32(); b.fault == nil && n != 1 {
		b.fail(at, "select of %d types", n)
	}
	b.value()
}

// address reads what a load or store adds to its address. There is one memory, so that its number is not
// written.
func (b *body) address() {
	at := b.at
	if align := b.u32(); b.fault == nil && align >= 32 {
		b.fail(at, "alignment of 2^%d", align)
	}
	b.u32()
	b.needMemory(at)
}

func (b *body) needMemory(at int) {
	if b.fault == nil && b.m.memories == 0 {
		b.fail(at, "there is no memory")
	}
}

// zero reads the byte that stands for the one memory.
func (b *body) zero() {
	at := b.at
	if n := b.byte(); b.fault == nil && n != 0 {
		b.fail(at, "memory %d", n)
	}
	b.needMemory(at)
}

func (b *body) lane(lanes uint8) {
	at := b.at
	if n := b.byte(); b.fault == nil && n >= lanes {
		b.fail(at, "lane %d of %d", n, lanes)
	}
}
