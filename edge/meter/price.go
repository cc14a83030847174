package meter

// What code costs. A point is about the time of one simple instruction of the processor, a unit of fuel is
// pointsUnit of them: some 5 ns of usual code. The prices are part of what a guest may rely on:
// sdk/ABI.md states them.
const (
	pointsUnit  = 32
	pointsLoad  = 8
	pointsStore = 4
	pointsDiv   = 16   // division, remainder, square root; lanes that take several instructions
	pointsTrunc = 8    // checked conversions to integers
	pointsBulk  = 64   // a bulk operation, beside its length
	pointsExit  = 160  // what leaves compiled code for the engine
	pointsLeaf  = 64   // a function without loops and calls that costs no more is paid by who calls it
	pointsRun   = 1024 // a way of code that costs more is paid in parts
	pointsFrame = 64   // of a function that is no leaf: for its frame, and pointsLocal for each local of it
	pointsLocal = 4

	shiftBytes = 6 // bulk memory: a unit for each 64 bytes
	shiftItems = 3 // bulk table: a unit for each 8 entries

	pageUnits = 64 // memory.grow: for each page that the memory then has
)

// Version counts the forms of metering: what was metered by one must not be taken for another's.
const Version = 1
