package sdktest

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/wedge-lb/wedge/sdk"
	"github.com/wedge-lb/wedge/sdk/abi"
)

// Host stands in for the edge. It is not safe for concurrent use. Fields may be set at any time.
type Host struct {
	InFlight map[string]int           // requests in flight, by backend id
	Latency  map[string]time.Duration // moving average, by backend id; 0 = none yet
	// Utilization is what backends report, in parts per million, by backend id; absent = nothing.
	Utilization map[string]int
	Now         time.Time // the clock; it stands still
	Counters    [abi.MaxCounters]int64
	Store       map[string][]byte // times to live are not acted on
	Logs        []string          // lines the strategy wrote
	Refuse      []string          // attributes that are not granted, as in "cookie:session"

	guest    *sdk.Guest
	rand     sdk.Rand
	needs    []need
	table    []Backend
	loads    []int32 // InFlight by row, for calls
	slow     []int64 // Latency by row
	full     []int32 // Utilization by row
	version  uint32
	setup    bool // inside of Configure
	failed   string
	answered Decision // what calls of this pick have added
}

// NewHost is a host for s, with an empty pool, an idle clock at 2026 and random seed 1.
func NewHost(s sdk.Strategy) *Host {
	h := &Host{
		InFlight: map[string]int{}, Latency: map[string]time.Duration{},
		Utilization: map[string]int{}, Store: map[string][]byte{},
		Now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), rand: sdk.NewRand(1),
	}
	h.guest = sdk.NewGuest(s, h.imports())
	return h
}

// Seed starts the host's random numbers anew.
func (h *Host) Seed(seed uint64) { h.rand = sdk.NewRand(seed) }

// Configure hands JSON options to the strategy; the empty string is no options.
func (h *Host) Configure(options string) error {
	h.setup, h.needs = true, nil
	defer func() { h.setup = false }()
	return h.outcome("configure", h.guest.Configure(h.write([]byte(options))))
}

// Needs lists the attributes that the strategy declared; a hashed one ends in "#".
func (h *Host) Needs() []string {
	var list []string
	for _, n := range h.needs {
		list = append(list, n.String())
	}
	return list
}

// SetBackends hands a table to the strategy, in the order of the ids.
func (h *Host) SetBackends(list ...Backend) error {
	h.version++
	h.table = sorted(list)
	h.loads, h.slow, h.full = make([]int32, len(list)), make([]int64, len(list)), make([]int32, len(list))
	h.refresh()
	return h.outcome("backends", h.guest.Backends(h.write(tableFrame(h.version, h.table))))
}

// Pick asks the strategy for a decision.
func (h *Host) Pick(r Request) Decision { return h.Prepare(r)() }

// Prepare encodes a request once and gives a function that asks the strategy with it. The
// function does not allocate, so it is what benchmarks and Allocs run. It is valid until the
// next Pick or SetBackends.
func (h *Host) Prepare(r Request) func() Decision {
	h.refresh()
	frame := r.frame(h.needs, h.index)
	n := h.write(frame)
	return func() Decision {
		h.answered = Decision{Spares: h.answered.Spares[:0], Headers: h.answered.Headers[:0]}
		code := h.guest.Pick(n)
		return h.decision(code, &r)
	}
}

// Observe tells a strategy that is an Observer how a request ended.
func (h *Host) Observe(o Outcome) { h.guest.Observe(h.write(o.frame(h.index))) }

// index is the row of a backend; an unknown id is a mistake of the test.
func (h *Host) index(id string) int {
	i := slices.IndexFunc(h.table, func(b Backend) bool { return b.ID == id })
	if i < 0 {
		panic(fmt.Sprintf("sdktest: no backend %q in the table", id))
	}
	return i
}

// refresh takes over the loads and latencies that the test set.
func (h *Host) refresh() {
	for i, b := range h.table {
		h.loads[i], h.slow[i] = int32(h.InFlight[b.ID]), int64(h.Latency[b.ID])
		h.full[i] = abi.NoUtilization
		if ppm, ok := h.Utilization[b.ID]; ok {
			h.full[i] = int32(ppm)
		}
	}
}

func (h *Host) write(frame []byte) int { return copy(h.guest.Frame(len(frame)), frame) }

func (h *Host) outcome(step string, code int32) error {
	if code == 0 {
		return nil
	}
	return errors.New(step + ": " + h.failed)
}
