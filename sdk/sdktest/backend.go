package sdktest

import (
	"encoding/binary"
	"slices"
	"strings"

	"github.com/wedge-lb/wedge/sdk"
	"github.com/wedge-lb/wedge/sdk/abi"
)

// Weightless stands for a weight of 0, because a Weight of 0 means 1.
const Weightless = ^uint32(0)

// Backend is one row of the table.
type Backend struct {
	ID      string
	Address string
	Zone    string
	Labels  map[string]string
	Weight  uint32 // default 1
	State   sdk.State
}

func (b Backend) weight() uint32 {
	switch b.Weight {
	case 0:
		return 1
	case Weightless:
		return 0
	}
	return b.Weight
}

func (b Backend) labels() []byte {
	keys := make([]string, 0, len(b.Labels))
	for k := range b.Labels {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	var out []byte
	for _, k := range keys {
		out = abi.AppendLabel(out, k, b.Labels[k])
	}
	return out
}

// sorted is a copy in the order of the ids, the order of a table.
func sorted(list []Backend) []Backend {
	list = slices.Clone(list)
	slices.SortFunc(list, func(a, b Backend) int { return strings.Compare(a.ID, b.ID) })
	return list
}

// tableFrame encodes a sorted table.
func tableFrame(version uint32, list []Backend) []byte {
	size := abi.BackendsRecords + len(list)*abi.RecordSize
	frame := make([]byte, size)
	put32(frame, abi.BackendsVersion, version)
	put32(frame, abi.BackendsCount, uint32(len(list)))
	for i, b := range list {
		at := abi.BackendsRecords + i*abi.RecordSize
		frame = putSpan(frame, at+abi.RecordID, []byte(b.ID))
		frame = putSpan(frame, at+abi.RecordAddress, []byte(b.Address))
		frame = putSpan(frame, at+abi.RecordZone, []byte(b.Zone))
		frame = putSpan(frame, at+abi.RecordLabels, b.labels())
		put32(frame, at+abi.RecordWeight, b.weight())
		put32(frame, at+abi.RecordState, uint32(b.State))
	}
	return frame
}

func put32(frame []byte, at int, v uint32) { binary.LittleEndian.PutUint32(frame[at:], v) }

// putSpan appends b to the frame and writes where it is at the span.
func putSpan(frame []byte, at int, b []byte) []byte {
	put32(frame, at+abi.SpanOff, uint32(len(frame)))
	put32(frame, at+abi.SpanLen, uint32(len(b)))
	return append(frame, b...)
}
