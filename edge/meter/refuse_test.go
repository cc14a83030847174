package meter_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedge-lb/wedge/edge/meter"
)

// offered is a host of one function.
func offered() meter.Options {
	return meter.Options{Imports: map[string]map[string]meter.Import{
		"wedge": {"now": {Results: []byte{meter.I64}, Cost: 10}},
	}}
}

// refusals are modules and why they are refused.
type refusals map[string]struct {
	wasm []byte
	want string
}

func (r refusals) check(t *testing.T) {
	for name, tt := range r {
		t.Run(name, func(t *testing.T) {
			_, err := meter.Rewrite(tt.wasm, offered())
			assert.EqualError(t, err, tt.want)
		})
	}
}

// void is a section of the type () -> (), and one is a section of one function of that type.
func void() []byte { return section(1, 1, 0x60, 0, 0) }
func one() []byte  { return section(3, 1, 0) }

func TestRefusedForms(t *testing.T) {
	refusals{
		"nothing": {nil,
			`ends too early (offset 0x0)`},
		"another file": {[]byte("#!/bin/sh\necho"),
			`not a WebAssembly module of version 1 (offset 0x0)`},
		"another version": {[]byte("\x00asm\x0d\x00\x01\x00"),
			`not a WebAssembly module of version 1 (offset 0x0)`},
		"an unknown section": {wasm(section(13)),
			`section of unknown kind 13 (offset 0x8)`},
		"sections out of order": {wasm(section(3, 0), section(1, 0)),
			`type section out of its order (offset 0xb)`},
		"a section twice": {wasm(section(1, 0), section(1, 0)),
			`type section out of its order (offset 0xb)`},
		"a section that is cut": {wasm([]byte{1, 5, 0}),
			`5 bytes of a section in 1 bytes (offset 0x9)`},
		"a section with more": {wasm(section(1, 0, 0)),
			`1 bytes too many (type section, offset 0xb)`},
		"a number that is long": {wasm([]byte{1, 0x80, 0x80, 0x80, 0x80, 0x10}),
			`number of more than 32 bits (offset 0x9)`},
		"a custom section": {wasm(section(0, 9, "x")),
			`custom section: 9 bytes of a name in 1 bytes (offset 0xa)`},
		"a type of another form": {wasm(section(1, 1, 0x5f, 0)),
			`type of form 0x5f (type section, offset 0xb)`},
		"a value type": {wasm(section(1, 1, 0x60, 1, 0x63, 0)),
			`value type 0x63 (type section, offset 0xd)`},
		"a type that is not there": {wasm(void(), section(3, 1, 7)),
			`type 7 of 1 (function section, offset 0x11)`},
		"bodies without functions": {wasm(void(), section(10, 1, sized(0, 0x0b))),
			`0 functions and 1 bodies (code section, offset 0x10)`},
		"functions without bodies": {wasm(void(), one()),
			`1 functions and 0 bodies (code section, offset 0x0)`},
	}.check(t)
}

func TestRefusedImports(t *testing.T) {
	for name, tt := range map[string]struct {
		imported []byte
		want     string
	}{
		"an unknown function": {join(sized("wedge"), sized("then"), 0, 0),
			`import "wedge.then": unknown function`},
		"an unknown module": {join(sized("env"), sized("abort"), 0, 0),
			`import "env.abort": unknown module`},
		"a name with line breaks": {join(sized("a\nb"), sized("\x1b[2J"), 0, 0),
			`import "a?b.?[2J": unknown module`},
		"a wrong type": {join(sized("wedge"), sized("now"), 0, 0),
			`import "wedge.now": a function () -> (); it is () -> (i64)`},
		"an imported memory": {join(sized("env"), sized("memory"), 2, 0, 1),
			`import "env.memory": a memory; only functions are offered`},
		"a name that is no text": {join(sized("\xff"), sized("a"), 0, 0),
			`name that is not UTF-8`},
	} {
		t.Run(name, func(t *testing.T) {
			types := section(1, 2, 0x60, 0, 0, 0x60, 0, 1, meter.I64)
			_, err := meter.Rewrite(wasm(types, section(2, 1, tt.imported)), offered())
			assert.EqualError(t, err, tt.want+" (import section, offset 0x15)")
		})
	}
}

