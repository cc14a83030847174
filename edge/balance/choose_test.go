package balance_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedge-lb/wedge/edge/balance"
)

// shares is the part of n fallback choices that each backend gets, by id; hold keeps that many in progress.
func shares(t *testing.T, p *balance.Pool, n, hold int) map[string]float64 {
	t.Helper()
	c, got := newChooser(), map[string]float64{}
	var d balance.Decision
	held := make([]*balance.Backend, 0, hold+1)
	for range n {
		require.NoError(t, c.Choose(nil, &balance.Request{}, p.Set(), &d))
		got[d.Backend.ID] += 1 / float64(n)
		d.Backend.Load().Begin()
		if held = append(held, d.Backend); len(held) > hold {
			i := int(c.Random() % uint64(len(held)))
			held[i].Load().End()
			held[i] = held[len(held)-1]
			held = held[:len(held)-1]
		}
	}
	for _, b := range held {
		b.Load().End()
	}
	return got
}

func TestFallbackSharesFollowTheWeights(t *testing.T) {
	for name, tt := range map[string]struct {
		weights []uint32
		down    string
		hold    int
		want    map[string]float64
	}{
		"two alike":              {[]uint32{1, 1}, "", 0, map[string]float64{"b0": .5, "b1": .5}},
		"quiet, one to three":    {[]uint32{1, 3}, "", 0, map[string]float64{"b0": .25, "b1": .75}},
		"busy, one to three":     {[]uint32{1, 3}, "", 64, map[string]float64{"b0": .25, "b1": .75}},
		"three busy":             {[]uint32{1, 2, 5}, "", 64, map[string]float64{"b0": .125, "b1": .25, "b2": .625}},
		"the first is down":      {[]uint32{4, 1, 3}, "b0", 0, map[string]float64{"b1": .25, "b2": .75}},
		"the last is down":       {[]uint32{1, 3, 4}, "b2", 64, map[string]float64{"b0": .25, "b1": .75}},
		"the middle one is down": {[]uint32{1, 9, 1}, "b1", 0, map[string]float64{"b0": .5, "b2": .5}},
		"one far heavier":        {[]uint32{96, 1, 1, 1, 1}, "", 0, map[string]float64{"b0": .96, "b1": .01}},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPool(tt.weights...)
			if tt.down != "" {
				require.NoError(t, p.SetUp(tt.down, false))
			}
			got := shares(t, p, 40_000, tt.hold)
			assert.Zero(t, got[tt.down])
			for id, want := range tt.want {
				assert.InDelta(t, want, got[id], .02, id)
			}
		})
	}
}

func TestTheBusierOfTwoIsNeverChosen(t *testing.T) {
	for name, tt := range map[string]struct {
		weights [2]uint32
		busy    [2]int
		want    string
	}{
		"alike, the first has more":       {[2]uint32{1, 1}, [2]int{2, 1}, "b1"},
		"alike, the second has more":      {[2]uint32{1, 1}, [2]int{0, 1}, "b0"},
		"the heavier has more but less w": {[2]uint32{1, 4}, [2]int{1, 3}, "b1"},
		"the heavier has too much":        {[2]uint32{1, 4}, [2]int{1, 5}, "b0"},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPool(tt.weights[:]...)
			for i, n := range tt.busy {
				for range n {
					p.Set().Backends[i].Load().Begin()
				}
			}
			c := newChooser()
			var d balance.Decision
			for range 1000 {
				require.NoError(t, c.Choose(nil, &balance.Request{}, p.Set(), &d))
				require.Equal(t, tt.want, d.Backend.ID)
			}
		})
	}
}

func TestFallbackFindsTheOneThatIsLeft(t *testing.T) {
	p := newPool(1000, 1000, 1)
	set := p.Set()
	r := &balance.Request{Excluded: []*balance.Backend{set.Row(0), set.Row(1)}}
	var d balance.Decision
	c := newChooser()
	for range 100 {
		require.NoError(t, c.Choose(nil, r, set, &d))
		require.Equal(t, "b2", d.Backend.ID)
	}
	r.Excluded = append(r.Excluded, set.Row(2))
	require.ErrorIs(t, c.Choose(nil, r, set, &d), balance.ErrNoBackend)
	assert.Equal(t, balance.Rejected, d.Outcome)
	assert.Equal(t, "no_backend", d.Reason)
	assert.Nil(t, d.Backend)
}

