package plugin_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedge-lb/wedge/edge/balance"
	"github.com/wedge-lb/wedge/edge/plugin"
	"github.com/wedge-lb/wedge/sdk/abi"
)

// The tests of this file hold the host to sdk/ABI.md at every place where it meets a guest: each import at
// each time, each address at each edge, each value of each result. The guests are assembled for one question
// each.

// steps are the exports that can make calls, by the time that faults tell.
var steps = map[string]string{
	abi.ExportInitialize: "instantiate", abi.ExportConfigure: "configure", abi.ExportBackends: "backends",
	abi.ExportPick: "pick", abi.ExportObserve: "observe",
}

// usual are arguments that an import can do something with.
func usual(name string) []uint64 {
	args := make([]uint64, 5)
	switch name {
	case abi.ImportNeed:
		args[0] = uint64(abi.KindClientIP)
	case abi.ImportRespond:
		args[0] = 200
	}
	return args
}

// belongs tells whether an import may be called in an export, as ABI.md has it.
func belongs(name, export string) bool {
	switch name {
	case abi.ImportNeed:
		return export == abi.ExportConfigure
	case abi.ImportFail:
		return export == abi.ExportConfigure || export == abi.ExportBackends
	case abi.ImportLoads:
		return export != abi.ExportInitialize
	case abi.ImportSpare, abi.ImportSetHeader, abi.ImportRespond:
		return export == abi.ExportPick
	}
	return true
}

// border is a host with a pool, at which assembled guests are tried.
type border struct {
	host *plugin.Host
	pool *balance.Pool
}

func newBorder(t *testing.T) border { return border{newHost(t, plugin.Options{}), newPool(3)} }

// ask binds a guest, lets it pick once and hear of one outcome: the decision, and the first error.
func (b border) ask(t *testing.T, a assembly) (d balance.Decision, err error) {
	t.Helper()
	a.exports = abi.Exports()
	m, err := b.host.Load(t.Context(), "test", a.module(), plugin.Limits{Memory: 1 << 20})
	require.NoError(t, err)
	defer func() { require.NoError(t, m.Close(t.Context())) }()
	var heard error
	g, err := m.Bind(t.Context(), plugin.Binding{
		Set: b.pool.Set(), Instances: 1, Fault: func(f *plugin.Fault) { heard = f },
	})
	if err != nil {
		return d, err
	}
	defer func() { require.NoError(t, g.Close(t.Context())) }()
	if err := g.Pick(request(), b.pool.Set(), &d); err != nil {
		return d, err
	}
	g.Observe(&balance.Result{Backend: b.pool.Set().Row(1), Status: 200})
	return d, heard
}

// body is the code of an export that makes a call, and gives what the export has to give.
func body(a assembly, export string, n int, args []uint64) map[string][]byte {
	code := a.calling(n, args...)
	if export == abi.ExportPick {
		code = append(code, constant(abi.I64, 0)...)
	}
	return map[string][]byte{export: code}
}

func TestEachImportHasItsTime(t *testing.T) {
	b := newBorder(t)
	for n, f := range abi.Imports() {
		for export, step := range steps {
			t.Run(f.Name+" during "+step, func(t *testing.T) {
				a := assembly{imports: abi.Imports()}
				a.bodies = body(a, export, n, usual(f.Name))
				_, err := b.ask(t, a)
				if belongs(f.Name, export) {
					require.NoError(t, err)
					return
				}
				assertFault(t, err, plugin.BadCall, step)
				assert.ErrorContains(t, err, f.Name+" during "+step)
			})
		}
	}
}

func assertFault(t *testing.T, err error, kind plugin.Kind, step string) {
	t.Helper()
	var fault *plugin.Fault
	require.True(t, errors.As(err, &fault), "%v", err)
	assert.Equal(t, kind, fault.Kind)
	assert.Equal(t, step, fault.Step)
}

