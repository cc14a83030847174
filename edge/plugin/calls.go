package plugin

import (
	"bytes"
	"context"
	"log/slog"
	"time"

	"github.com/tetratelabs/wazero/api"

	"github.com/wedge-lb/wedge/edge/balance"
	"github.com/wedge-lb/wedge/sdk/abi"
)

// A callContext is the context of every call into one instance: how a host function finds whom it serves,
// without a map or an allocation.
type callContext struct {
	context.Context
	instance *instance
}

// A hostCall serves one import. It reads its arguments from stack and leaves its result in stack[0].
type hostCall func(i *instance, stack []uint64)

// Call implements api.GoFunction.
func (f hostCall) Call(ctx context.Context, stack []uint64) {
	f(ctx.(*callContext).instance, stack)
}

// A memoryCall is a hostCall that reads or writes the guest's memory. The others do without, since asking
// for it is a good part of their cost.
type memoryCall func(i *instance, mem api.Memory, stack []uint64)

// Call implements api.GoModuleFunction.
func (f memoryCall) Call(ctx context.Context, mod api.Module, stack []uint64) {
	f(ctx.(*callContext).instance, mod.Memory(), stack)
}

// hostCalls and memoryCalls serve the imports, by name.
func hostCalls() map[string]hostCall {
	return map[string]hostCall{
		abi.ImportInFlight:    (*instance).hostInFlight,
		abi.ImportLatency:     (*instance).hostLatency,
		abi.ImportLoads:       (*instance).hostLoads,
		abi.ImportUtilization: (*instance).hostUtilization,
		abi.ImportRandom:      (*instance).hostRandom,
		abi.ImportNow:         (*instance).hostNow,
		abi.ImportCounterAdd:  (*instance).hostCounterAdd,
		abi.ImportSpare:       (*instance).hostSpare,
	}
}

func memoryCalls() map[string]memoryCall {
	return map[string]memoryCall{
		abi.ImportNeed:        (*instance).hostNeed,
		abi.ImportFail:        (*instance).hostFail,
		abi.ImportLog:         (*instance).hostLog,
		abi.ImportStoreGet:    (*instance).hostStoreGet,
		abi.ImportStorePut:    (*instance).hostStorePut,
		abi.ImportStoreDelete: (*instance).hostStoreDelete,
		abi.ImportSetHeader:   (*instance).hostSetHeader,
		abi.ImportRespond:     (*instance).hostRespond,
	}
}

// end stops the guest: its instance never serves again.
func end(k Kind, text string) { panic(&Fault{Kind: k, Text: text}) }

// only ends a guest that makes a call at the wrong time.
func (i *instance) only(ok bool, call string) {
	if !ok {
		end(BadCall, call+" during "+i.step)
	}
}

// view is length bytes of the guest's memory, valid until the guest runs again.
func view(mem api.Memory, ptr, length uint64) []byte {
	b, ok := mem.Read(uint32(ptr), uint32(length))
	if !ok {
		end(BadPointer, "bytes outside of the memory")
	}
	return b
}

func (i *instance) hostNeed(mem api.Memory, stack []uint64) {
	i.only(i.step == stepConfigure, abi.ImportNeed)
	slot, err := i.need(uint32(stack[0]), uint32(stack[3]), view(mem, stack[1], stack[2]))
	if err != nil && i.refusal == nil {
		i.refusal = err
	}
	stack[0] = uint64(uint32(slot))
}

func (i *instance) hostFail(mem api.Memory, stack []uint64) {
	i.only(i.step == stepConfigure || i.step == stepBackends, abi.ImportFail)
	text := view(mem, stack[0], stack[1])
	i.said = printable(text, abi.MaxFailLen)
}

func (i *instance) hostLog(mem api.Memory, stack []uint64) {
	level := slog.LevelDebug + slog.Level(4*min(uint32(stack[0]), uint32(abi.LevelError)))
	i.guests.module.log.write(level, "log", view(mem, stack[1], stack[2]), abi.MaxLogLen)
}

// hostInFlight, hostLatency and hostLoads give -1 for a row that the table does not have.
func (i *instance) hostInFlight(stack []uint64) {
	n := int32(-1)
	if b := i.backend(uint32(stack[0])); b != nil {
		n = inFlight(b)
	}
	stack[0] = uint64(uint32(n))
}

func (i *instance) hostLatency(stack []uint64) {
	n := int64(-1)
	if b := i.backend(uint32(stack[0])); b != nil {
		n = int64(b.Load().Latency())
	}
	stack[0] = uint64(n)
}

// hostUtilization gives -1 for what is not known. That it was asked is what makes the edge read reports.
func (i *instance) hostUtilization(stack []uint64) {
	n := int32(-1)
	if b := i.backend(uint32(stack[0])); b != nil {
		b.Pool.WantReports()
		if ppm, ok := b.Load().Utilization(i.guests.module.host.opt.Now()); ok {
			n = ppm
		}
	}
	stack[0] = uint64(uint32(n))
}