func TestRefusedParts(t *testing.T) {
	memory := section(5, 1, 0, 1)
	export := func(names ...string) []byte {
		list := []byte{byte(len(names))}
		for _, n := range names {
			list = join(list, sized(n), 0, 0)
		}
		return wasm(void(), one(), section(7, list), section(10, 1, sized(0, 0x0b)))
	}
	refusals{
		"exports of one name": {export("a", "a"),
			`export "a": twice (export section, offset 0x19)`},
		"the counter's name": {export("wedge_fuel"),
			`export "wedge_fuel": the name is kept for the host (export section, offset 0x15)`},
		"a name like it": {export("wedge_fuel_2"),
			`export "wedge_fuel_2": the name is kept for the host (export section, offset 0x15)`},
		"two memories": {wasm(section(5, 2, 0, 1, 0, 1)),
			`2 memories; at most 1 are allowed (memory section, offset 0xa)`},
		"a shared memory": {wasm(section(5, 1, 3, 1, 1)),
			`limits of form 0x3 (memory section, offset 0xb)`},
		"a memory of 64 bits": {wasm(section(5, 1, 4, 1)),
			`limits of form 0x4 (memory section, offset 0xb)`},
		"a large memory": {wasm(section(5, 1, 0, u32(257))),
			`257 pages of memory; at most 256 are allowed (memory section, offset 0xb)`},
		"two tables": {wasm(section(4, 2, 0x70, 0, 1, 0x70, 0, 1)),
			`2 tables; at most 1 are allowed (table section, offset 0xa)`},
		"a large table": {wasm(section(4, 1, 0x70, 0, u32(16385))),
			`16385 entries of a table; at most 16384 are allowed (table section, offset 0xc)`},
		"a table of numbers": {wasm(section(4, 1, 0x7f, 0, 1)),
			`reference type 0x7f (table section, offset 0xb)`},
		"a long constant": {wasm(section(6, 1, 0x7f, 0, 0x41, 0, 0x41, 0, 0x0b)),
			`constant expression of several instructions (global section, offset 0xf)`},
		"a computed constant": {wasm(section(6, 1, 0x7f, 0, 0x6a, 0x0b)),
			`instruction 0x6a in a constant expression (global section, offset 0xd)`},
		"references of no table": {wasm(section(9, 1, 0, 0x41, 0, 0x0b, 0)),
			`table 0 of 0 (element section, offset 0xb)`},
		"data of no memory": {wasm(section(11, 1, 0, 0x41, 0, 0x0b, 0)),
			`data without a memory (data section, offset 0xb)`},
		"another count of data": {wasm(memory, section(12, 2), section(11, 1, 1, 0)),
			`1 segments of data, 2 are counted (data section, offset 0x12)`},
		"data counted, not there": {wasm(memory, section(12, 2)),
			`2 segments of data are counted and there are none (code section, offset 0x0)`},
	}.check(t)
}