// texts says which parameters of an import are an address and a length: the place of each address.
var texts = map[string][]int{
	abi.ImportNeed: {1}, abi.ImportFail: {0}, abi.ImportLog: {1}, abi.ImportStoreGet: {0, 2},
	abi.ImportStorePut: {0, 2}, abi.ImportStoreDelete: {0}, abi.ImportSetHeader: {0, 2},
	abi.ImportRespond: {1, 3},
}

// edges are addresses and lengths at the ends of a memory of 64 KiB, and of 32 bits.
var edges = []struct {
	address, length uint64
	inside          bool
}{
	{0, 0, true}, {0, 1, true}, {65535, 1, true}, {65536, 0, true}, {65280, 256, true},
	{65536, 1, false}, {65535, 2, false}, {65537, 0, false}, {65281, 256, false}, {0, 65537, false},
	{1, 0xffffffff, false}, {0xffffffff, 0, false}, {0xffffffff, 1, false}, {0xffffffff, 0xffffffff, false},
	{0x80000000, 1, false}, {0x7fffffff, 0x80000001, false}, {0xffff0000, 0x10000, false},
	{0, 0x80000000, false},
}

func TestAddressesAtEveryEdge(t *testing.T) {
	b := newBorder(t)
	for n, f := range abi.Imports() {
		for _, place := range texts[f.Name] {
			for _, e := range edges {
				args := usual(f.Name)
				args[place], args[place+1] = e.address, e.length
				want := verdict(e.inside)
				if f.Name == abi.ImportRespond && place == 1 && e.inside && e.length > 0 {
					want = plugin.BadCall.String() // a content type of zero bytes
				}
				t.Run(fmt.Sprint(f.Name, args), func(t *testing.T) { b.edge(t, n, f.Name, args, want) })
			}
		}
		if f.Name == abi.ImportLoads { // an address and a count of 16 bytes
			for address, inside := range map[uint64]bool{
				0: true, 65520: true, 65521: false, 65536: false, 0xffffffff: false, 0xfffffff0: false,
			} {
				args := []uint64{address, 1}
				t.Run(fmt.Sprint(f.Name, args), func(t *testing.T) { b.edge(t, n, f.Name, args, verdict(inside)) })
			}
		}
	}
}

// verdict is what becomes of a pick with an address inside of the memory, or not.
func verdict(inside bool) string {
	if inside {
		return "route b0"
	}
	return plugin.BadPointer.String()
}

// edge makes one call where it belongs.
func (b border) edge(t *testing.T, n int, name string, args []uint64, want string) {
	export := abi.ExportPick
	if !belongs(name, export) {
		export = abi.ExportConfigure
	}
	a := assembly{imports: abi.Imports()}
	a.bodies = body(a, export, n, args)
	d, err := b.ask(t, a)
	assert.Equal(t, want, told(d, err))
}

// The frame of a request, 64 KiB, has to be in a memory of 128.
func TestFramesAtEveryEdge(t *testing.T) {
	b := newBorder(t)
	for address, inside := range map[uint64]bool{
		0: true, 1: true, 65536: true, 65537: false, 131072: false, 0x7fffffff: false, 0x80000000: false,
		0xffff0000: false, 0xffffffff: false,
	} {
		t.Run(fmt.Sprint(address), func(t *testing.T) {
			a := assembly{pages: 2, bodies: map[string][]byte{abi.ExportFrame: constant(abi.I32, address)}}
			_, err := b.ask(t, a)
			if inside {
				require.NoError(t, err)
				return
			}
			assertFault(t, err, plugin.BadPointer, "configure")
		})
	}
}

