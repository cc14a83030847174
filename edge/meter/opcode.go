package meter

// An immediate is the form of what follows an opcode; the names are those of the grammar in the
// specification's "Instructions" of "Binary Format".
type immediate uint8

const (
	undefined    immediate = iota // not an instruction of WebAssembly 2.0
	nothing                       //
	blockType                     // s33, or the byte of a value type, or 0x40
	label                         // labelidx
	labels                        // vec(labelidx) labelidx
	function                      // funcidx
	indirect                      // typeidx tableidx
	valueTypes                    // vec(valtype)
	local                         // localidx
	global                        // globalidx
	table                         // tableidx
	memoryArg                     // align u32, offset u32
	memory                        // 0x00
	constI32                      // i32
	constI64                      // i64
	bytes4                        // f32
	bytes8                        // f64
	bytes16                       // v128
	heapType                      // reftype
	data                          // dataidx
	dataMemory                    // dataidx 0x00
	element                       // elemidx
	elementTable                  // elemidx tableidx
	twoMemories                   // 0x00 0x00
	twoTables                     // tableidx tableidx
	lane                          // laneidx
	memoryLane                    // align u32, offset u32, laneidx
	lanes16                       // 16 laneidx, each of 32
)

// An operator is an instruction: what follows its opcode, and its price in points.
type operator struct {
	immediate immediate
	points    uint8
	lanes     uint8 // how many lanes there are, for the forms with a lane
}

// The opcodes that metering looks at.
const (
	opUnreachable  = 0x00
	opBlock        = 0x02
	opLoop         = 0x03
	opIf           = 0x04
	opElse         = 0x05
	opEnd          = 0x0b
	opBr           = 0x0c
	opBrIf         = 0x0d
	opBrTable      = 0x0e
	opReturn       = 0x0f
	opCall         = 0x10
	opCallIndirect = 0x11
	opDrop         = 0x1a
	opLocalGet     = 0x20
	opGlobalGet    = 0x23
	opGlobalSet    = 0x24
	opMemorySize   = 0x3f
	opMemoryGrow   = 0x40
	opI32Const     = 0x41
	opI64Const     = 0x42
	opF32Const     = 0x43
	opF64Const     = 0x44
	opI64LtS       = 0x53
	opI32Add       = 0x6a
	opI64Add       = 0x7c
	opI64Sub       = 0x7d
	opI64Mul       = 0x7e
	opI64ShrU      = 0x88
	opI64ExtendU   = 0xad
	opRefNull      = 0xd0
	opRefFunc      = 0xd2
	prefixBulk     = 0xfc
	prefixVector   = 0xfd

	bulkMemoryInit = 0x08
	bulkDataDrop   = 0x09
	bulkMemoryCopy = 0x0a
	bulkMemoryFill = 0x0b
	bulkTableInit  = 0x0c
	bulkElemDrop   = 0x0d
	bulkTableCopy  = 0x0e
	bulkTableGrow  = 0x0f
	bulkTableSize  = 0x10
	bulkTableFill  = 0x11

	vectorConst = 0x0c
)

// The tables of instructions by opcode: of one byte, after 0xfc and after 0xfd.
var (
	plain  = plainOperators()
	bulk   = bulkOperators()
	vector = vectorOperators()
)

// set gives the opcodes from and to and all between one form and price.
func set(t *[256]operator, from, to int, i immediate, points uint8) {
	for op := from; op <= to; op++ {
		t[op] = operator{immediate: i, points: points}
	}
}

func plainOperators() (t [256]operator) {
	set(&t, 0x00, 0x01, nothing, 0) // unreachable, nop
	set(&t, opBlock, opLoop, blockType, 0)
	set(&t, opIf, opIf, blockType, 1)
	set(&t, opElse, opElse, nothing, 1)
	set(&t, opEnd, opEnd, nothing, 0)
	set(&t, opBr, opBrIf, label, 1)
	set(&t, opBrTable, opBrTable, labels, 4)
	set(&t, opReturn, opReturn, nothing, 1)
	set(&t, opCall, opCall, function, 4)
	set(&t, opCallIndirect, opCallIndirect, indirect, 8)
	set(&t, opDrop, opDrop, nothing, 0)
	set(&t, 0x1b, 0x1b, nothing, 1) // select
	set(&t, 0x1c, 0x1c, valueTypes, 1)
	set(&t, opLocalGet, opLocalGet, local, 0)
	set(&t, 0x21, 0x22, local, 1)  // local.set, local.tee
	set(&t, 0x23, 0x24, global, 1) // global.get, global.set
	set(&t, 0x25, 0x26, table, 4)  // table.get, table.set
	set(&t, 0x28, 0x35, memoryArg, pointsLoad)
	set(&t, 0x36, 0x3e, memoryArg, pointsStore)
	set(&t, opMemorySize, opMemorySize, memory, 1)
	set(&t, opMemoryGrow, opMemoryGrow, memory, pointsExit)
	set(&t, opI32Const, opI32Const, constI32, 0)
	set(&t, opI64Const, opI64Const, constI64, 0)
	set(&t, opF32Const, opF32Const, bytes4, 1)
	set(&t, opF64Const, opF64Const, bytes8, 1)
	numericOperators(&t)
	set(&t, opRefNull, opRefNull, heapType, 0)
	set(&t, 0xd1, 0xd1, nothing, 1) // ref.is_null
	set(&t, opRefFunc, opRefFunc, function, pointsExit)
	return t
}

