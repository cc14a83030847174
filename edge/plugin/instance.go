package plugin

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime/debug"

	"github.com/tetratelabs/wazero/api"

	"github.com/wedge-lb/wedge/edge/balance"
	"github.com/wedge-lb/wedge/edge/store"
	"github.com/wedge-lb/wedge/sdk/abi"
)

// What an instance is doing, for errors and for the host calls that have their time.
const (
	stepInstantiate = "instantiate"
	stepConfigure   = "configure"
	stepBackends    = "backends"
	stepPick        = "pick"
	stepObserve     = "observe"
)

// shared is what the instances of a strategy have in common.
type shared struct {
	counters *Counters
	store    *store.Namespace
	usage    *Usage
}

// An instance is one running guest. Whoever took it from the free list owns it; it is not safe for
// concurrent use.
type instance struct {
	guests *Guests
	ctx    *callContext
	module api.Module
	memory api.Memory
	fuel   tank
	spent  spent
	slot   int // its place in the free list

	exports struct{ frame, configure, backends, pick, observe api.Function }
	ptr     uint32 // where the frame is
	size    uint32 // and how long
	used    int    // bytes at its beginning that are not zero, or may not be

	set    *balance.Set // the table the guest has
	attrs  []Attribute  // by slot
	hashed int          // how many of attrs are hashes
	shared shared
	random *rand.ChaCha8
	stdout *lineWriter
	stderr *lineWriter

	// Of the call in progress.
	step        string
	said        string // the guest's text for fail
	refusal     error  // the first need that was refused
	decision    *balance.Decision
	badSpare    bool
	responded   bool
	headerBytes int

	stack   [2]uint64 // arguments, then results
	scratch []byte
}

// call runs one export of the guest with one argument, to set it up.
func (i *instance) call(step string, f api.Function, arg uint32) (uint64, *Fault) {
	i.fuel.fill(abi.SetupFuel)
	return i.run(step, f, arg)
}

// serve runs one of the exports that take their fuel with them: one argument, at most one result, and then what is
// left of it.
func (i *instance) serve(step string, f api.Function, arg uint32, results int) (result uint64, used int64, fault *Fault) {
	i.fuel.given = i.guests.binding.Fuel
	i.stack[1] = uint64(i.fuel.given)
	result, fault = i.run(step, f, arg)
	if fault != nil {
		return 0, i.fuel.used(), fault
	}
	return result, i.fuel.given - int64(i.stack[results]), nil
}

// run runs one export of the guest. It and serve are the only ways into a guest once it is instantiated. It does
// not allocate unless the guest fails.
func (i *instance) run(step string, f api.Function, arg uint32) (uint64, *Fault) {
	i.step = step
	i.stderr.begin()
	i.stdout.begin()
	i.stack[0] = uint64(arg)
	if err := f.CallWithStack(i.ctx, i.stack[:]); err != nil {
		return 0, i.failed(step, err)
	}
	return i.stack[0], nil
}

func (i *instance) failed(step string, err error) *Fault {
	i.stderr.flush()
	f := faultOf(step, err, i.stderr.first)
	f.Stack, f.Log = stackOf(err), i.guests.module.log.newest()
	switch {
	case f.Kind == Trap && i.fuel.used() > i.fuel.given:
		f.Kind, f.Text = Fuel, i.fuel.fault().Text
	case (f.Kind == Trap || f.Kind == Exit) && i.outgrew():
		f.Kind = Memory
	}
	if f.Kind == HostPanic {
		i.guests.module.log.logger.Error("panic in a guest call", "step", step, "error", err)
	}
	return f
}

// outgrew tells whether the guest has all the memory that it may have, and had less at first.
func (i *instance) outgrew() bool {
	if i.memory == nil {
		return false
	}
	least := uint64(i.memory.Definition().Min()) * pageSize
	size := uint64(i.memory.Size())
	return size > least && size >= uint64(i.guests.module.limit)
}

// grow makes the frame at least size bytes.
func (i *instance) grow(step string, size int) *Fault {
	if size <= int(i.size) {
		return nil
	}
	if frame, ok := i.memory.Read(i.ptr, i.size); ok {
		i.hold(frame, 0)
	}
	ptr, fault := i.call(step, i.exports.frame, uint32(size))
	if fault != nil {
		return fault
	}
	if _, ok := i.memory.Read(uint32(ptr), uint32(size)); !ok {
		return &Fault{Kind: BadPointer, Step: step, Text: fmt.Sprintf("frame of %d bytes at %d", size, uint32(ptr))}
	}
	i.ptr, i.size, i.used = uint32(ptr), uint32(size), 0
	return nil
}

// hold tells that n bytes were written to the frame, and clears what longer contents left behind them: a frame never
// shows anything of the request before.
func (i *instance) hold(frame []byte, n int) {
	if n < i.used {
		clear(frame[n:i.used])
	}
	i.used = n
}

