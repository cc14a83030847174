package plugin

import (
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"

	"github.com/wedge-lb/wedge/edge/meter"
	"github.com/wedge-lb/wedge/sdk/abi"
)

// What a guest pays for a call of the host, in units, beside the parameter whose amount is paid too.
const (
	quickCall = 4  // reads a number
	pagedCall = 16 // reads or writes the guest's memory
	heavyCall = 64 // keeps, copies or writes something
)

// prices are those of the imports that are not quick.
func prices() map[string]meter.Import {
	return map[string]meter.Import{
		abi.ImportNeed:        {Cost: heavyCall},
		abi.ImportFail:        {Cost: heavyCall},
		abi.ImportLog:         {Cost: 4 * heavyCall},
		abi.ImportLoads:       {Cost: pagedCall},
		abi.ImportStoreGet:    {Cost: pagedCall},
		abi.ImportStorePut:    {Cost: heavyCall},
		abi.ImportStoreDelete: {Cost: pagedCall},
		abi.ImportSetHeader:   {Cost: heavyCall},
		abi.ImportRespond:     {Cost: 8 * heavyCall},
	}
}

// wasiCounted is the parameter of WASI's functions whose amount is paid for, and how much of it for a unit.
func wasiCounted() map[string]meter.Import {
	return map[string]meter.Import{
		"fd_pread":      {Counted: 3},
		"fd_pwrite":     {Counted: 3},
		"fd_read":       {Counted: 3},
		"fd_readdir":    {Counted: 3, Shift: 4},
		"fd_write":      {Counted: 3},
		"path_link":     {Counted: 4, Shift: 4},
		"path_open":     {Counted: 4, Shift: 4},
		"path_readlink": {Counted: 3, Shift: 4},
		"path_symlink":  {Counted: 2, Shift: 4},
		"poll_oneoff":   {Counted: 3},
		"random_get":    {Counted: 2, Shift: 4},
		"sock_recv":     {Counted: 3},
		"sock_send":     {Counted: 3},
	}
}

// offers are the functions that a guest may import, with their prices.
func offers(wasi wazero.CompiledModule) map[string]map[string]meter.Import {
	ours, theirs := map[string]meter.Import{}, map[string]meter.Import{}
	for _, f := range abi.Imports() {
		o := prices()[f.Name]
		o.Cost = max(o.Cost, quickCall)
		o.Params, o.Results = bytesOf(f.Params), bytesOf(f.Results)
		ours[f.Name] = o
	}
	for name, f := range wasi.ExportedFunctions() {
		o := wasiCounted()[name]
		o.Cost, o.Params, o.Results = pagedCall, f.ParamTypes(), f.ResultTypes()
		theirs[name] = o
	}
	return map[string]map[string]meter.Import{abi.Module: ours, wasi_snapshot_preview1.ModuleName: theirs}
}

func bytesOf(list []abi.ValueType) []byte {
	types := make([]byte, len(list))
	for i, t := range list {
		types[i] = byte(t)
	}
	return types
}

// meterModule refuses what must not run and lets the rest pay.
func meterModule(wasm []byte, l Limits, wasi wazero.CompiledModule) ([]byte, error) {
	metered, err := meter.Rewrite(wasm, meter.Options{
		Limits:  meter.Limits{Module: abi.MaxModuleSize, Memory: int(l.pages())},
		Imports: offers(wasi), Fuel: abi.SetupFuel, Calls: []string{abi.ExportPick, abi.ExportObserve},
	})
	if err != nil {
		return nil, &admissionError{err.Error()}
	}
	return metered, nil
}