func numericOperators(t *[256]operator) {
	set(t, 0x45, 0xc4, nothing, 1)
	set(t, 0x5b, 0x66, nothing, 2)           // comparisons of floats
	set(t, 0x6c, 0x6c, nothing, 3)           // i32.mul
	set(t, 0x6d, 0x70, nothing, pointsDiv)   // i32.div, i32.rem
	set(t, 0x7e, 0x7e, nothing, 3)           // i64.mul
	set(t, 0x7f, 0x82, nothing, pointsDiv)   // i64.div, i64.rem
	set(t, 0x8b, 0x98, nothing, 4)           // f32
	set(t, 0x91, 0x91, nothing, pointsDiv)   // f32.sqrt
	set(t, 0x95, 0x95, nothing, pointsDiv)   // f32.div
	set(t, 0x99, 0xa6, nothing, 4)           // f64
	set(t, 0x9f, 0x9f, nothing, pointsDiv)   // f64.sqrt
	set(t, 0xa3, 0xa3, nothing, pointsDiv)   // f64.div
	set(t, 0xa8, 0xab, nothing, pointsTrunc) // i32.trunc
	set(t, 0xae, 0xb1, nothing, pointsTrunc) // i64.trunc
	set(t, 0xb2, 0xbb, nothing, 4)           // conversions to floats
}

func bulkOperators() (t [256]operator) {
	set(&t, 0x00, 0x07, nothing, pointsTrunc) // saturating truncation
	set(&t, bulkMemoryInit, bulkMemoryInit, dataMemory, pointsBulk)
	set(&t, bulkDataDrop, bulkDataDrop, data, 4)
	set(&t, bulkMemoryCopy, bulkMemoryCopy, twoMemories, pointsBulk)
	set(&t, bulkMemoryFill, bulkMemoryFill, memory, pointsBulk)
	set(&t, bulkTableInit, bulkTableInit, elementTable, pointsBulk)
	set(&t, bulkElemDrop, bulkElemDrop, element, 4)
	set(&t, bulkTableCopy, bulkTableCopy, twoTables, pointsBulk)
	set(&t, bulkTableGrow, bulkTableGrow, table, pointsExit)
	set(&t, bulkTableSize, bulkTableSize, table, 1)
	set(&t, bulkTableFill, bulkTableFill, table, pointsBulk)
	return t
}

func vectorOperators() (t [256]operator) {
	set(&t, 0x00, 0x0a, memoryArg, pointsLoad)
	set(&t, 0x0b, 0x0b, memoryArg, pointsStore)
	set(&t, vectorConst, vectorConst, bytes16, 1)
	set(&t, 0x0d, 0x0d, lanes16, 6)
	set(&t, 0x0e, 0x14, nothing, 4)
	laneOperators(&t)
	set(&t, 0x23, 0xff, nothing, 4)
	for _, gap := range []int{0x9a, 0xa2, 0xa5, 0xa6, 0xaf, 0xb0, 0xb2, 0xb3, 0xb4, 0xbb, 0xc2, 0xc5, 0xc6, 0xcf,
		0xd0, 0xd2, 0xd3, 0xd4, 0xe2, 0xee} {
		t[gap] = operator{}
	}
	for _, slow := range []int{
		0x62, 0x6b, 0x6c, 0x6d, 0xcc, 0xd5, 0xe3, 0xe7, 0xef, 0xf3, 0xf8, 0xf9, 0xfc, 0xfd,
	} {
		t[slow].points = pointsDiv // lanes that the processor has no instruction for, or a slow one
	}
	memoryLanes(&t)
	set(&t, 0x5c, 0x5d, memoryArg, pointsLoad)
	return t
}

// laneOperators are extract_lane and replace_lane.
func laneOperators(t *[256]operator) {
	set(t, 0x15, 0x22, lane, 3)
	for k, n := range []uint8{16, 16, 16, 8, 8, 8, 4, 4, 2, 2, 4, 4, 2, 2} {
		t[0x15+k].lanes = n
	}
}

// memoryLanes load and store one lane: of 8, 16, 32 and 64 bits.
func memoryLanes(t *[256]operator) {
	for k := range 4 {
		t[0x54+k] = operator{memoryLane, pointsLoad, 16 >> k}
		t[0x58+k] = operator{memoryLane, pointsStore, 16 >> k}
	}
}
