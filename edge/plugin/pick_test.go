package plugin_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedge-lb/wedge/edge/balance"
	"github.com/wedge-lb/wedge/edge/plugin"
)

// faults collects what is reported; the tests that use it have one goroutine.
type faults []plugin.Fault

func (f *faults) add(one *plugin.Fault) { *f = append(*f, *one) }

func TestAFaultOfEachKindHurtsNobody(t *testing.T) {
	h := newHost(t, plugin.Options{})
	m := load(t, h, wat(t, "faults"))
	const fatal = true
	for mode, tt := range map[string]struct {
		kind  plugin.Kind
		text  string
		fatal bool
	}{
		"a": {plugin.Trap, "unreachable", fatal},
		"b": {plugin.Trap, "out of bounds memory access", fatal},
		"c": {plugin.Trap, "integer divide by zero", fatal},
		"d": {plugin.Fuel, "more than 200000 units of fuel", fatal},
		"e": {plugin.Exit, "exit code 3", fatal},
		"f": {plugin.BadPick, "out of range", false},
		"g": {plugin.BadPick, "out of range", false},
		"h": {plugin.BadAnswer, "verdict 119", false},
		"i": {plugin.BadAnswer, "reject with status 700", false},
		"j": {plugin.BadAnswer, "verdict 3", false},
		"k": {plugin.BadCall, "need during pick", fatal},
		"l": {plugin.BadCall, "fail during pick", fatal},
		"m": {plugin.BadPointer, "bytes outside of the memory", fatal},
		"n": {plugin.BadPointer, "bytes outside of the memory", fatal},
		"o": {plugin.BadPointer, "bytes outside of the memory", fatal},
		"p": {plugin.BadPointer, "bytes outside of the memory", fatal},
		"q": {plugin.BadCall, "respond with a status that ends no exchange", fatal},
		"r": {plugin.BadCall, "respond with too long a body", fatal},
		"s": {plugin.BadCall, "no such counter", fatal},
		"t": {plugin.BadPointer, "bytes outside of the memory", fatal},
		"u": {plugin.BadPointer, "bytes outside of the memory", fatal},
		"v": {plugin.BadPointer, "bytes outside of the memory", fatal},
		"w": {plugin.BadCall, "respond with a bad content type", fatal},
	} {
		t.Run(mode+" "+tt.kind.String()+" "+tt.text, func(t *testing.T) {
			var heard faults
			woken := 0
			pool := newPool(3)
			g := bind(t, m, plugin.Binding{
				Set: pool.Set(), Instances: 2, Fault: heard.add, Wake: func() { woken++ },
			})
			r := request()
			r.Header = headers{"x-mode": mode}
			checkFallback(t, g, r, pool.Set(), tt.kind)

			if tt.kind != plugin.BadPick { // the Chooser tells of those
				require.Len(t, heard, 1)
				assert.Equal(t, tt.kind, heard[0].Kind)
				assert.Equal(t, "pick", heard[0].Step)
				assert.Contains(t, heard[0].Text, tt.text)
			}
			live, wakes := 2, 0
			if tt.fatal {
				live, wakes = 1, 1
			}
			assert.Equal(t, live, g.Live())
			assert.Equal(t, wakes, woken)

			var d balance.Decision
			require.NoError(t, g.Pick(request(), pool.Set(), &d), "the others serve")
			assert.Equal(t, "b0", d.Backend.ID)
			require.NoError(t, g.Maintain(context.Background()))
			assert.Equal(t, 2, g.Live())
		})
	}
}

// checkFallback asks a Chooser, as the proxy does: whatever the guest does, a backend is chosen.
func checkFallback(t *testing.T, g *plugin.Guests, r *balance.Request, set *balance.Set, kind plugin.Kind) {
	c := balance.Chooser{Random: func() uint64 { return 1 << 60 }}
	var d balance.Decision
	require.NoError(t, c.Choose(g, r, set, &d))
	require.NotNil(t, d.Backend)
	assert.Equal(t, balance.Fallback, d.Outcome)
	assert.Empty(t, d.Header)
	assert.Empty(t, d.Spares)
	assert.Empty(t, d.Body)
	want := "fault"
	if kind == plugin.BadPick {
		want = "bad_pick"
	}
	assert.Equal(t, want, d.Reason)
}