func TestEveryDecision(t *testing.T) {
	b := newBorder(t)
	code := func(v abi.Verdict, row uint32, flags abi.Flags, status uint16) uint64 {
		return uint64(abi.NewDecision(v, row, flags, status))
	}
	for name, tt := range map[string]struct {
		code uint64
		want string // what becomes of it
	}{
		"the last row":             {code(abi.VerdictRoute, 2, 0, 0), "route b2"},
		"a pin":                    {code(abi.VerdictRoute, 1, abi.FlagPin, 0), "route b1 pin"},
		"flags of another version": {code(abi.VerdictRoute, 1, 0xfe, 0), "route b1"},
		"a status on a route":      {code(abi.VerdictRoute, 0, 0, 418), "route b0"},
		"the row behind the last":  {code(abi.VerdictRoute, 3, 0, 0), "route nobody"},
		"the highest row":          {code(abi.VerdictRoute, 0xffffffff, abi.FlagPin, 0), "route nobody"},
		"abstain":                  {code(abi.VerdictAbstain, 0, 0, 0), "abstain"},
		"abstain with all bits":    {code(abi.VerdictAbstain, 0xffffffff, 0xff, 0xffff), "abstain"},
		"reject":                   {code(abi.VerdictReject, 0, 0, 0), "reject 503"},
		"the lowest reject":        {code(abi.VerdictReject, 7, 0xff, 400), "reject 400"},
		"the highest reject":       {code(abi.VerdictReject, 0, 0, 599), "reject 599"},
		"reject with a redirect":   {code(abi.VerdictReject, 0, 0, 399), "bad_answer"},
		"reject with 600":          {code(abi.VerdictReject, 0, 0, 600), "bad_answer"},
		"reject with 65535":        {code(abi.VerdictReject, 0, 0, 65535), "bad_answer"},
		"respond with nothing":     {code(abi.VerdictRespond, 0, 0, 200), "bad_answer"},
		"a verdict to come":        {code(4, 0, 0, 0), "bad_answer"},
		"the highest verdict":      {1<<64 - 1, "bad_answer"},
	} {
		t.Run(name, func(t *testing.T) {
			a := assembly{bodies: map[string][]byte{abi.ExportPick: constant(abi.I64, tt.code)}}
			d, err := b.ask(t, a)
			assert.Equal(t, tt.want, told(d, err))
		})
	}
}

// told is a decision in words.
func told(d balance.Decision, err error) string {
	var fault *plugin.Fault
	switch {
	case errors.As(err, &fault):
		return fault.Kind.String()
	case err != nil:
		return err.Error()
	case d.Verdict == balance.Abstain:
		return "abstain"
	case d.Verdict == balance.Reject:
		return fmt.Sprint("reject ", d.Status)
	case d.Verdict == balance.Respond:
		return fmt.Sprintf("respond %d %s %d", d.Status, d.ContentType, len(d.Body))
	case d.Backend == nil:
		return "route nobody"
	case d.Pin:
		return "route " + d.Backend.ID + " pin"
	}
	return "route " + d.Backend.ID
}

