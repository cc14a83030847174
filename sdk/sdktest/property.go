package sdktest

import (
	"fmt"
	"math"
	"slices"

	"github.com/wedge-lb/wedge/sdk"
	"github.com/wedge-lb/wedge/sdk/abi"
)

// A property is what a strategy has to do, or promised, in each of its trials.
type property struct {
	name     string
	promised func(Traits) bool
	trials   func(Traits) []trial
	holds    func(*conformity, trial) string // runs the trial; what is wrong, "" = nothing
}

func properties() []property {
	all := func(Traits) bool { return true }
	sticky := func(t Traits) bool { return t.Sticky }
	return []property{
		{"an empty table has nobody to choose", all, emptyTables, sound},
		{"what is not available is never chosen", all, statesTrials, sound},
		{"what is excluded is never chosen", all, exclusions, sound},
		{"attributes have any length", all, sizes, sound},
		{"2,000 backends are served", all, largeTables, sound},
		{"tables grow and shrink", all, growingTables, sound},
		{"outcomes hurt nobody", all, outcomes, sound},
		{"equal beginnings decide alike", all, growingTables, repeats},
		{"pins are honoured or ignored", all, pinTrials, pins},
		{"shares follow the weights", func(t Traits) bool { return t.Spread > 0 }, spreads, spread},
		{"a client keeps its backend", sticky, returning, keeps},
		{"only who has to moves", sticky, membership, moves},
	}
}

// sound is what holds in every trial of every strategy.
func sound(c *conformity, t trial) string {
	_, wrong := c.run(t)
	return wrong
}

func emptyTables(t Traits) []trial {
	return []trial{{
		{requests: t.clients(5)}, {table: pool(3), requests: t.clients(20)}, {requests: t.clients(5)},
		{table: pool(1), requests: t.clients(5)},
	}}
}

func statesTrials(t Traits) []trial {
	var list []trial
	for n := range uint64(4) {
		d := dice(n)
		var one trial
		for range 12 {
			table := mixed(1+d.IntN(8), d)
			one = append(one, step{table: table, requests: pinned(t.clients(30), table, d)})
		}
		list = append(list, one)
	}
	for _, s := range []sdk.State{abi.StateDraining, abi.StateDown, abi.StateMaintenance} { // for all of them
		table := pool(3)
		for i := range table {
			table[i].State = s
		}
		list = append(list, trial{{table: table, requests: pinned(t.clients(20), table, dice(1))}})
	}
	return list
}

func exclusions(t Traits) []trial {
	return []trial{t.retries(100, 8), t.retries(101, 8)}
}

// retries are n tables of any states, with requests that are pinned and were tried elsewhere.
func (t Traits) retries(seed uint64, n int) (one trial) {
	d := dice(seed)
	for range n {
		table := mixed(1+d.IntN(8), d)
		one = append(one, step{table: table, requests: tried(pinned(t.clients(40), table, d), table, d)})
	}
	return one
}

func sizes(t Traits) []trial {
	var requests []Request
	for n, size := range []int{0, 1, 7, 8, 9, 63, 64, 65, 255, 256, 257, 4096, 65_000, abi.MaxRequest, 100_000} {
		requests = append(requests, inflated(t.Client(n), size), Request{})
	}
	return []trial{{{table: pool(3), requests: requests}}}
}

func largeTables(t Traits) []trial {
	table := mixed(2000, dice(7))
	requests := tried(pinned(t.clients(60), table, dice(8)), table, dice(9))
	return []trial{{{table: pool(2000), requests: t.clients(60)}, {table: table, requests: requests}}}
}

func growingTables(t Traits) []trial {
	d := dice(11)
	var one trial
	for _, n := range []int{300, 1, 0, 50, 3, 64, 65, 2} {
		table := mixed(n, d)
		one = append(one, step{table: table, requests: tried(pinned(t.clients(20), table, d), table, d)})
	}
	return []trial{one}
}