func TestWithoutAnInstanceAPickFailsAtOnce(t *testing.T) {
	pool := newPool(1)
	m := load(t, newHost(t, plugin.Options{}), wat(t, "faults"))
	g := bind(t, m, plugin.Binding{Set: pool.Set(), Instances: 1})
	r := request()
	r.Header = headers{"x-mode": "a"}
	var d balance.Decision
	require.Error(t, g.Pick(r, pool.Set(), &d))
	require.ErrorIs(t, g.Pick(r, pool.Set(), &d), plugin.ErrBusy)
	require.NoError(t, g.Maintain(t.Context()))
	require.NoError(t, g.Pick(request(), pool.Set(), &d))
}

func TestClosedGuestsPickNoMore(t *testing.T) {
	pool := newPool(1)
	m := load(t, newHost(t, plugin.Options{}), wat(t, "route0"))
	g, err := m.Bind(t.Context(), plugin.Binding{Set: pool.Set()})
	require.NoError(t, err)
	require.NoError(t, g.Close(t.Context()))
	require.NoError(t, g.Close(t.Context()), "again")
	var d balance.Decision
	assert.ErrorIs(t, g.Pick(request(), pool.Set(), &d), plugin.ErrClosed)
	assert.NoError(t, g.Maintain(t.Context()))
	assert.Zero(t, g.Live())
}

func TestHeadersAndSparesAreHeldToTheRules(t *testing.T) {
	pool := newPool(3)
	g := bind(t, load(t, newHost(t, plugin.Options{}), wat(t, "headers")), plugin.Binding{Set: pool.Set()})
	pick := func(name, value string, times int) *balance.Decision {
		r := request()
		r.Header = headers{"x-name": name, "x-value": value, "x-times": string([]byte{byte(8 * times)})}
		d := new(balance.Decision)
		require.NoError(t, g.Pick(r, pool.Set(), d))
		require.Equal(t, "b1", d.Backend.ID)
		require.True(t, d.Pin)
		return d
	}
	d := pick("X-Wedge-Track", " canary ", 1)
	require.Len(t, d.Header, 1)
	assert.Equal(t, "x-wedge-track: canary", fmt.Sprintf("%s: %s", d.Header[0].Name, d.Header[0].Value))
	var spares []string
	for _, b := range d.Spares {
		spares = append(spares, b.ID)
	}
	assert.Equal(t, []string{"b2", "b1", "b0"}, spares)

	d = pick("a", "b", 20)
	assert.Len(t, d.Header, 16)
	assert.Len(t, d.Spares, 8)
	assert.Len(t, pick("a", strings.Repeat("v", 3000), 2).Header, 1, "over 4 KiB in all")

	for _, name := range []string{
		"", "a b", "a:", "a\r\nset-cookie", "\x00", "Connection", "Keep-Alive", "Proxy-Connection", "TE", "Trailer",
		"Transfer-Encoding", "Upgrade", "Content-Length", "Host",
	} {
		assert.Empty(t, pick(name, "x", 1).Header, "%q", name)
	}
	for _, value := range []string{"a\r\nset-cookie: b", "a\nb", "a\rb", "a\x00b", "a\x7fb"} {
		assert.Empty(t, pick("x-ok", value, 1).Header, "%q", value)
	}
}

