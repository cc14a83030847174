package sdk_test

import (
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedge-lb/wedge/sdk"
	"github.com/wedge-lb/wedge/sdk/abi"
	"github.com/wedge-lb/wedge/sdk/sdktest"
)

func TestTheTableShowsItsRowsInTheOrderOfIDs(t *testing.T) {
	b := sdktest.Table(
		sdktest.Backend{ID: "z", Address: "10.0.0.2:80", State: abi.StateDraining},
		sdktest.Backend{ID: "a", Zone: "eu-1", Weight: 7, Labels: map[string]string{"track": "canary", "x": ""}},
	)
	require.Equal(t, 2, b.Len())
	assert.Equal(t, []string{"a", "z"}, []string{b.ID(0), b.ID(1)})
	assert.Equal(t, "10.0.0.2:80", b.Address(1))
	assert.Equal(t, "eu-1", b.Zone(0))
	assert.Empty(t, b.Zone(1))
	assert.Equal(t, uint32(7), b.Weight(0))
	assert.Equal(t, abi.StateDraining, b.State(1))
	assert.Equal(t, uint32(1), b.Version())
	v, ok := b.Label(0, "track")
	assert.True(t, ok)
	assert.Equal(t, "canary", v)
	v, ok = b.Label(0, "x")
	assert.True(t, ok)
	assert.Empty(t, v)
	_, ok = b.Label(0, "canary")
	assert.False(t, ok, "a value is not a key")
}

func TestUsableIsTheBestOfTheTable(t *testing.T) {
	list := even(4)
	list[1].State, list[2].State, list[3].Weight = abi.StateDraining, abi.StateDown, sdktest.Weightless
	usable := func() (out []bool) {
		b := sdktest.Table(list...)
		for i := range b.Len() {
			out = append(out, b.Usable(i))
		}
		return out
	}
	assert.Equal(t, []bool{true, false, false, false}, usable())
	list[0].State = abi.StateMaintenance
	assert.Equal(t, []bool{false, false, false, true}, usable(), "no weight is better than draining")
	list[3].State = abi.StateDown
	assert.Equal(t, []bool{false, true, false, false}, usable())
	list[1].State = abi.StateDown
	assert.Equal(t, []bool{false, false, false, false}, usable())
}

func TestASubsetDoesNotLowerTheBar(t *testing.T) {
	list := with(even(3), 1, abi.StateDraining)
	b := sdktest.Table(list...).Subset(func(i int) bool { return i > 0 })
	assert.Equal(t, []bool{false, false, true}, []bool{b.Usable(0), b.Usable(1), b.Usable(2)},
		"a draining backend is not used while the whole has a ready one")
	b = b.Subset(func(i int) bool { return i < 2 })
	assert.False(t, b.Usable(2), "subsets narrow")
	for _, name := range sdk.PlacerNames() {
		p, err := sdk.NewPlacer("algorithm", name)
		require.NoError(t, err)
		p.Update(sdktest.Table(list...).Subset(func(i int) bool { return i == 2 }))
		assert.Equal(t, 2, p.Pick(nil, 12345), name)
		p.Update(b)
		assert.Equal(t, -1, p.Pick(nil, 12345), name)
	}
}

func TestPinsHoldWhileTheirBackendIsOpen(t *testing.T) {
	var pins sdk.Pins
	h := hosting(t, &probe{
		backends: func(b sdk.Backends) error { pins.Update(b); return nil },
		pick:     func(r *sdk.Request) sdk.Decision { return sdk.Route(pins.Pick(r)) },
	}, with(with(even(4), 1, abi.StateDraining), 2, abi.StateDown)...)
	for id, want := range map[string]abi.Verdict{
		"b-000": abi.VerdictRoute, "b-001": abi.VerdictRoute, "b-002": abi.VerdictAbstain, "": abi.VerdictAbstain,
	} {
		assert.Equal(t, want, h.Pick(sdktest.Request{Pinned: id}).Verdict, id)
	}
	tried := sdktest.Request{Pinned: "b-000", Excluded: []string{"b-000"}, Attempt: 1}
	assert.Equal(t, abi.VerdictAbstain, h.Pick(tried).Verdict)
}

func TestTwoThousandBackendsInOneTable(t *testing.T) {
	b := sdktest.Table(even(2_000)...)
	assert.Equal(t, 2_000, b.Len())
	assert.Equal(t, "b-999", b.ID(1_999), "rows are ordered as text")
}

func FuzzBackendsFrame(f *testing.F) {
	good := make([]byte, abi.BackendsRecords+2*abi.RecordSize)
	binary.LittleEndian.PutUint32(good[abi.BackendsCount:], 2)
	f.Add(good)
	f.Add([]byte{1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff})
	lying := append([]byte(nil), good...)
	binary.LittleEndian.PutUint32(lying[abi.BackendsRecords+abi.RecordZone+abi.SpanLen:], 0xfffffff0)
	f.Add(lying)
	f.Fuzz(func(t *testing.T, frame []byte) {
		failed := ""
		p := &probe{backends: func(b sdk.Backends) error {
			for i := range b.Len() {
				_, _, _, _ = b.ID(i), b.Address(i), b.Zone(i), b.Open(i)
				b.Label(i, "x")
			}
			m, r := sdk.NewMaglev(b), sdk.NewRendezvous(b)
			if m.Lookup(7) >= 0 != (r.Lookup(7) >= 0) {
				t.Error("placers disagree on whether a backend is left")
			}
			return nil
		}}
		g := sdk.NewGuest(p, &sdk.Imports{Fail: func(text string) { failed = text }})
		copy(g.Frame(len(frame)), frame)
		if code := g.Backends(len(frame)); code != 0 {
			require.Contains(t, failed, "backend table: ")
		}
	})
}