func TestRefusedCode(t *testing.T) {
	const unknown = ", which WebAssembly 2.0 does not have"
	for name, tt := range map[string]struct {
		body   []byte
		want   string
		offset int
	}{
		"no end":                {join(0, 0x01), "function without an end", 0x26},
		"no instructions":       {join(0), "ends too early", 0x25},
		"two ends":              {join(0, 0x0b, 0x0b), "instructions after the function's end", 0x26},
		"else alone":            {join(0, 0x05, 0x0b), "else without an if", 0x25},
		"two elses":             {join(0, 0x41, 0, 0x04, 0x40, 0x05, 0x05, 0x0b, 0x0b), "else without an if", 0x2a},
		"a far label":           {join(0, 0x0c, 1, 0x0b), "label 1 of 1", 0x25},
		"a local":               {join(0, 0x20, 0, 0x1a, 0x0b), "local 0 of 0", 0x26},
		"the counter, by index": {join(0, 0x42, 0, 0x24, 0, 0x0b), "global 0 of 0", 0x28},
		"a helper, by index":    {join(0, 0x10, 1, 0x0b), "function 1 of 1", 0x26},
		"a new type, by index":  {join(0, 0x02, 1, 0x0b, 0x0b), "type 1 of 1", 0x26},
		"a long block type":     {join(0, 0x02, 0xc0, 0x7f, 0x0b, 0x0b), "block of type 0x40", 0x26},
		"a try":                 {join(0, 0x06, 0x40, 0x0b, 0x0b), "instruction 0x6" + unknown, 0x25},
		"a tail call":           {join(0, 0x12, 0, 0x0b), "instruction 0x12" + unknown, 0x25},
		"an atomic":             {join(0, 0xfe, 3, 0, 0x0b), "instruction 0xfe" + unknown, 0x25},
		"a relaxed vector":      {join(0, 0xfd, 0x80, 0x02, 0x0b), "instruction 0xfd 0x100" + unknown, 0x25},
		"a gap of vectors":      {join(0, 0xfd, 0x9a, 0x01, 0x0b), "instruction 0xfd 0x9a" + unknown, 0x25},
		"a long opcode":         {join(0, 0xfd, 0x8c, 0x00, 0x0b), "instruction 0xfd 0xc" + unknown, 0x25},
		"another memory":        {join(0, 0x3f, 1, 0x1a, 0x0b), "memory 1", 0x26},
		"a memory in a load":    {join(0, 0x41, 0, 0x28, 0x42, 1, 0, 0x1a, 0x0b), "alignment of 2^66", 0x28},
		"a far lane":            {join(0, 0xfd, 0x15, 16, 0x0b), "lane 16 of 16", 0x27},
		"a number over 33 bits": {join(0, 0x41, "\xff\xff\xff\xff\x0f", 0x0b), "number of more than 32 bits", 0x26},
		"data not counted":      {join(0, 0xfc, 9, 0, 0x0b), "segments of data are not counted", 0x27},
		"many locals":           {join(1, u32(2000), 0x7e, 0x0b), "2000 locals; at most 1024 are allowed", 0x25},
		"two billion locals": {join(2, u32(1<<31-1), 0x7e, u32(1<<31-1), 0x7e, 0x0b),
			"2147483647 locals; at most 1024 are allowed", 0x25},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := meter.Rewrite(function(tt.body), offered())
			assert.EqualError(t, err, fmt.Sprintf("%s (code section, function 0, offset %#x)", tt.want, tt.offset))
		})
	}
}

func TestAFaultNamesTheFunction(t *testing.T) {
	names := section(0, sized("name"), 1, sized(1, 0, sized("main.ha\x00rm")))
	_, err := meter.Rewrite(append(function(0, 0x06, 0x0b), names...), meter.Options{})
	var fault *meter.Fault
	require.ErrorAs(t, err, &fault)
	assert.Equal(t, meter.Fault{Section: "code", Function: 0, Name: "main.ha?rm", Offset: 0x25,
		Text: "instruction 0x6, which WebAssembly 2.0 does not have"}, *fault)
}