func TestStoreCountersRandomAndClock(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	h := newHost(t, plugin.Options{Now: func() time.Time { return now }})
	var counters plugin.Counters
	pool := newPool(1)
	g := bind(t, load(t, h, wat(t, "store")), plugin.Binding{Set: pool.Set(), Counters: &counters, Instances: 2})
	ask := func(method, key, value string) string {
		r := request()
		r.Method, r.Path, r.Header = []byte(method), []byte(key), headers{}
		if value != "" {
			r.Header = headers{"x-value": value}
		}
		var d balance.Decision
		require.NoError(t, g.Pick(r, pool.Set(), &d))
		require.Equal(t, balance.Respond, d.Verdict)
		return string(d.Body)
	}
	assert.Empty(t, ask("GET", "/k", "one"))
	assert.Equal(t, "one", ask("GET", "/k", "two"))
	assert.Equal(t, "two", ask("DELETE", "/k", ""))
	assert.Empty(t, ask("GET", "/k", "three"))
	now = now.Add(999 * time.Millisecond)
	assert.Equal(t, "three", ask("GET", "/k", ""))
	now = now.Add(time.Millisecond)
	assert.Empty(t, ask("GET", "/k", ""), "expired")
	assert.Empty(t, ask("GET", "/big", strings.Repeat("v", 4097)))
	assert.Empty(t, ask("GET", "/big", ""), "too large a value")
	assert.Empty(t, ask("GET", "/"+strings.Repeat("k", 256), "v"))
	assert.Empty(t, ask("GET", "/"+strings.Repeat("k", 256), ""), "too long a key")
	n, _ := counters.Add(3, 0)
	assert.EqualValues(t, 2*10, n, "counted by all instances")
}

func TestLoadIsThatOfTheRow(t *testing.T) {
	pool := newPool(5)
	g := bind(t, load(t, newHost(t, plugin.Options{}), wat(t, "busiest")), plugin.Binding{Set: pool.Set()})
	pick := func() string {
		var d balance.Decision
		require.NoError(t, g.Pick(request(), pool.Set(), &d))
		return d.Backend.ID
	}
	pool.Set().Find("b3").Load().Begin()
	assert.Equal(t, "b3", pick())
	pool.Set().Find("b4").Load().Answered(2 * time.Second)
	assert.Equal(t, "b4", pick())
}

func TestLoadsOfSeveralRows(t *testing.T) {
	pool := newPool(3)
	var heard faults
	g := bind(t, load(t, newHost(t, plugin.Options{}), wat(t, "loads")), plugin.Binding{
		Set: pool.Set(), Fault: heard.add,
	})
	var d balance.Decision
	r := request()
	pick := func() string {
		d.Reset()
		require.NoError(t, g.Pick(r, pool.Set(), &d))
		return d.Backend.ID
	}
	assert.Equal(t, "b0", pick())
	pool.Set().Find("b0").Load().Begin()
	assert.Equal(t, "b1", pick())
	pool.Set().Find("b1").Load().Begin()
	pool.Set().Find("b0").Load().Answered(2 * time.Second)
	assert.Equal(t, "b1", pick())
	assert.Zero(t, testing.AllocsPerRun(100, func() { pick() }))

	for method, want := range map[string]plugin.Kind{"P": plugin.BadPointer, "T": plugin.BadCall} {
		r.Method = []byte(method)
		d.Reset()
		var fault *plugin.Fault
		require.ErrorAs(t, g.Pick(r, pool.Set(), &d), &fault)
		assert.Equal(t, want, fault.Kind)
	}
}

