package plugin

import (
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/wedge-lb/wedge/edge/balance"
	"github.com/wedge-lb/wedge/sdk/abi"
)

// A Binding is what the instances of a module serve with.
type Binding struct {
	Set       *balance.Set // the table to start with
	Options   []byte       // JSON for configure
	Secret    [16]byte     // the pool's key for the hashes of attributes
	Grants    []string     // raw attributes that the operator allows, for example "header:authorization"
	Counters  *Counters    // the strategy's; default: their own
	Fuel      int64        // units that a pick or an observation may use; default 200,000
	Usage     *Usage       // notes what picks use; default: nobody's
	Instances int          // default: one for each processor, and at least two
	Fault     func(*Fault) // hears every fault, on the goroutine that met it; default: nobody
	Wake      func()       // called when there is work for Maintain; must not block; default: nobody
}

func (b Binding) withDefaults() Binding {
	if len(b.Options) == 0 {
		b.Options = []byte("{}")
	}
	if b.Counters == nil {
		b.Counters = new(Counters)
	}
	if b.Fuel <= 0 {
		b.Fuel = abi.PickFuel
	}
	if b.Usage == nil {
		b.Usage = new(Usage)
	}
	if b.Instances <= 0 {
		b.Instances = max(runtime.GOMAXPROCS(0), 2) // with one alone, a table update would hold up every pick
	}
	if b.Fault == nil {
		b.Fault = func(*Fault) {}
	}
	if b.Wake == nil {
		b.Wake = func() {}
	}
	return b
}

// Guests are the instances of a module that serve one pool. Pick and Observe are safe for concurrent use,
// and so are the others, which take turns.
type Guests struct {
	module  *Module
	binding Binding
	free    freeList
	attrs   []Attribute
	closed  atomic.Bool
	set     atomic.Pointer[balance.Set] // the newest table the instances were given

	broken struct {
		mu        sync.Mutex
		instances []*instance // taken out of service, not closed yet
	}

	mu      sync.Mutex // held by who changes the instances off the request path
	missing []int      // slots without an instance
}

// Pick lets an instance choose; it implements balance.Picker. The error is a *Fault, ErrBusy or ErrClosed.
// A row that does not exist is no error: d then holds a Route without a backend.
func (g *Guests) Pick(r *balance.Request, _ *balance.Set, d *balance.Decision) error {
	i := g.free.take()
	if i == nil {
		if i = g.free.wait(); i == nil {
			return g.noInstance()
		}
	}
	if g.closed.Load() {
		g.free.give(i)
		return ErrClosed
	}
	fault := i.pick(r, d)
	if fault == nil {
		g.free.give(i)
		return nil
	}
	if fault.Kind == BadPick {
		g.free.give(i)
		return nil // the Chooser sees that there is no backend and blames the picker that it knows
	}
	g.settle(i, fault)
	return fault
}

func (g *Guests) noInstance() error {
	if g.closed.Load() {
		return ErrClosed
	}
	return ErrBusy
}

// settle decides what becomes of an instance that failed.
func (g *Guests) settle(i *instance, fault *Fault) {
	if fault.fatal() {
		g.discard(i)
	} else {
		g.free.give(i)
	}
	g.binding.Fault(fault)
}

// discard takes an instance out of service for good: a trapped guest keeps a half-written heap.
func (g *Guests) discard(i *instance) {
	g.broken.mu.Lock()
	g.broken.instances = append(g.broken.instances, i)
	g.broken.mu.Unlock()
	g.free.lose()
	g.binding.Wake()
}

// Observe tells an instance how a request went; it implements balance.Observer. If none is free, or the
// guest does not observe, nothing happens.
func (g *Guests) Observe(r *balance.Result) {
	if !g.Observes() || r.Kind == balance.ClientGone || r.Kind == balance.BadRequestBody ||
		r.Kind == balance.Severed {
		return
	}
	i := g.free.take()
	if i == nil {
		return
	}
	if g.closed.Load() {
		g.free.give(i)
		return
	}
	if fault := i.observe(r); fault != nil {
		g.settle(i, fault)
		return
	}
	g.free.give(i)
}

// Observes tells whether Observe does anything.
func (g *Guests) Observes() bool { return g.module.observes }

// Attributes lists what the strategy sees of a request.
func (g *Guests) Attributes() []Attribute { return slices.Clone(g.attrs) }

// Set is the newest table that the guests were given.
func (g *Guests) Set() *balance.Set { return g.set.Load() }

// Live is how many instances can serve.
func (g *Guests) Live() int { return int(g.free.live.Load()) }
