//go:build !wasip1

package sdk

import "github.com/wedge-lb/wedge/sdk/abi"

// Imports answers for the host when a strategy runs natively; package sdktest fills it in.
// A nil field does nothing and answers zero (StoreGet: absent; Utilization: none). Slices are valid for the call.
type Imports struct {
	Need        func(kind uint32, name string, form uint32) int32
	Fail        func(text string)
	Log         func(level uint32, text string)
	InFlight    func(backend uint32) int32
	Latency     func(backend uint32) int64
	Loads       func(list []abi.Load)
	Utilization func(backend uint32) int32
	Random      func() int64
	Now         func() int64
	CounterAdd  func(counter uint32, delta int64) int64
	StoreGet    func(key string, val []byte) int32
	StorePut    func(key string, val []byte, ttlMs int64) int32
	StoreDelete func(key string)
	Spare       func(backend uint32)
	SetHeader   func(name, value string)
	Respond     func(status uint32, contentType string, body []byte)
}

// NewGuest is s as a module would be, with in for its host.
func NewGuest(s Strategy, in *Imports) *Guest {
	return &Guest{strategy: s, host: Host{imports{in}}}
}

// Register does nothing outside of a module: a native test makes its own guest.
func Register(Strategy) {}

// imports is how a Host reaches what answers it.
type imports struct{ in *Imports }

func (m imports) need(kind uint32, name string, form uint32) int32 {
	if m.in.Need == nil {
		return 0
	}
	return m.in.Need(kind, name, form)
}

func (m imports) fail(text string) {
	if m.in.Fail != nil {
		m.in.Fail(text)
	}
}

func (m imports) log(level uint32, text string) {
	if m.in.Log != nil {
		m.in.Log(level, text)
	}
}

func (m imports) inFlight(backend uint32) int32 {
	if m.in.InFlight == nil {
		return 0
	}
	return m.in.InFlight(backend)
}

func (m imports) latency(backend uint32) int64 {
	if m.in.Latency == nil {
		return 0
	}
	return m.in.Latency(backend)
}

func (m imports) loads(list []abi.Load) {
	if m.in.Loads != nil {
		m.in.Loads(list)
	}
}

func (m imports) utilization(backend uint32) int32 {
	if m.in.Utilization == nil {
		return abi.NoUtilization
	}
	return m.in.Utilization(backend)
}

func (m imports) random() int64 {
	if m.in.Random == nil {
		return 0
	}
	return m.in.Random()
}

func (m imports) now() int64 {
	if m.in.Now == nil {
		return 0
	}
	return m.in.Now()
}

func (m imports) counterAdd(counter uint32, delta int64) int64 {
	if m.in.CounterAdd == nil {
		return 0
	}
	return m.in.CounterAdd(counter, delta)
}

func (m imports) storeGet(key string, val []byte) int32 {
	if m.in.StoreGet == nil {
		return -1
	}
	return m.in.StoreGet(key, val)
}

func (m imports) storePut(key string, val []byte, ttlMs int64) int32 {
	if m.in.StorePut == nil {
		return 0
	}
	return m.in.StorePut(key, val, ttlMs)
}

func (m imports) storeDelete(key string) {
	if m.in.StoreDelete != nil {
		m.in.StoreDelete(key)
	}
}

func (m imports) spare(backend uint32) {
	if m.in.Spare != nil {
		m.in.Spare(backend)
	}
}

func (m imports) setHeader(name, value string) {
	if m.in.SetHeader != nil {
		m.in.SetHeader(name, value)
	}
}

func (m imports) respond(status uint32, contentType string, body []byte) {
	if m.in.Respond != nil {
		m.in.Respond(status, contentType, body)
	}
}