func TestNoBackendIsAnErrorAndNotAPanic(t *testing.T) {
	p := balance.NewPool("empty")
	var d balance.Decision
	require.ErrorIs(t, newChooser().Choose(nil, &balance.Request{}, p.Set(), &d), balance.ErrNoBackend)
}

func TestFallbackHonoursAPin(t *testing.T) {
	p := newPool(1, 1, 1)
	pinned := p.Set().Find("b1")
	c := newChooser()
	var d balance.Decision
	choose := func(r *balance.Request) string {
		require.NoError(t, c.Choose(nil, r, p.Set(), &d))
		return d.Backend.ID
	}
	for range 50 {
		require.Equal(t, "b1", choose(&balance.Request{Pinned: pinned}))
	}
	require.NoError(t, p.SetCondition("b1", condition(balance.Drain)))
	for range 50 {
		require.Equal(t, "b1", choose(&balance.Request{Pinned: pinned}), "draining takes its pins")
		require.NotEqual(t, "b1", choose(&balance.Request{}), "draining takes no others")
	}
	require.NoError(t, p.SetUp("b1", false))
	for range 50 {
		require.NotEqual(t, "b1", choose(&balance.Request{Pinned: pinned}), "down takes none")
	}
	require.NoError(t, p.SetUp("b1", true))
	require.NoError(t, p.SetCondition("b1", nil))
	require.NotEqual(t, "b1", choose(&balance.Request{Pinned: pinned, Excluded: []*balance.Backend{pinned}}))
}

func TestDrainingBackendsAreUsedIfNoOtherIsLeft(t *testing.T) {
	p := newPool(1, 1, 1)
	require.NoError(t, p.SetCondition("b0", condition(balance.Drain)))
	require.NoError(t, p.SetCondition("b1", condition(balance.Maintenance)))
	require.NoError(t, p.SetUp("b2", false))
	var d balance.Decision
	require.NoError(t, newChooser().Choose(nil, &balance.Request{}, p.Set(), &d))
	assert.Equal(t, "b0", d.Backend.ID)
	assert.Equal(t, 1, p.Set().Open())
}

func TestAChoiceOfThePickerIsHeldToTheRules(t *testing.T) {
	p := newPool(1, 1, 1, 1)
	require.NoError(t, p.SetUp("b0", false))
	require.NoError(t, p.SetCondition("b1", condition(balance.Drain)))
	set := p.Set()
	stranger := newPool(1).Set().Row(0)
	for name, tt := range map[string]struct {
		pick    *balance.Backend
		pinned  string
		exclude string
		outcome balance.Outcome
		reason  string
		blamed  int
	}{
		"a ready one":                   {set.Find("b2"), "", "", balance.New, "chosen", 0},
		"the pin":                       {set.Find("b2"), "b2", "", balance.Hit, "pinned", 0},
		"another than the pin":          {set.Find("b2"), "b3", "", balance.Repick, "pin_not_used", 0},
		"a draining pin":                {set.Find("b1"), "b1", "", balance.Hit, "pinned", 0},
		"a draining one that is no pin": {set.Find("b1"), "", "", balance.Fallback, "bad_pick", 1},
		"one that is down":              {set.Find("b0"), "", "", balance.Fallback, "bad_pick", 1},
		"a pin that is down":            {set.Find("b0"), "b0", "", balance.Fallback, "bad_pick", 1},
		"one that was tried":            {set.Find("b2"), "", "b2", balance.Fallback, "bad_pick", 1},
		"none at all":                   {nil, "", "", balance.Fallback, "bad_pick", 1},
		"a row of a table of before":    {newPool(1, 1, 1, 1).Set().Find("b3"), "", "", balance.New, "chosen", 0},
		"a row of before, now down":     {stranger, "", "", balance.Fallback, "bad_pick", 0},
	} {
		t.Run(name, func(t *testing.T) {
			picker := &pickerFunc{pick: func(_ *balance.Request, _ *balance.Set, d *balance.Decision) error {
				d.Backend = tt.pick
				return nil
			}}
			r := &balance.Request{}
			if tt.pinned != "" {
				r.Pinned = set.Find(tt.pinned)
			}
			if tt.exclude != "" {
				r.Excluded = []*balance.Backend{set.Find(tt.exclude)}
			}
			var d balance.Decision
			require.NoError(t, newChooser().Choose(picker, r, set, &d))
			assert.Equal(t, tt.outcome, d.Outcome, d.Outcome.String())
			assert.Equal(t, tt.reason, d.Reason)
			assert.Equal(t, tt.blamed, picker.bad)
			assert.Same(t, set.Find(d.Backend.ID), d.Backend, "the choice is a row of the table in force")
			assert.NotEqual(t, balance.StateDown, d.Backend.State)
		})
	}
}

