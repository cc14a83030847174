package sdk

import (
	"encoding/binary"
	"errors"
	"strconv"

	"github.com/wedge-lb/wedge/sdk/abi"
)

// Guest is one running strategy: the frame, and a method for each export of the ABI. In a module
// the exports call it; package sdktest drives it natively. It is not safe for concurrent use.
type Guest struct {
	strategy Strategy
	host     Host
	frame    []byte
	request  Request
}

// Frame gives a region of at least size bytes, valid until the next Frame.
func (g *Guest) Frame(size int) []byte {
	if size > len(g.frame) || len(g.frame) == 0 {
		g.frame = make([]byte, max(size, 64))
	}
	return g.frame
}

// Configure hands the options, n bytes of JSON in the frame, to the strategy. 0 = ready.
func (g *Guest) Configure(n int) int32 {
	return g.report(g.configure(n))
}

func (g *Guest) configure(n int) error {
	if g.strategy == nil {
		return errors.New("no strategy: call sdk.Register in init")
	}
	c := &Config{Host: g.host, raw: append([]byte(nil), g.frame[:n]...)}
	if err := g.strategy.Configure(c); err != nil {
		return err
	}
	return c.err
}

// Backends hands the table, n bytes in the frame, to the strategy. 0 = taken.
func (g *Guest) Backends(n int) int32 {
	table, err := decodeBackends(g.frame[:n])
	if err == nil {
		table.Host = g.host
		err = g.strategy.Backends(table)
	}
	return g.report(err)
}

// Pick hands the request, n bytes in the frame, to the strategy.
func (g *Guest) Pick(n int) abi.Decision {
	r := &g.request
	r.Host, r.frame = g.host, g.frame[:n]
	if n < abi.RequestSpans {
		return Abstain().code
	}
	r.excluded = le32(r.frame, abi.RequestExcludedCount)
	return g.strategy.Pick(r).code
}

// Observe hands the outcome, n bytes in the frame, to a strategy that is an Observer.
func (g *Guest) Observe(n int) {
	if o, ok := g.strategy.(Observer); ok && n >= abi.OutcomeSize {
		o.Observe(decodeOutcome(g.frame[:n]))
	}
}

func (g *Guest) report(err error) int32 {
	if err == nil {
		return 0
	}
	g.host.fail(err.Error())
	return 1
}

func le32(b []byte, off uint32) uint32 { return binary.LittleEndian.Uint32(b[off:]) }

func le64(b []byte, off uint32) uint64 { return binary.LittleEndian.Uint64(b[off:]) }

// span gives the bytes that the span at off points to; ok is false if there are none or if they
// would lie outside of the frame.
func span(frame []byte, off uint32) (b []byte, ok bool) {
	start, n := le32(frame, off+abi.SpanOff), le32(frame, off+abi.SpanLen)
	end := uint64(start) + uint64(n)
	if n == abi.Absent || end > uint64(len(frame)) {
		return nil, false
	}
	return frame[start:end:end], true
}

func tableError(what string, row int) error {
	return errors.New("backend table: row " + strconv.Itoa(row) + ": " + what)
}
