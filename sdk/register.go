//go:build wasip1

package sdk

import "unsafe"

// registered is the one strategy of this module. A wasm export is a plain function, so what it
// works on has to be reachable from package level.
var registered = &Guest{}

// Register makes s the strategy of this module. Call it once, in init.
func Register(s Strategy) {
	if registered.strategy != nil {
		panic("sdk: Register called twice")
	}
	registered.strategy = s
}

// Registered is the guest of this module, for package sdk/observe.
func Registered() *Guest { return registered }

//go:wasmexport wedge_abi_v1
func exportVersion() {}

//go:wasmexport wedge_frame
func exportFrame(size uint32) unsafe.Pointer {
	return unsafe.Pointer(unsafe.SliceData(registered.Frame(int(size))))
}

//go:wasmexport wedge_configure
func exportConfigure(n uint32) int32 { return registered.Configure(int(n)) }

//go:wasmexport wedge_backends
func exportBackends(n uint32) int32 { return registered.Backends(int(n)) }

//go:wasmexport wedge_pick
func exportPick(n uint32) int64 { return int64(registered.Pick(int(n))) }