func TestTheWishForAPinOutlastsTheBackendThatLeft(t *testing.T) {
	left := newPool(1, 1, 1).Set().Find("b2")
	p := newPool(1, 1)
	for name, tt := range map[string]struct {
		pick *balance.Backend
		want bool
	}{
		"a row of a table of before": {left, true},
		"none at all":                {nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			picker := &pickerFunc{pick: func(_ *balance.Request, _ *balance.Set, d *balance.Decision) error {
				d.Backend, d.Pin = tt.pick, true
				return nil
			}}
			var d balance.Decision
			require.NoError(t, newChooser().Choose(picker, &balance.Request{}, p.Set(), &d))
			assert.Equal(t, balance.Fallback, d.Outcome)
			assert.Equal(t, tt.want, d.Pin)
		})
	}
}

func TestAPickerThatFailsOrAbstainsLeavesTheChoiceToTheFallback(t *testing.T) {
	for name, tt := range map[string]struct {
		verdict balance.Verdict
		err     error
		reason  string
	}{
		"it fails":                         {balance.Route, errors.New("trap"), "fault"},
		"it fails after a verdict":         {balance.Reject, errors.New("trap"), "fault"},
		"it abstains":                      {balance.Abstain, nil, "abstained"},
		"its verdict is none that we know": {balance.Verdict(99), nil, "abstained"},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPool(1)
			picker := &pickerFunc{pick: func(_ *balance.Request, _ *balance.Set, d *balance.Decision) error {
				d.Verdict, d.Pin = tt.verdict, true
				return tt.err
			}}
			var d balance.Decision
			require.NoError(t, newChooser().Choose(picker, &balance.Request{}, p.Set(), &d))
			assert.Equal(t, balance.Fallback, d.Outcome)
			assert.Equal(t, tt.reason, d.Reason)
			assert.Equal(t, balance.Route, d.Verdict)
			assert.Equal(t, "b0", d.Backend.ID)
			assert.False(t, d.Pin, "what was not decided pins nobody")
		})
	}
}

func TestARejectStands(t *testing.T) {
	picker := &pickerFunc{pick: func(_ *balance.Request, _ *balance.Set, d *balance.Decision) error {
		d.Verdict, d.Status = balance.Reject, 429
		return nil
	}}
	var d balance.Decision
	require.NoError(t, newChooser().Choose(picker, &balance.Request{}, newPool(1).Set(), &d))
	assert.Equal(t, balance.Rejected, d.Outcome)
	assert.Equal(t, 429, d.Status)
}

func TestADecisionKeepsItsMemory(t *testing.T) {
	var d balance.Decision
	name := d.Keep([]byte("x-name"))
	value := d.Keep([]byte("value"))
	assert.Equal(t, "x-name", string(name))
	assert.Equal(t, "value", string(value))
	d.Reset()
	assert.Zero(t, testing.AllocsPerRun(100, func() { d.Keep([]byte("x-name")); d.Reset() }))
}

func TestTheFallbackDoesNotAllocate(t *testing.T) {
	p := newPool(1, 2, 3)
	c := newChooser()
	var d balance.Decision
	r := &balance.Request{Excluded: []*balance.Backend{p.Set().Row(0)}}
	assert.Zero(t, testing.AllocsPerRun(1000, func() { _ = c.Choose(nil, r, p.Set(), &d) }))
}

