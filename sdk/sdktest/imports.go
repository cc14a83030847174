package sdktest

import (
	"bytes"
	"slices"

	"github.com/wedge-lb/wedge/sdk"
	"github.com/wedge-lb/wedge/sdk/abi"
)

// imports answers the strategy's calls.
func (h *Host) imports() *sdk.Imports {
	return &sdk.Imports{
		Need:        h.need,
		Fail:        func(text string) { h.failed = text },
		Log:         func(_ uint32, text string) { h.Logs = append(h.Logs, text) },
		InFlight:    func(backend uint32) int32 { return row(h.loads, backend) },
		Latency:     func(backend uint32) int64 { return row(h.slow, backend) },
		Loads:       h.fill,
		Utilization: h.utilization,
		Random:      func() int64 { return int64(h.rand.Uint64()) },
		Now:         func() int64 { return h.Now.UnixNano() },
		CounterAdd:  h.counterAdd,
		StoreGet:    h.storeGet,
		StorePut:    h.storePut,
		StoreDelete: func(key string) { delete(h.Store, key) },
		Spare:       h.spare,
		SetHeader:   h.setHeader,
		Respond:     h.respond,
	}
}

func (h *Host) need(kind uint32, name string, form uint32) int32 {
	n := need{abi.Kind(kind), name, abi.Form(form)}
	known := n.kind.Valid() && n.form.Valid() && n.kind.Named() == (name != "") && len(name) <= abi.MaxNameLen
	if !h.setup || !known || len(h.needs) == abi.MaxSlots || slices.Contains(h.Refuse, n.String()) {
		return abi.NeedRefused
	}
	h.needs = append(h.needs, n)
	return int32(len(h.needs) - 1)
}

// String is the attribute as in Host.Needs.
func (n need) String() string {
	text := n.kind.String()
	if n.name != "" {
		text += ":" + n.name
	}
	if n.form == abi.FormHash {
		text += "#"
	}
	return text
}

func (h *Host) fill(list []abi.Load) {
	if len(list) > abi.MaxLoads {
		panic("sdktest: too many records in one call of loads")
	}
	for i := range list {
		l := &list[i]
		l.InFlight, l.Latency = -1, -1
		if int(l.Backend) < len(h.table) {
			l.InFlight, l.Latency = h.loads[l.Backend], h.slow[l.Backend]
		}
	}
}

func (h *Host) utilization(backend uint32) int32 {
	if int(backend) >= len(h.full) {
		return abi.NoUtilization
	}
	return h.full[backend]
}

func (h *Host) counterAdd(counter uint32, delta int64) int64 {
	if counter >= abi.MaxCounters {
		return 0
	}
	h.Counters[counter] += delta
	return h.Counters[counter]
}

func (h *Host) storeGet(key string, val []byte) int32 {
	v, ok := h.Store[key]
	if !ok {
		return abi.StoreAbsent
	}
	copy(val, v)
	return int32(len(v))
}

func (h *Host) storePut(key string, val []byte, _ int64) int32 {
	if len(key) > abi.MaxStoreKey || len(val) > abi.MaxStoreValue {
		return 1
	}
	h.Store[key] = bytes.Clone(val)
	return abi.StoreOK
}

func (h *Host) spare(backend uint32) {
	h.answered.Spares = append(h.answered.Spares, h.id(backend))
}

func (h *Host) setHeader(name, value string) {
	h.answered.Headers = append(h.answered.Headers, [2]string{name, value})
}

func (h *Host) respond(status uint32, contentType string, body []byte) {
	h.answered.Status, h.answered.ContentType = int(status), contentType
	h.answered.Body = string(body)
}

// id is the name of a row, or "?" for one that is out of range.
func (h *Host) id(backend uint32) string {
	if int(backend) >= len(h.table) {
		return "?"
	}
	return h.table[backend].ID
}

func row[T int32 | int64](list []T, i uint32) T {
	if int(i) >= len(list) {
		return 0
	}
	return list[i]
}
