package plugin

import (
	"encoding/binary"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/wedge-lb/wedge/edge/balance"
	"github.com/wedge-lb/wedge/sdk/abi"
)

var le = binary.LittleEndian

// maxExcluded is how many of the backends tried already a guest is told; attempts are fewer.
const maxExcluded = 64

// writeRequest writes what the guest declared of r into its frame and gives the frame's length. A value
// that is longer than what is left is cut; hashes always find room. It does not allocate.
func (i *instance) writeRequest(frame []byte, r *balance.Request) uint32 {
	spans := abi.RequestSpans + abi.SpanSize*len(i.attrs)
	le.PutUint32(frame[abi.RequestAttempt:], r.Attempt)
	le.PutUint32(frame[abi.RequestPinned:], i.pinned(r.Pinned))
	le.PutUint32(frame[abi.RequestExcludedOff:], uint32(spans))
	le.PutUint32(frame[abi.RequestSlots:], uint32(len(i.attrs)))
	count := i.writeExcluded(frame[spans:], r.Excluded)
	le.PutUint32(frame[abi.RequestExcludedCount:], uint32(count))

	at := spans + abi.ExcludedSize*count
	end := min(len(frame), abi.MaxRequest) - abi.HashSize*i.hashed // hashes are kept room for
	for n := range i.attrs {
		span := frame[abi.RequestSpans+abi.SpanSize*n:]
		a := &i.attrs[n]
		length := abi.Absent
		if v, ok := a.value(r, &i.scratch); ok {
			if a.Form == abi.FormHash {
				end += abi.HashSize
				le.PutUint64(frame[at:], siphash(&i.guests.binding.Secret, v))
				length = abi.HashSize
			} else {
				length = uint32(copy(frame[at:end], v))
			}
		}
		le.PutUint32(span[abi.SpanOff:], uint32(at))
		le.PutUint32(span[abi.SpanLen:], length)
		if length != abi.Absent {
			at += int(length)
		}
	}
	return uint32(at)
}

// pinned is 1 + the row of b in the instance's own table, 0 for none.
func (i *instance) pinned(b *balance.Backend) uint32 {
	if b = i.row(b); b == nil {
		return 0
	}
	return b.Index + 1
}

// row finds a backend, which may be of another version of the table, in the instance's own.
func (i *instance) row(b *balance.Backend) *balance.Backend {
	if b == nil || i.set.Row(b.Index) == b {
		return b
	}
	return i.set.Find(b.ID)
}

// missed tells whether the instance's table is from before the backend came, or came back, to which the request
// is pinned: a guest would take it for lost. b may be nil.
func (i *instance) missed(b *balance.Backend) bool {
	if b == nil {
		return false
	}
	row := i.row(b)
	return row == nil || row != b && !serves(row) && serves(b)
}

// serves tells whether b takes requests that are pinned to it.
func serves(b *balance.Backend) bool {
	return b.State == balance.StateReady || b.State == balance.StateDraining
}

func (i *instance) writeExcluded(list []byte, excluded []*balance.Backend) (count int) {
	for _, b := range excluded[:min(len(excluded), maxExcluded)] {
		if b = i.row(b); b != nil {
			le.PutUint32(list[abi.ExcludedSize*count:], b.Index)
			count++
		}
	}
	return count
}

// appendTable appends a table in the form of the frame for wedge_backends.
func appendTable(dst []byte, s *balance.Set) []byte {
	count := len(s.Backends)
	dst = le.AppendUint32(dst, s.Version)
	dst = le.AppendUint32(dst, uint32(count))
	dst = append(dst, make([]byte, abi.RecordSize*count)...)
	for n := range s.Backends {
		b := &s.Backends[n]
		at := abi.BackendsRecords + abi.RecordSize*n
		dst = appendSpan(dst, at+abi.RecordID, b.ID)
		dst = appendSpan(dst, at+abi.RecordAddress, b.Address)
		dst = appendSpan(dst, at+abi.RecordZone, b.Zone)
		dst = appendSpan(dst, at+abi.RecordLabels, labels(b, s.Scale))
		le.PutUint32(dst[at+abi.RecordWeight:], b.Effective)
		le.PutUint32(dst[at+abi.RecordState:], uint32(b.State))
	}
	return dst
}

func appendSpan(dst []byte, at int, s string) []byte {
	le.PutUint32(dst[at+abi.SpanOff:], uint32(len(dst)))
	le.PutUint32(dst[at+abi.SpanLen:], uint32(len(s)))
	return append(dst, s...)
}

// labels are in the order of their keys, so that equal tables are equal bytes; the host's own comes last. One that
// holds a zero byte, which the form cannot carry, is left out.
func labels(b *balance.Backend, scale uint32) string {
	var list []byte
	for _, key := range slices.Sorted(maps.Keys(b.Labels)) {
		if value := b.Labels[key]; key != abi.LabelWeight && !strings.Contains(key+value, "\x00") {
			list = abi.AppendLabel(list, key, value)
		}
	}
	if scale != 1 {
		list = abi.AppendLabel(list, abi.LabelWeight, strconv.FormatUint(uint64(b.Weight), 10))
	}
	return string(list)
}

// writeResult writes the outcome of a request; row is that of the instance's own table.
func writeResult(frame []byte, row uint32, r *balance.Result) {
	le.PutUint32(frame[abi.OutcomeBackend:], row)
	le.PutUint32(frame[abi.OutcomeStatus:], uint32(r.Status))
	le.PutUint32(frame[abi.OutcomeFlags:], uint32(outcomeFlags(r.Kind)))
	le.PutUint32(frame[abi.OutcomeAttempt:], r.Attempt)
	le.PutUint64(frame[abi.OutcomeHead:], uint64(r.Head))
	le.PutUint64(frame[abi.OutcomeTotal:], uint64(r.Total))
}

func outcomeFlags(k balance.Kind) abi.OutcomeFlag {
	switch k {
	case balance.ConnectFailed:
		return abi.OutcomeConnectFailed
	case balance.TimedOut, balance.Busy:
		return abi.OutcomeTimedOut
	case balance.Reset, balance.BadAnswer:
		return abi.OutcomeReset
	}
	return 0
}
