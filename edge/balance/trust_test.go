package balance_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedge-lb/wedge/edge/balance"
)

// ward makes a pool of backends in these states of health: u up, d down, e ejected, b both; upper case drains;
// m is in maintenance, M also down.
func ward(states string, panics float64) *balance.Pool {
	p := newPool(make([]uint32, len(states))...)
	p.Tune(balance.Tuning{Panic: panics})
	for i, s := range strings.Split(states, "") {
		id := p.Set().Backends[i].ID
		_ = p.SetUp(id, !strings.ContainsAny(s, "dbDBM"))
		_ = p.Eject(id, ejection(strings.ContainsAny(s, "ebEB")))
		switch {
		case strings.ContainsAny(s, "mM"):
			_ = p.SetCondition(id, condition(balance.Maintenance))
		case s == strings.ToUpper(s):
			_ = p.SetCondition(id, condition(balance.Drain))
		}
	}
	return p
}

// open lists who a new request may go to.
func open(p *balance.Pool) string {
	var list strings.Builder
	set := p.Set()
	for i := range set.Backends {
		if b := &set.Backends[i]; set.Available(b, false) {
			list.WriteString(b.ID[1:])
		}
	}
	return list.String()
}

func TestHealthIsBelievedAsFarAsAShareIsWell(t *testing.T) {
	for name, tt := range map[string]struct {
		states string
		panics float64
		open   string
		panic  bool
	}{
		"all are well":                              {"uuuu", .5, "0123", false},
		"half are, of half":                         {"uude", .5, "01", false},
		"fewer than half":                           {"udeb", .5, "0123", true},
		"none, and panic is off":                    {"dddd", 0, "", false},
		"none":                                      {"dddd", .01, "0123", true},
		"one, and panic is off":                     {"uddd", 0, "0", false},
		"those in maintenance do not count":         {"udmm", .5, "0", false},
		"nor are they opened":                       {"ddmM", .5, "01", true},
		"nobody but those in maintenance":           {"mM", .5, "", false},
		"who drains does not count either":          {"uuUDDD", .5, "01", false},
		"nor does it keep panic away":               {"udddUUUU", .5, "0123", true},
		"but if only such are well they are used":   {"ddUD", .5, "2", false},
		"also without panic":                        {"ddUD", 0, "2", false},
		"nobody is ready, and all who drain fail":   {"DDm", .5, "01", true},
		"all are wanted":                            {"uuud", 1, "0123", true},
		"nobody is left but the ejected":            {"dded", 0, "2", false},
		"who is ejected and down is not":            {"ddbd", 0, "", false},
		"nor while another is open":                 {"dued", 0, "1", false},
		"nor while one that drains can":             {"dedU", 0, "3", false},
		"nobody is left but an ejected that drains": {"DEm", 0, "1", false},
	} {
		t.Run(name, func(t *testing.T) {
			p := ward(tt.states, tt.panics)
			assert.Equal(t, tt.open, open(p))
			assert.Equal(t, tt.panic, p.Set().Panic)
		})
	}
}

func TestPanicEndsByItself(t *testing.T) {
	p := ward("uddd", .5)
	require.True(t, p.Set().Panic)
	status := p.Status()
	assert.True(t, status[1].Down, "what the probes say stays in sight")
	assert.Equal(t, balance.StateReady, status[1].State)
	require.NoError(t, p.SetUp("b1", true))
	assert.False(t, p.Set().Panic)
	assert.Equal(t, "01", open(p))
	require.NoError(t, p.SetUp("b1", false))
	assert.Equal(t, "0123", open(p))
	p.Tune(balance.Tuning{})
	assert.Equal(t, "0", open(p))
}

func TestAnotherAddressIsAnotherServer(t *testing.T) {
	p := ward("udee", 0)
	require.NoError(t, p.SetCondition("b3", condition(balance.Drain)))
	p.Probed("b1", "refused")
	load := p.Set().Find("b1").Load()
	load.Begin()
	var specs []balance.Spec
	for _, b := range p.Set().Backends {
		specs = append(specs, b.Spec)
	}
	p.Update(specs[1:])
	require.Equal(t, "refused", p.Status()[0].ProbeError, "an update that keeps it keeps what is known")
	require.Equal(t, []bool{true, false, false}, []bool{p.Status()[0].Down, p.Status()[1].Down,
		p.Status()[2].Down})
	specs[1].Address, specs[2].Address, specs[3].Scheme = "127.0.0.1:2", "127.0.0.1:3", "https"
	p.Update(specs)
	for i, want := range []balance.State{
		balance.StateReady, balance.StateReady, balance.StateReady, balance.StateDraining,
	} {
		s := p.Status()[i]
		assert.Equal(t, want, s.State, s.ID)
		assert.False(t, s.Down || s.Ejected, s.ID)
		assert.Empty(t, s.ProbeError)
		assert.Zero(t, s.EjectedUntil)
	}
	assert.True(t, p.Status()[3].Override, "an operator's word is about the id")
	assert.EqualValues(t, 1, p.Set().Find("b1").Load().InFlight(), "what is in progress is still counted")
	assert.Same(t, load, p.Set().Find("b1").Load())
}

func TestStatusTellsSinceWhen(t *testing.T) {
	p := ward("uu", 0)
	begin := p.Status()[0].Since
	assert.WithinDuration(t, time.Now(), begin, time.Minute)
	require.NoError(t, p.SetUp("b1", false))
	assert.Equal(t, begin, p.Status()[0].Since, "its state is the same")
	assert.False(t, p.Status()[1].Since.Before(begin))
	version := p.Set().Version
	p.Probed("b1", "status 503")
	p.Probed("gone", "status 503")
	assert.Equal(t, "status 503", p.Status()[1].ProbeError)
	assert.Equal(t, version, p.Set().Version, "a reason makes no new table")
	p.Probed("b1", "")
	assert.Empty(t, p.Status()[1].ProbeError)
}
