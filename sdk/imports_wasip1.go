//go:build wasip1

package sdk

import (
	"unsafe"

	"github.com/wedge-lb/wedge/sdk/abi"
)

// imports is empty in a module: the host answers.
type imports struct{}

//go:wasmimport wedge need
//go:noescape
func wedgeNeed(kind uint32, name string, form uint32) int32

//go:wasmimport wedge fail
//go:noescape
func wedgeFail(text string)

//go:wasmimport wedge log
//go:noescape
func wedgeLog(level uint32, text string)

//go:wasmimport wedge inflight
//go:noescape
func wedgeInFlight(backend uint32) int32

//go:wasmimport wedge latency
//go:noescape
func wedgeLatency(backend uint32) int64

//go:wasmimport wedge loads
//go:noescape
func wedgeLoads(list unsafe.Pointer, n uint32)

//go:wasmimport wedge utilization
//go:noescape
func wedgeUtilization(backend uint32) int32

//go:wasmimport wedge random
//go:noescape
func wedgeRandom() int64

//go:wasmimport wedge now
//go:noescape
func wedgeNow() int64

//go:wasmimport wedge counter_add
//go:noescape
func wedgeCounterAdd(counter uint32, delta int64) int64

//go:wasmimport wedge store_get
//go:noescape
func wedgeStoreGet(key string, val unsafe.Pointer, valCap uint32) int32

//go:wasmimport wedge store_put
//go:noescape
func wedgeStorePut(key string, val unsafe.Pointer, valLen uint32, ttlMs int64) int32

//go:wasmimport wedge store_delete
//go:noescape
func wedgeStoreDelete(key string)

//go:wasmimport wedge spare
//go:noescape
func wedgeSpare(backend uint32)

//go:wasmimport wedge set_header
//go:noescape
func wedgeSetHeader(name, value string)

//go:wasmimport wedge respond
//go:noescape
func wedgeRespond(status uint32, contentType string, body unsafe.Pointer, bodyLen uint32)

func (imports) need(kind uint32, name string, form uint32) int32 { return wedgeNeed(kind, name, form) }
func (imports) fail(text string)                                 { wedgeFail(text) }
func (imports) log(level uint32, text string)                    { wedgeLog(level, text) }
func (imports) inFlight(backend uint32) int32                    { return wedgeInFlight(backend) }
func (imports) latency(backend uint32) int64                     { return wedgeLatency(backend) }
func (imports) utilization(backend uint32) int32                 { return wedgeUtilization(backend) }
func (imports) random() int64                                    { return wedgeRandom() }
func (imports) now() int64                                       { return wedgeNow() }
func (imports) spare(backend uint32)                             { wedgeSpare(backend) }
func (imports) setHeader(name, value string)                     { wedgeSetHeader(name, value) }
func (imports) storeDelete(key string)                           { wedgeStoreDelete(key) }

func (imports) loads(list []abi.Load) {
	wedgeLoads(unsafe.Pointer(unsafe.SliceData(list)), uint32(len(list)))
}

func (imports) counterAdd(counter uint32, delta int64) int64 { return wedgeCounterAdd(counter, delta) }

func (imports) storeGet(key string, val []byte) int32 {
	return wedgeStoreGet(key, unsafe.Pointer(unsafe.SliceData(val)), uint32(len(val)))
}

func (imports) storePut(key string, val []byte, ttlMs int64) int32 {
	return wedgeStorePut(key, unsafe.Pointer(unsafe.SliceData(val)), uint32(len(val)), ttlMs)
}

func (imports) respond(status uint32, contentType string, body []byte) {
	wedgeRespond(status, contentType, unsafe.Pointer(unsafe.SliceData(body)), uint32(len(body)))
}