// What a guest gives in excess is bounded, or ends it.
func TestWhatIsTooMuch(t *testing.T) {
	b := newBorder(t)
	const respond, route = uint64(abi.VerdictRespond) << abi.VerdictShift, 0
	for name, tt := range map[string]struct {
		call   string
		args   []uint64
		answer uint64
		want   string
	}{
		"the longest body":       {abi.ImportRespond, []uint64{599, 0, 0, 0, 65536}, respond, "respond 599  65536"},
		"a longer body":          {abi.ImportRespond, []uint64{200, 0, 0, 0, 65537}, respond, "bad_call"},
		"an answer not used":     {abi.ImportRespond, []uint64{200, 0, 0, 0, 9}, route, "route b0"},
		"an informational":       {abi.ImportRespond, []uint64{199, 0, 0, 0, 0}, respond, "bad_call"},
		"status 600":             {abi.ImportRespond, []uint64{600, 0, 0, 0, 0}, respond, "bad_call"},
		"a type of zeros":        {abi.ImportRespond, []uint64{200, 0, 1, 0, 0}, respond, "bad_call"},
		"the last counter":       {abi.ImportCounterAdd, []uint64{63, 1}, route, "route b0"},
		"one counter more":       {abi.ImportCounterAdd, []uint64{64, 1}, route, "bad_call"},
		"the highest counter":    {abi.ImportCounterAdd, []uint64{0xffffffff, 1}, route, "bad_call"},
		"the most loads":         {abi.ImportLoads, []uint64{0, 64}, route, "route b0"},
		"one load more":          {abi.ImportLoads, []uint64{0, 65}, route, "bad_call"},
		"loads that wrap":        {abi.ImportLoads, []uint64{0, 0x10000001}, route, "bad_call"},
		"a spare that is nobody": {abi.ImportSpare, []uint64{3}, route, "route nobody"},
		"the last spare":         {abi.ImportSpare, []uint64{2}, route, "route b0"},
		"a long key":             {abi.ImportStorePut, []uint64{0, 257, 0, 0, 1}, route, "route b0"},
		"a long value":           {abi.ImportStorePut, []uint64{0, 1, 0, 4097, 1}, route, "route b0"},
		"a negative time":        {abi.ImportStorePut, []uint64{0, 1, 0, 1, 1 << 63}, route, "route b0"},
		"a long log line":        {abi.ImportLog, []uint64{9, 0, 131072}, route, "route b0"},
		"load of nobody":         {abi.ImportInFlight, []uint64{0xffffffff}, route, "route b0"},
		"a field of zeros":       {abi.ImportSetHeader, []uint64{0, 8, 0, 8}, route, "route b0"},
	} {
		t.Run(name, func(t *testing.T) {
			a := assembly{imports: abi.Imports(), pages: 2}
			n := slices.IndexFunc(a.imports, func(f abi.Func) bool { return f.Name == tt.call })
			code := append(a.calling(n, tt.args...), constant(abi.I64, tt.answer)...)
			a.bodies = map[string][]byte{abi.ExportPick: code}
			d, err := b.ask(t, a)
			assert.Equal(t, tt.want, told(d, err))
			assert.Empty(t, d.Header)
		})
	}
}

// A text of any length for fail is cut; what no terminal should see becomes spaces.
func TestARefusalIsBounded(t *testing.T) {
	a := assembly{imports: abi.Imports(), pages: 2}
	n := slices.IndexFunc(a.imports, func(f abi.Func) bool { return f.Name == abi.ImportFail })
	a.bodies = map[string][]byte{abi.ExportBackends: a.calling(n, 0, 131072)}
	_, err := newBorder(t).ask(t, a)
	require.NoError(t, err, "a text without a refusal is none")
	a.bodies[abi.ExportBackends] = append(a.bodies[abi.ExportBackends], opI32, 1, 0x0f) // return 1
	_, err = newBorder(t).ask(t, a)
	assertFault(t, err, plugin.Refused, "backends")
	assert.Less(t, len(err.Error()), abi.MaxFailLen+100)
}

// Imports come in any order, some twice, some not at all.
func TestImportsInAnyOrder(t *testing.T) {
	b := newBorder(t)
	backwards := slices.Clone(abi.Imports())
	slices.Reverse(backwards)
	for name, list := range map[string][]abi.Func{
		"backwards": backwards, "twice": slices.Concat(backwards, backwards), "none": nil, "one": backwards[:1],
	} {
		t.Run(name, func(t *testing.T) {
			a := assembly{imports: list, bodies: map[string][]byte{}}
			for n, f := range list { // each is called by its own index
				if strings.HasPrefix(f.Name, "store") || f.Name == abi.ImportRandom {
					a.bodies[abi.ExportPick] = append(a.bodies[abi.ExportPick], a.calling(n, make([]uint64, 5)...)...)
				}
			}
			a.bodies[abi.ExportPick] = append(a.bodies[abi.ExportPick], constant(abi.I64, 1)...)
			d, err := b.ask(t, a)
			assert.Equal(t, "route b1", told(d, err))
		})
	}
}