// Each limit, one thing over it; with the limit one higher the module is taken.
func TestLimits(t *testing.T) {
	nested := strings.Repeat("\x02\x40", 5) + strings.Repeat("\x0b", 5)
	table := section(4, 1, 0x70, 0, 5)
	small := wasm(void(), one(), section(10, 1, sized(0, 0x0b)))
	for name, tt := range map[string]struct {
		wasm []byte
		set  func(l *meter.Limits, n int)
		n    int
	}{
		"bytes": {small, func(l *meter.Limits, n int) { l.Module = n }, len(small)},
		"types": {wasm(section(1, 2, 0x60, 0, 0, 0x60, 0, 0)), func(l *meter.Limits, n int) { l.Types = n }, 2},
		"parameters": {wasm(section(1, 1, 0x60, 2, 0x7f, 0x7f, 0)),
			func(l *meter.Limits, n int) { l.Values = n }, 2},
		"results": {wasm(section(1, 1, 0x60, 0, 2, 0x7f, 0x7f)), func(l *meter.Limits, n int) { l.Values = n }, 2},
		"imports": {wasm(section(1, 1, 0x60, 0, 1, meter.I64), section(2, 2, sized("wedge"), sized("now"), 0, 0,
			sized("wedge"), sized("now"), 0, 0)), func(l *meter.Limits, n int) { l.Imports = n }, 2},
		"functions": {
			wasm(void(), section(3, 2, 0, 0), section(10, 2, sized(0, 0x0b), sized(0, 0x0b))),

			func(l *meter.Limits, n int) { l.Functions = n }, 2},
		"exports": {wasm(section(5, 1, 0, 1), section(7, 2, sized("a"), 2, 0, sized("b"), 2, 0)),
			func(l *meter.Limits, n int) { l.Exports = n }, 2},
		"globals": {wasm(section(6, 2, 0x7f, 0, 0x41, 0, 0x0b, 0x7f, 0, 0x41, 0, 0x0b)),
			func(l *meter.Limits, n int) { l.Globals = n }, 2},
		"globals that can change": {wasm(section(6, 2, 0x7f, 1, 0x41, 0, 0x0b, 0x7f, 1, 0x41, 0, 0x0b)),
			func(l *meter.Limits, n int) { l.Mutable = n }, 2},
		"entries of a table": {wasm(table), func(l *meter.Limits, n int) { l.Table = n }, 5},
		"pages of memory":    {wasm(section(5, 1, 0, 9)), func(l *meter.Limits, n int) { l.Memory = n }, 9},
		"segments of references": {wasm(table, section(9, 2, 5, 0x70, 0, 5, 0x70, 0)),
			func(l *meter.Limits, n int) { l.Elements = n }, 2},
		"references in all segments": {
			wasm(table, section(9, 2, 5, 0x70, 1, 0xd0, 0x70, 0x0b, 5, 0x70, 2, 0xd0, 0x70, 0x0b, 0xd0, 0x70, 0x0b)),
			func(l *meter.Limits, n int) { l.Items = n }, 3},
		"segments of data": {wasm(section(11, 2, 1, 0, 1, 0)),
			func(l *meter.Limits, n int) { l.Segments = n }, 2},
		"bytes of a function": {function(0, 0x01, 0x01, 0x0b), func(l *meter.Limits, n int) { l.Body = n }, 4},
		"locals": {function(2, 3, 0x7f, 2, 0x7e, 0x0b),
			func(l *meter.Limits, n int) { l.Locals = n }, 5},
		"nested blocks": {function(0, nested, 0x0b), func(l *meter.Limits, n int) { l.Depth = n }, 5},
		"targets of a br_table": {function(0, 0x41, 0, 0x0e, 2, 0, 0, 0, 0x0b),
			func(l *meter.Limits, n int) { l.Targets = n }, 2},
		"targets of all br_tables": {function(0, 0x41, 0, 0x0e, 1, 0, 0, 0x41, 0, 0x0e, 1, 0, 0, 0x0b),
			func(l *meter.Limits, n int) { l.Jumps = n }, 4},
		"units of effort to compile a function": {function(1, 2, 0x7f, nested, 0x0b),
			func(l *meter.Limits, n int) { l.Effort = n }, 50},
		"units of effort to compile all functions": {function(1, 2, 0x7f, nested, 0x0b),
			func(l *meter.Limits, n int) { l.Efforts = n }, 50},
	} {
		t.Run(name, func(t *testing.T) {
			o := offered()
			tt.set(&o.Limits, tt.n)
			_, err := meter.Rewrite(tt.wasm, o)
			require.NoError(t, err)
			tt.set(&o.Limits, tt.n-1)
			_, err = meter.Rewrite(tt.wasm, o)
			var fault *meter.Fault
			require.ErrorAs(t, err, &fault)
			what := strings.TrimSuffix(name, " of a function")
			assert.Contains(t, fault.Text, what)
			assert.EqualValues(t, tt.n-1, fault.Limit)
		})
	}
}