func outcomes(t Traits) []trial {
	d := dice(13)
	table, fewer := pool(6), mixed(4, d)
	return []trial{{
		{table: table, requests: t.clients(40), outcomes: true},
		{table: fewer, requests: pinned(t.clients(40), fewer, d), outcomes: true},
	}}
}

// repeats runs a trial twice.
func repeats(c *conformity, t trial) string {
	one, wrong := c.run(t)
	if wrong != "" {
		return wrong
	}
	two, wrong := c.run(t)
	if wrong != "" {
		return wrong
	}
	for n := range one {
		for i := range one[n] {
			if a, b := said(one[n][i]), said(two[n][i]); a != b {
				return fmt.Sprintf("table %d, request %d: %s, and %s in a second run", n+1, i+1, a, b)
			}
		}
	}
	return ""
}

// said is a decision in a few words.
func said(d Decision) string {
	switch d.Verdict {
	case abi.VerdictRoute:
		return fmt.Sprintf("%q", d.Backend)
	case abi.VerdictAbstain:
		return "no choice"
	}
	return fmt.Sprintf("an answer with status %d", d.Status)
}

// spreads let many clients come, before and after one backend goes down.
func spreads(t Traits) []trial {
	even, weighted := pool(5), pool(4)
	for i := range weighted {
		weighted[i].Weight = uint32(1 + i)
	}
	var list []trial
	for _, table := range [][]Backend{even, weighted} {
		list = append(list,
			trial{{table: table, requests: t.clients(4000)}},
			trial{{table: with(table, 1, down), requests: t.clients(4000)}})
	}
	return list
}

func spread(c *conformity, t trial) string {
	got, wrong := c.run(t)
	if wrong != "" {
		return wrong
	}
	for n, decisions := range got {
		counts := map[string]int{}
		for _, d := range decisions {
			if d.Verdict == abi.VerdictRoute {
				counts[d.Backend]++
			}
		}
		if wrong := c.traits.shares(t[n].table, counts, len(decisions)); wrong != "" {
			return fmt.Sprintf("table %d: %s", n+1, wrong)
		}
	}
	return ""
}

// shares tells which backend has too many or too few of all requests.
func (t Traits) shares(table []Backend, counts map[string]int, all int) string {
	weight := func(b Backend) float64 {
		if t.Even {
			return 1
		}
		return float64(b.weight())
	}
	total := 0.0
	for _, b := range table {
		if b.State == abi.StateReady {
			total += weight(b)
		}
	}
	for _, b := range table {
		if b.State != abi.StateReady {
			continue
		}
		want := float64(all) * weight(b) / total
		off := math.Abs(float64(counts[b.ID])-want) - t.Spread*want - 5*math.Sqrt(want) - 1
		if off > 0 {
			return fmt.Sprintf("%s has %d of %d requests, its share is %.0f", b.ID, counts[b.ID], all, want)
		}
	}
	return ""
}

// returning lets each client come again, in another order, as another try, and after an equal table.
func returning(t Traits) []trial {
	d := dice(17)
	one := t.clients(60)
	again := slices.Concat(one, one)
	d.Shuffle(len(again), func(i, j int) { again[i], again[j] = again[j], again[i] })
	all := slices.Concat(one, again)
	return []trial{{{table: pool(6), requests: all}, {table: pool(6), requests: again}}}
}

// keeps compares the decisions for equal requests under equal tables.
func keeps(c *conformity, t trial) string {
	got, wrong := c.run(t)
	if wrong != "" {
		return wrong
	}
	homes := map[string]string{}
	for n, decisions := range got {
		for i, d := range decisions {
			who := t[n].requests[i].text()
			home, known := homes[who]
			if known && home != said(d) {
				return fmt.Sprintf("table %d, request %d: %s, before it was %s", n+1, i+1, said(d), home)
			}
			homes[who] = said(d)
		}
	}
	return ""
}
