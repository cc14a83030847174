package abi

import "strings"

// Version of the ABI in this package.
const Version = 1

// Module is the name of the module from which a guest imports.
const Module = "wedge"

// VersionPrefix starts the name of the export that marks the version of a guest.
const VersionPrefix = "wedge_abi_v"

// Names of the exports of a guest.
const (
	ExportMemory     = "memory"
	ExportInitialize = "_initialize"
	ExportVersion    = "wedge_abi_v1"
	ExportFrame      = "wedge_frame"
	ExportConfigure  = "wedge_configure"
	ExportBackends   = "wedge_backends"
	ExportPick       = "wedge_pick"
	ExportObserve    = "wedge_observe"
)

// Names of the functions that a guest imports from Module.
const (
	ImportNeed        = "need"
	ImportFail        = "fail"
	ImportLog         = "log"
	ImportInFlight    = "inflight"
	ImportLatency     = "latency"
	ImportLoads       = "loads"
	ImportUtilization = "utilization"
	ImportRandom      = "random"
	ImportNow         = "now"
	ImportCounterAdd  = "counter_add"
	ImportStoreGet    = "store_get"
	ImportStorePut    = "store_put"
	ImportStoreDelete = "store_delete"
	ImportSpare       = "spare"
	ImportSetHeader   = "set_header"
	ImportRespond     = "respond"
)

// ValueType is a WebAssembly number type, with the byte of the binary format.
type ValueType byte

// The types that cross the border.
const (
	I32 ValueType = 0x7f
	I64 ValueType = 0x7e
)

// String gives the name of the text format, or "?".
func (v ValueType) String() string {
	switch v {
	case I32:
		return "i32"
	case I64:
		return "i64"
	}
	return "?"
}

// Func is a function that crosses the border, with its WebAssembly type.
type Func struct {
	Name     string
	Params   []ValueType
	Results  []ValueType
	Optional bool // an export that a guest may leave out
}

// Type gives the function's type as in ABI.md, for example "(i32, i32) -> (i64)".
func (f Func) Type() string { return typeList(f.Params) + " -> " + typeList(f.Results) }

// Exports lists the functions of a guest, in the order in which a host meets them.
func Exports() []Func {
	return []Func{
		{Name: ExportInitialize, Optional: true},
		{Name: ExportVersion},
		{Name: ExportFrame, Params: i32s(1), Results: i32s(1)},
		{Name: ExportConfigure, Params: i32s(1), Results: i32s(1)},
		{Name: ExportBackends, Params: i32s(1), Results: i32s(1)},
		{Name: ExportPick, Params: i32s(1), Results: []ValueType{I64}},
		{Name: ExportObserve, Params: i32s(1), Optional: true},
	}
}

// Imports lists the functions of Module.
func Imports() []Func {
	i64 := []ValueType{I64}
	return []Func{
		{Name: ImportNeed, Params: i32s(4), Results: i32s(1)},
		{Name: ImportFail, Params: i32s(2)},
		{Name: ImportLog, Params: i32s(3)},
		{Name: ImportInFlight, Params: i32s(1), Results: i32s(1)},
		{Name: ImportLatency, Params: i32s(1), Results: i64},
		{Name: ImportLoads, Params: i32s(2)},
		{Name: ImportUtilization, Params: i32s(1), Results: i32s(1)},
		{Name: ImportRandom, Results: i64},
		{Name: ImportNow, Results: i64},
		{Name: ImportCounterAdd, Params: []ValueType{I32, I64}, Results: i64},
		{Name: ImportStoreGet, Params: i32s(4), Results: i32s(1)},
		{Name: ImportStorePut, Params: append(i32s(4), I64), Results: i32s(1)},
		{Name: ImportStoreDelete, Params: i32s(2)},
		{Name: ImportSpare, Params: i32s(1)},
		{Name: ImportSetHeader, Params: i32s(4)},
		{Name: ImportRespond, Params: i32s(5)},
	}
}

func i32s(n int) []ValueType {
	list := make([]ValueType, n)
	for i := range list {
		list[i] = I32
	}
	return list
}

func typeList(list []ValueType) string {
	names := make([]string, len(list))
	for i, v := range list {
		names[i] = v.String()
	}
	return "(" + strings.Join(names, ", ") + ")"
}
