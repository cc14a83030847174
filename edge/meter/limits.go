package meter

// Limits bound what a module may be. Zero stands for the default, which is far above what compilers make
// and far below what a compiler of WebAssembly suffers from.
type Limits struct {
	Module    int // bytes in all; default 16 MiB
	Types     int // function types; default 4,096
	Values    int // parameters, and results, of one type; default 128
	Imports   int // default 256
	Functions int // that the module brings; default 65,536
	Exports   int // default 1,024
	Globals   int // default 1,024
	Mutable   int // globals that can change: each call loads them anew; default 128
	Table     int // entries of the table; default 16,384
	Growth    int // entries that the table may grow to, if it has not more from the start; default 4,096
	Memory    int // pages of 64 KiB; default 256, which is 16 MiB
	Elements  int // segments of references; default 4,096
	Items     int // references in all segments; default 131,072
	Segments  int // of data; default 131,072
	Names     int // bytes of the name section; a longer one is dropped; default 4 MiB

	Body    int // bytes of one function; default 1 MiB
	Locals  int // of one function, parameters counted; default 1,024
	Depth   int // of nested blocks; default 8,192
	Targets int // of one br_table; default 8,192
	Jumps   int // targets of all br_tables; default 524,288
	Effort  int // j*(locals+8+j/16) of one function, j = blocks + branches + calls; default 1,048,576
	Efforts int // of all functions; default 33,554,432
}

// defaults are the limits where none is set.
var defaults = Limits{
	Module: 16 << 20, Types: 4 << 10, Values: 128, Imports: 256, Functions: 64 << 10, Exports: 1 << 10,
	Globals: 1 << 10, Mutable: 128, Table: 16 << 10, Growth: 4 << 10, Memory: 256,
	Elements: 4 << 10, Items: 128 << 10,
	Segments: 128 << 10, Names: 4 << 20, Body: 1 << 20, Locals: 1 << 10, Depth: 8 << 10, Targets: 8 << 10,
	Jumps: 512 << 10, Effort: 1 << 20, Efforts: 32 << 20,
}

func (l Limits) withDefaults() Limits {
	for _, f := range []struct {
		value *int
		or    int
	}{
		{&l.Module, defaults.Module}, {&l.Types, defaults.Types}, {&l.Values, defaults.Values},
		{&l.Imports, defaults.Imports}, {&l.Functions, defaults.Functions}, {&l.Exports, defaults.Exports},
		{&l.Globals, defaults.Globals}, {&l.Mutable, defaults.Mutable},
		{&l.Table, defaults.Table}, {&l.Growth, defaults.Growth},
		{&l.Memory, defaults.Memory}, {&l.Elements, defaults.Elements}, {&l.Items, defaults.Items},
		{&l.Segments, defaults.Segments}, {&l.Names, defaults.Names}, {&l.Body, defaults.Body},
		{&l.Locals, defaults.Locals}, {&l.Depth, defaults.Depth}, {&l.Targets, defaults.Targets},
		{&l.Jumps, defaults.Jumps}, {&l.Effort, defaults.Effort}, {&l.Efforts, defaults.Efforts},
	} {
		if *f.value <= 0 {
			*f.value = f.or
		}
	}
	return l
}