// FuzzChoose holds every choice to the rules, whatever the states, the pin, what was tried and the picker's
// word: it is available and was not tried, and there is one whenever there can be.
func FuzzChoose(f *testing.F) {
	f.Add([]byte{0, 1, 2, 3, 4}, uint8(1), uint8(0xff), uint16(2), uint64(7))
	f.Add([]byte{2, 2, 8}, uint8(9), uint8(0), uint16(900), uint64(1))
	f.Add([]byte{}, uint8(0), uint8(0), uint16(0), uint64(0))
	f.Fuzz(func(t *testing.T, states []byte, pin, tried uint8, pick uint16, seed uint64) {
		states = states[:min(len(states), 16)]
		p := newPool(make([]uint32, len(states))...)
		for i, s := range states {
			id := p.Set().Backends[i].ID
			require.NoError(t, p.SetCondition(id, condition(balance.Condition(s%3))))
			require.NoError(t, p.SetUp(id, s&4 == 0))
			require.NoError(t, p.Eject(id, ejection(s&8 != 0)))
		}
		set := p.Set()
		r := &balance.Request{Pinned: set.Row(uint32(pin))}
		for i := range min(len(states), 8) {
			if tried&(1<<i) != 0 {
				r.Excluded = append(r.Excluded, set.Row(uint32(i)))
			}
		}
		allowed := func(b *balance.Backend) bool {
			for _, x := range r.Excluded {
				if x == b {
					return false
				}
			}
			return set.Available(b, b == r.Pinned)
		}
		picker := &pickerFunc{pick: func(_ *balance.Request, _ *balance.Set, d *balance.Decision) error {
			d.Backend = set.Row(uint32(pick))
			return nil
		}}
		c := balance.Chooser{Random: func() uint64 { seed = seed*6364136223846793005 + 1; return seed }}
		var d balance.Decision
		err := c.Choose(picker, r, set, &d)
		possible := false
		for i := range set.Backends {
			possible = possible || allowed(&set.Backends[i])
		}
		if err == nil {
			require.True(t, allowed(d.Backend))
		}
		require.Equal(t, possible, err == nil)
	})
}

func BenchmarkFallback(b *testing.B) {
	for name, n := range map[string]int{"2": 2, "2000": 2000} {
		b.Run(name, func(b *testing.B) {
			p := newPool(make([]uint32, n)...)
			c := newChooser()
			var d balance.Decision
			r := &balance.Request{}
			b.ReportAllocs()
			for b.Loop() {
				_ = c.Choose(nil, r, p.Set(), &d)
			}
		})
	}
}

// relieved is a picker with another behind it.
type relieved struct {
	pickerFunc
	by balance.Picker
}

func (r *relieved) Relief() balance.Picker { return r.by }

func TestWhoIsAskedAfterAFault(t *testing.T) {
	p := newPool(1, 1, 1)
	first := func(_ *balance.Request, s *balance.Set, d *balance.Decision) error {
		d.Backend, d.Strategy = s.Row(1), "relief"
		return nil
	}
	fault := func(*balance.Request, *balance.Set, *balance.Decision) error { return errors.New("trap") }
	astray := func(_ *balance.Request, _ *balance.Set, d *balance.Decision) error { d.Pin = true; return nil }
	abstains := func(_ *balance.Request, _ *balance.Set, d *balance.Decision) error {
		d.Verdict = balance.Abstain
		return nil
	}
	for name, tt := range map[string]struct {
		main, relief func(*balance.Request, *balance.Set, *balance.Decision) error
		reason, who  string
	}{
		"a fault":               {fault, first, balance.OnFault, "relief"},
		"a bad pick":            {astray, first, balance.OnFault, "relief"},
		"both fault":            {fault, fault, "fault", ""},
		"who abstains is sound": {abstains, first, "abstained", ""},
		"the relief abstains":   {fault, abstains, "abstained", ""},
		"nothing wrong":         {first, fault, "chosen", "relief"},
	} {
		t.Run(name, func(t *testing.T) {
			last := &relieved{pickerFunc: pickerFunc{pick: tt.relief}}
			picker := &relieved{pickerFunc{pick: tt.main}, last}
			var d balance.Decision
			require.NoError(t, newChooser().Choose(picker, &balance.Request{}, p.Set(), &d))
			assert.Equal(t, tt.reason, d.Reason)
			assert.Equal(t, tt.who, d.Strategy)
			assert.False(t, d.Pin)
			require.NotNil(t, d.Backend)
		})
	}
}
