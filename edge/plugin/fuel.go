package plugin

import (
	"fmt"

	"github.com/tetratelabs/wazero/api"

	"github.com/wedge-lb/wedge/edge/meter"
)

// A tank is the fuel of one instance: a counter in the guest that its own code cannot reach. The zero value
// bounds nothing.
type tank struct {
	counter api.MutableGlobal
	given   int64 // to the call in progress
}

func (t *tank) open(m api.Module) {
	t.counter, _ = m.ExportedGlobal(meter.Export).(api.MutableGlobal)
}

// serving is an export that takes its fuel with it; as it is, in a guest that is not metered.
func (i *instance) serving(name string) api.Function {
	if f := i.module.ExportedFunction(meter.Fuelled(name)); f != nil {
		return f
	}
	return i.module.ExportedFunction(name)
}

// fill sets what the next call may use.
func (t *tank) fill(units int64) {
	if t.given = units; t.counter != nil {
		t.counter.Set(uint64(units))
	}
}

// used is what the call used; more than it was given if it wanted more than that.
func (t *tank) used() int64 {
	if t.counter == nil {
		return 0
	}
	return t.given - int64(t.counter.Get())
}

// spend takes units for work that the host does meanwhile, and ends a guest that has none left.
func (t *tank) spend(units int64) {
	if t.counter == nil {
		return
	}
	left := int64(t.counter.Get()) - units
	t.counter.Set(uint64(left))
	if left < 0 {
		panic(t.fault())
	}
}

// fault is that of a guest that used all it had.
func (t *tank) fault() *Fault {
	return &Fault{Kind: Fuel, Text: fmt.Sprintf("more than %d units of fuel", t.given)}
}
