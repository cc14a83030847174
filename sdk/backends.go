package sdk

import (
	"bytes"

	"github.com/wedge-lb/wedge/sdk/abi"
)

// State is what a backend may be given.
type State = abi.State

// Backends is the table of a pool's backends, ordered by id. All that are configured are listed,
// whatever their state. It is valid until Strategy.Backends returns; the strings it gives stay.
type Backends struct {
	Host
	frame []byte
	count int
	tier  tier   // what is usable in the whole table
	keep  []bool // nil: all
}

// tier says which backends are the best that a new request can get.
type tier uint8

const (
	tierReady      tier = iota // ready and of some weight
	tierWeightless             // ready
	tierDraining
	tierNone
)

func decodeBackends(frame []byte) (Backends, error) {
	b := Backends{frame: frame}
	if len(frame) < abi.BackendsRecords {
		return b, tableError("no header", 0)
	}
	n := uint64(le32(frame, abi.BackendsCount))
	if n > abi.MaxBackends || abi.BackendsRecords+n*abi.RecordSize > uint64(len(frame)) {
		return b, tableError("past the end", int(n))
	}
	b.count = int(n)
	return b, b.scan()
}

// scan checks the spans of all rows once, and finds the tier.
func (b *Backends) scan() error {
	b.tier = tierNone
	for i := range b.count {
		for _, field := range [...]uint32{abi.RecordID, abi.RecordAddress, abi.RecordZone, abi.RecordLabels} {
			if _, ok := span(b.frame, record(i)+field); !ok {
				return tableError("bytes outside of the frame", i)
			}
		}
		b.tier = min(b.tier, b.tierOf(i))
	}
	return nil
}

func record(i int) uint32 { return abi.BackendsRecords + uint32(i)*abi.RecordSize }

func (b Backends) tierOf(i int) tier {
	switch s := b.State(i); {
	case s == abi.StateReady && b.Weight(i) > 0:
		return tierReady
	case s == abi.StateReady:
		return tierWeightless
	case s == abi.StateDraining:
		return tierDraining
	}
	return tierNone
}

// Len is the number of backends.
func (b Backends) Len() int { return b.count }

// Version changes with every table.
func (b Backends) Version() uint32 { return le32(b.frame, abi.BackendsVersion) }

// ID is the name of a backend: what to hash, since an index changes with the table.
func (b Backends) ID(i int) string { return string(b.field(i, abi.RecordID)) }

// Address is where a backend is.
func (b Backends) Address(i int) string { return string(b.field(i, abi.RecordAddress)) }

// Zone is where a backend stands, as its operator says; empty if not said.
func (b Backends) Zone(i int) string { return string(b.field(i, abi.RecordZone)) }

// Label is the value of a backend's label.
func (b Backends) Label(i int, key string) (value string, ok bool) {
	rest := b.field(i, abi.RecordLabels)
	for len(rest) > 0 {
		var k, v []byte
		k, rest, _ = bytes.Cut(rest, []byte{abi.LabelEnd})
		v, rest, _ = bytes.Cut(rest, []byte{abi.LabelEnd})
		if string(k) == key {
			return string(v), true
		}
	}
	return "", false
}

// Weight is a backend's share in relation to the others. 0 = no new requests while another
// backend can take them.
func (b Backends) Weight(i int) uint32 { return le32(b.frame, record(i)+abi.RecordWeight) }

// State is what a backend may be given.
func (b Backends) State(i int) State { return State(le32(b.frame, record(i)+abi.RecordState)) }

// Usable reports whether a new request may go to a backend: it is ready and has a weight, or the
// table has no such backend, and it is ready, or at least draining.
func (b Backends) Usable(i int) bool {
	return (b.keep == nil || b.keep[i]) && b.tier != tierNone && b.tierOf(i) == b.tier
}

// Open reports whether a pinned request may go to a backend: it is ready or draining.
func (b Backends) Open(i int) bool { return b.tierOf(i) != tierNone }

// Subset is the same table, with the same indices, in which only those are Usable that keep
// names and that are usable in the whole.
func (b Backends) Subset(keep func(i int) bool) Backends {
	kept := make([]bool, b.count)
	for i := range kept {
		kept[i] = (b.keep == nil || b.keep[i]) && keep(i)
	}
	b.keep = kept
	return b
}

// share is the weight that a usable backend is chosen by.
func (b Backends) share(i int) uint32 { return max(b.Weight(i), 1) }

func (b Backends) field(i int, at uint32) []byte {
	f, _ := span(b.frame, record(i)+at)
	return f
}