// pass gives the guest data by an export that answers 0 for yes.
func (i *instance) pass(step string, f api.Function, data []byte) *Fault {
	if fault := i.grow(step, len(data)); fault != nil {
		return fault
	}
	i.said = ""
	frame, ok := i.memory.Read(i.ptr, i.size)
	if !ok {
		return &Fault{Kind: BadPointer, Step: step, Text: "frame outside of the memory"}
	}
	i.hold(frame, copy(frame, data))
	no, fault := i.call(step, f, uint32(len(data)))
	if fault != nil {
		return fault
	}
	if uint32(no) != 0 {
		return &Fault{Kind: Refused, Step: step, Text: i.said}
	}
	return nil
}

// configure hands over the options. The guest declares its attributes meanwhile.
func (i *instance) configure(options []byte) error {
	if fault := i.grow(stepConfigure, abi.MaxRequest); fault != nil {
		return fault
	}
	fault := i.pass(stepConfigure, i.exports.configure, options)
	switch {
	case i.refusal != nil:
		return fmt.Errorf("%s: %w", stepConfigure, i.refusal)
	case fault != nil:
		return fault
	}
	return nil
}

// need declares an attribute; the error tells why it is refused.
func (i *instance) need(kind, form uint32, name []byte) (slot int32, err error) {
	if len(i.attrs) >= abi.MaxSlots {
		return abi.NeedRefused, errors.New("too many attributes declared")
	}
	a, err := newAttribute(kind, form, name)
	if err != nil {
		return abi.NeedRefused, err
	}
	if !a.granted(i.guests.binding.Grants) {
		return abi.NeedRefused, fmt.Errorf("attribute %s as raw bytes needs the grant %q", a, a)
	}
	i.attrs = append(i.attrs, a)
	if a.Form == abi.FormHash {
		i.hashed++
	}
	return int32(len(i.attrs) - 1), nil
}

// update hands over a table, given also in the form of the frame. The guest never sees an empty one: few would
// expect it, and nothing is asked of them while their pool has nobody.
func (i *instance) update(s *balance.Set, table []byte) *Fault {
	old := i.set
	if len(s.Backends) == 0 {
		i.set = s
		return nil
	}
	i.set = s // while it takes the table in, the guest may ask for the loads of its rows
	fault := i.pass(stepBackends, i.exports.backends, table)
	if fault != nil {
		i.set = old
	}
	return fault
}

// pick lets the guest decide. A fatal fault means that the instance must not serve again. d is empty after
// any fault.
func (i *instance) pick(r *balance.Request, d *balance.Decision) (fault *Fault) {
	defer i.survive(stepPick, &fault)
	if len(i.set.Backends) == 0 || i.missed(r.Pinned) {
		d.Verdict = balance.Abstain // the table is empty, or too old to know that the fallback can keep the pin
		return nil
	}
	frame, ok := i.memory.Read(i.ptr, i.size)
	if !ok {
		return &Fault{Kind: BadPointer, Step: stepPick, Text: "frame outside of the memory"}
	}
	n := i.writeRequest(frame, r)
	i.hold(frame, int(n))
	i.decision, i.badSpare, i.responded, i.headerBytes = d, false, false, 0
	code, used, fault := i.serve(stepPick, i.exports.pick, n, 1)
	i.spent.note(used)
	i.decision = nil
	if fault != nil {
		d.Reset()
		return fault
	}
	return i.read(abi.Decision(code), d)
}

// observe tells the guest how a request went.
func (i *instance) observe(r *balance.Result) (fault *Fault) {
	defer i.survive(stepObserve, &fault)
	b := i.row(r.Backend)
	if b == nil {
		return nil // it left the table meanwhile
	}
	frame, ok := i.memory.Read(i.ptr, i.size)
	if !ok {
		return &Fault{Kind: BadPointer, Step: stepObserve, Text: "frame outside of the memory"}
	}
	writeResult(frame, b.Index, r)
	i.hold(frame, abi.OutcomeSize)
	_, _, fault = i.serve(stepObserve, i.exports.observe, abi.OutcomeSize, 0)
	return fault
}

// survive makes a fault of a panic of the host's own code around a guest call.
func (i *instance) survive(step string, fault **Fault) {
	if p := recover(); p != nil {
		text := printable(fmt.Append(nil, p), maxText)
		i.guests.module.log.logger.Error("panic in a guest call", "step", step, "error", text,
			slog.String("stack", string(debug.Stack())))
		*fault = &Fault{Kind: HostPanic, Step: step, Text: text}
		if i.decision != nil {
			i.decision.Reset()
			i.decision = nil
		}
	}
}

// close frees the instance.
func (i *instance) close() {
	i.spent.add(i.shared.usage)
	_ = i.module.Close(context.Background())
	i.guests.module.host.alive.Add(-1)
}
