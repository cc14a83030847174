//go:build wasip1

package observe

import "github.com/wedge-lb/wedge/sdk"

// Register makes s the strategy of this module. Call it once, in init.
func Register(s sdk.Observer) { sdk.Register(s) }

//go:wasmexport wedge_observe
func exportObserve(n uint32) { sdk.Registered().Observe(int(n)) }