func TestObserve(t *testing.T) {
	var counters plugin.Counters
	var heard faults
	pool := newPool(3)
	h := newHost(t, plugin.Options{})
	g := bind(t, load(t, h, wat(t, "observe")), plugin.Binding{
		Set: pool.Set(), Counters: &counters, Instances: 1, Fault: heard.add,
	})
	require.True(t, g.Observes())
	row := pool.Set().Row(2)
	g.Observe(&balance.Result{Backend: row, Status: 200, Attempt: 1, Head: 5, Total: 9})
	g.Observe(&balance.Result{Backend: row, Kind: balance.ConnectFailed})
	g.Observe(&balance.Result{Backend: row, Kind: balance.TimedOut})
	g.Observe(&balance.Result{Backend: row, Kind: balance.Reset})
	g.Observe(&balance.Result{Backend: row, Kind: balance.ClientGone})
	g.Observe(&balance.Result{Backend: newPool(9).Set().Row(8)}) // not in the guest's table
	for counter, want := range []int64{4, 8, 200, 7, 1, 5, 9} {
		n, _ := counters.Add(uint32(counter), 0)
		assert.Equal(t, want, n, "counter %d", counter)
	}
	g.Observe(&balance.Result{Backend: row, Status: 599})
	require.Len(t, heard, 1)
	assert.Equal(t, "observe", heard[0].Step)
	g.Observe(&balance.Result{Backend: row, Status: 200}) // without an instance
	assert.Zero(t, g.Live())

	deaf := bind(t, load(t, h, wat(t, "route0")), plugin.Binding{Set: pool.Set()})
	assert.False(t, deaf.Observes())
	deaf.Observe(&balance.Result{Backend: row})
}

func TestRefreshReachesEveryInstance(t *testing.T) {
	pool := newPool(2)
	var heard faults
	g := bind(t, load(t, newHost(t, plugin.Options{}), wat(t, "refuse_backends")), plugin.Binding{
		Set: pool.Set(), Instances: 3, Fault: heard.add,
	})
	pool.Update(specs(3))
	require.NoError(t, g.Refresh(t.Context(), pool.Set()))
	assert.Same(t, pool.Set(), g.Set())
	assert.Equal(t, 3, g.Live())

	pool.Update(specs(4))
	require.ErrorContains(t, g.Refresh(t.Context(), pool.Set()), "backends: refused: too many rows")
	assert.Zero(t, g.Live(), "who does not know the table does not serve")
	assert.Len(t, heard, 3)
	require.ErrorContains(t, g.Maintain(t.Context()), "too many rows")
	assert.Zero(t, g.Live())

	pool.Update(specs(1))
	require.NoError(t, g.Refresh(t.Context(), pool.Set()))
	require.NoError(t, g.Maintain(t.Context()))
	assert.Equal(t, 3, g.Live())
}

func TestMemoryGrowsToItsLimit(t *testing.T) {
	pool := newPool(1)
	h := newHost(t, plugin.Options{})
	m, err := h.Load(t.Context(), "test", wat(t, "grow"), plugin.Limits{Memory: 1 << 20})
	require.NoError(t, err)
	g, err := m.Bind(t.Context(), plugin.Binding{Set: pool.Set(), Instances: 1})
	require.NoError(t, err)
	for range 100 {
		var d balance.Decision
		require.NoError(t, g.Pick(request(), pool.Set(), &d))
	}
	assert.EqualValues(t, 1<<20, g.Memory())
	require.NoError(t, g.Close(t.Context()))
	require.NoError(t, m.Close(t.Context()))
}

// FuzzHostCalls lets a guest make any calls with any arguments, and return anything: there may be faults,
// never a panic of the host's or a decision outside of the table.
func FuzzHostCalls(f *testing.F) {
	call := func(which byte, args ...uint64) []byte {
		b := make([]byte, 41)
		b[0] = which
		for i, a := range args {
			binary.LittleEndian.PutUint64(b[1+8*i:], a)
		}
		return b
	}
	decision := func(d uint64) []byte { return binary.LittleEndian.AppendUint64(nil, d) }
	for which := range byte(14) {
		f.Add(append(call(which), decision(0)...))
		const most = 0xffffffff
		f.Add(append(call(which, most, most, most, most, 1<<64-1), decision(1<<32)...))
		f.Add(append(call(which, 1, 8, 4, 8, 4), decision(uint64(which)<<32)...))
	}
	f.Add(append(append(call(13, 200, 0, 4, 0, 4), call(12, 0, 4, 0, 4)...), decision(3<<32)...))
	pool := newPool(3)
	var host []plugin.Fault
	g := bind(f, load(f, newHost(f, plugin.Options{}), wat(f, "calls")), plugin.Binding{
		Set: pool.Set(), Instances: 1, Fault: func(one *plugin.Fault) {
			if one.Kind == plugin.HostPanic {
				host = append(host, *one)
			}
		},
	})
	f.Fuzz(func(t *testing.T, calls []byte) {
		var d balance.Decision
		err := g.Pick(&balance.Request{Header: headers{"x-calls": string(calls)}}, pool.Set(), &d)
		require.Empty(t, host)
		if err == nil && d.Verdict == balance.Route && d.Backend != nil {
			require.Same(t, d.Backend, pool.Set().Row(d.Backend.Index))
		}
		require.LessOrEqual(t, len(d.Spares), 8)
		require.LessOrEqual(t, len(d.Header), 16)
		require.NoError(t, g.Maintain(t.Context()))
	})
}

