package plugin_test

import (
	"encoding/binary"
	"slices"

	"github.com/wedge-lb/wedge/sdk/abi"
)

// An assembly is a guest made of imports and exports. Each export does what body says, and else gives 0.
type assembly struct {
	imports, exports []abi.Func
	bodies           map[string][]byte // code without its end, by the name of the export
	pages            byte              // of memory; default 1
}

// Instructions, and the kinds of what crosses the border.
const (
	opEnd, opCall, opDrop, opI32, opI64 = 0x0b, 0x10, 0x1a, 0x41, 0x42

	crossFunc, crossMemory = 0, 2
)

func vector(items ...[]byte) []byte {
	return append(binary.AppendUvarint(nil, uint64(len(items))), slices.Concat(items...)...)
}

func sized(b []byte) []byte { return append(binary.AppendUvarint(nil, uint64(len(b))), b...) }

func section(id byte, items ...[]byte) []byte { return append([]byte{id}, sized(vector(items...))...) }

func types(list []abi.ValueType) []byte {
	b := binary.AppendUvarint(nil, uint64(len(list)))
	for _, v := range list {
		b = append(b, byte(v))
	}
	return b
}

// constant pushes a value of a type; of an i32 the low half counts.
func constant(v abi.ValueType, value uint64) []byte {
	if v == abi.I32 {
		return append([]byte{opI32}, signed(int64(int32(value)))...)
	}
	return append([]byte{opI64}, signed(int64(value))...)
}

// signed is LEB128 of a signed number.
func signed(v int64) (b []byte) {
	for {
		low := byte(v & 0x7f)
		if v >>= 7; v == 0 && low&0x40 == 0 || v == -1 && low&0x40 != 0 {
			return append(b, low)
		}
		b = append(b, low|0x80)
	}
}

// calling is the code of a call of import n with those arguments, whose result is dropped.
func (a assembly) calling(n int, args ...uint64) (code []byte) {
	f := a.imports[n]
	for i, v := range f.Params {
		code = append(code, constant(v, args[i])...)
	}
	code = append(append(code, opCall), binary.AppendUvarint(nil, uint64(n))...)
	if len(f.Results) > 0 {
		code = append(code, opDrop)
	}
	return code
}

// module is the guest in the binary format; type n is that of function n.
func (a assembly) module() []byte {
	var kinds, asked, defined, shown, code [][]byte
	for n, f := range slices.Concat(a.imports, a.exports) {
		kinds = append(kinds, slices.Concat([]byte{0x60}, types(f.Params), types(f.Results)))
		index := binary.AppendUvarint(nil, uint64(n))
		if n < len(a.imports) {
			asked = append(asked, slices.Concat(sized([]byte(abi.Module)), sized([]byte(f.Name)),
				[]byte{crossFunc}, index))
			continue
		}
		body := append([]byte{0}, a.bodies[f.Name]...) // no locals
		if f.Name != abi.ExportFrame && f.Name != abi.ExportPick || a.bodies[f.Name] == nil {
			for _, v := range f.Results {
				body = append(body, constant(v, 0)...)
			}
		}
		defined = append(defined, index)
		shown = append(shown, slices.Concat(sized([]byte(f.Name)), []byte{crossFunc}, index))
		code = append(code, sized(append(body, opEnd)))
	}
	shown = append(shown, slices.Concat(sized([]byte(abi.ExportMemory)), []byte{crossMemory, 0}))
	return slices.Concat([]byte("\x00asm\x01\x00\x00\x00"), section(1, kinds...), section(2, asked...),
		section(3, defined...), section(5, []byte{0, max(a.pages, 1)}), section(7, shown...), section(10, code...))
}