// hostLoads uses the memory that the instance keeps: asking for it would be a good part of its cost.
func (i *instance) hostLoads(stack []uint64) {
	i.only(i.step != stepInstantiate, abi.ImportLoads)
	if uint32(stack[1]) > abi.MaxLoads {
		end(BadCall, "loads of too many")
	}
	list := view(i.memory, stack[0], uint64(uint32(stack[1])*abi.LoadSize))
	for ; len(list) >= abi.LoadSize; list = list[abi.LoadSize:] {
		busy, slow := int32(-1), int64(-1)
		if b := i.backend(le.Uint32(list[abi.LoadBackend:])); b != nil {
			busy, slow = inFlight(b), int64(b.Load().Latency())
		}
		le.PutUint32(list[abi.LoadInFlight:], uint32(busy))
		le.PutUint64(list[abi.LoadLatency:], uint64(slow))
	}
}

func inFlight(b *balance.Backend) int32 { return int32(min(max(b.Load().InFlight(), 0), 1<<31-1)) }

func (i *instance) backend(row uint32) *balance.Backend {
	if i.set == nil {
		return nil
	}
	return i.set.Row(row)
}

func (i *instance) hostRandom(stack []uint64) { stack[0] = i.random.Uint64() }

func (i *instance) hostNow(stack []uint64) {
	stack[0] = uint64(i.guests.module.host.opt.Now().UnixNano())
}

func (i *instance) hostCounterAdd(stack []uint64) {
	value, ok := i.shared.counters.Add(uint32(stack[0]), int64(stack[1]))
	if !ok {
		end(BadCall, "no such counter")
	}
	stack[0] = uint64(value)
}

func (i *instance) hostStoreGet(mem api.Memory, stack []uint64) {
	key, dst := view(mem, stack[0], stack[1]), view(mem, stack[2], stack[3])
	n, ok := i.shared.store.Get(key, dst)
	if !ok {
		n = int(abi.StoreAbsent)
	}
	stack[0] = uint64(uint32(n))
}

func (i *instance) hostStorePut(mem api.Memory, stack []uint64) {
	key, value := view(mem, stack[0], stack[1]), view(mem, stack[2], stack[3])
	result := abi.StoreOK
	ttl := time.Duration(min(max(int64(stack[4]), 0), maxTTL.Milliseconds())) * time.Millisecond
	if len(key) > abi.MaxStoreKey || len(value) > abi.MaxStoreValue || !i.shared.store.Put(key, value, ttl) {
		result = storeRefused
	}
	stack[0] = uint64(uint32(result))
}

// storeRefused is any result of store_put but abi.StoreOK.
const storeRefused int32 = 1

// maxTTL is how long a value may be kept at most.
const maxTTL = 365 * 24 * time.Hour

func (i *instance) hostStoreDelete(mem api.Memory, stack []uint64) {
	i.shared.store.Delete(view(mem, stack[0], stack[1]))
}

func (i *instance) hostSpare(stack []uint64) {
	i.only(i.decision != nil, abi.ImportSpare)
	b := i.set.Row(uint32(stack[0]))
	if b == nil {
		i.badSpare = true
		return
	}
	if d := i.decision; len(d.Spares) < abi.MaxSpares {
		d.Spares = append(d.Spares, b)
	}
}

// hostSetHeader leaves out what must not be set, and what is over the bounds: such a field may come from a
// client's own bytes, and must not let the client end the guest.
func (i *instance) hostSetHeader(mem api.Memory, stack []uint64) {
	i.only(i.decision != nil, abi.ImportSetHeader)
	name, value := view(mem, stack[0], stack[1]), view(mem, stack[2], stack[3])
	d, size := i.decision, i.headerBytes+len(name)+len(value)
	if len(d.Header) >= abi.MaxSetHeaders || size > abi.MaxHeaderBytes || !isValue(value) {
		return
	}
	kept := d.Keep(name)
	for n, c := range kept {
		if 'A' <= c && c <= 'Z' {
			kept[n] = c + 'a' - 'A'
		}
	}
	if settable(kept) {
		i.headerBytes = size
		d.Header = append(d.Header, balance.HeaderLine{Name: kept, Value: d.Keep(bytes.Trim(value, " \t"))})
	}
}

func (i *instance) hostRespond(mem api.Memory, stack []uint64) {
	i.only(i.decision != nil, abi.ImportRespond)
	status, kind, body := uint32(stack[0]), view(mem, stack[1], stack[2]), view(mem, stack[3], stack[4])
	switch {
	case status < 200 || status > 599:
		end(BadCall, "respond with a status that ends no exchange")
	case len(body) > abi.MaxRespondBody:
		end(BadCall, "respond with too long a body")
	case len(kind) > abi.MaxNameLen || !isValue(kind):
		end(BadCall, "respond with a bad content type")
	}
	d := i.decision
	d.Status, d.ContentType = int(status), d.Keep(bytes.Trim(kind, " \t"))
	d.Body = append(d.Body[:0], body...)
	i.responded = true
}