func TestAPinThatIsNewerThanTheTableIsLeftToTheFallback(t *testing.T) {
	h := newHost(t, plugin.Options{})
	pool := newPool(2)
	g := bind(t, load(t, h, builtin(t, "cookie-sticky")), plugin.Binding{Set: pool.Set()})
	pool.Update(specs(3))
	c := balance.Chooser{Random: func() uint64 { return 0 }}
	for _, b := range []*balance.Backend{pool.Set().Row(2), pool.Set().Row(1)} {
		for range 20 {
			r := request()
			r.Pinned = b
			var d balance.Decision
			require.NoError(t, c.Choose(g, r, pool.Set(), &d))
			require.Same(t, b, d.Backend)
		}
	}
	require.NoError(t, g.Refresh(context.Background(), pool.Set()))
	r := request()
	r.Pinned = pool.Set().Row(2)
	var d balance.Decision
	require.NoError(t, c.Choose(g, r, pool.Set(), &d))
	require.Equal(t, balance.Hit, d.Outcome)
}

func TestAPinnedBackendThatIsBackIsNotTakenForLost(t *testing.T) {
	h := newHost(t, plugin.Options{})
	pool := newPool(3)
	require.NoError(t, pool.SetUp("b1", false))
	g := bind(t, load(t, h, builtin(t, "cookie-sticky")), plugin.Binding{Set: pool.Set()})
	c := balance.Chooser{Random: func() uint64 { return 0 }}
	pick := func() (d balance.Decision) {
		r := request()
		r.Pinned = pool.Set().Find("b1")
		require.NoError(t, c.Choose(g, r, pool.Set(), &d))
		return d
	}
	lost := pick()
	require.Equal(t, balance.Repick, lost.Outcome, "the guest moves who is pinned to one that is down")
	require.NoError(t, pool.SetUp("b1", true))
	for range 20 {
		back := pick()
		require.Equal(t, "b1", back.Backend.ID, "before the guest's table tells that it is up")
	}
	require.NoError(t, g.Refresh(context.Background(), pool.Set()))
	back := pick()
	require.Equal(t, balance.Hit, back.Outcome)
}

func TestAGuestIsAskedNothingWhileItsPoolIsEmpty(t *testing.T) {
	h := newHost(t, plugin.Options{})
	pool := newPool(0)
	var heard faults
	g := bind(t, load(t, h, wat(t, "faults")), plugin.Binding{Set: pool.Set(), Fault: heard.add})
	trap := request()
	trap.Header = headers{"x-mode": "a"}
	ask := func() error {
		var d balance.Decision
		err := g.Pick(trap, pool.Set(), &d)
		if err == nil {
			require.Equal(t, balance.Abstain, d.Verdict)
		}
		return err
	}
	require.NoError(t, g.SelfTest(context.Background(), 10))
	require.NoError(t, ask())
	pool.Update(specs(2))
	require.NoError(t, ask(), "nor before it was given a table")
	require.Empty(t, heard)
	require.NoError(t, g.Refresh(context.Background(), pool.Set()))
	require.Error(t, ask())
	require.Len(t, heard, 1)
}
