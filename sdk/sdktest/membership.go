package sdktest

import (
	"fmt"
	"math"
	"slices"

	"github.com/wedge-lb/wedge/sdk/abi"
)

// membership takes a backend out, down, and in again, and adds one.
func membership(t Traits) []trial {
	var list []trial
	for _, n := range []int{2, 9} {
		table, requests := pool(n), t.clients(1500)
		gone := slices.Delete(slices.Clone(table), n/2, n/2+1)
		list = append(list, trial{
			{table: table, requests: requests}, {table: gone, requests: requests},
			{table: table, requests: requests}, {table: with(table, 0, down), requests: requests},
			{table: pool(n + 1), requests: requests}, {table: table, requests: requests},
		})
	}
	return list
}

// moves compares every step with the first one.
func moves(c *conformity, t trial) string {
	got, wrong := c.run(t)
	if wrong != "" {
		return wrong
	}
	for n := 1; n < len(got); n++ {
		if wrong := c.traits.moved(t[0], t[n], got[0], got[n]); wrong != "" {
			return fmt.Sprintf("table %d: %s", n+1, wrong)
		}
	}
	return ""
}

// moved tells of clients who moved although their backend is still ready: to one that was there before, or
// too many of them to one that is new.
func (t Traits) moved(before, after step, was, is []Decision) string {
	needless, taken, example := 0, 0, 0
	for i := range min(len(was), len(is)) {
		a, b := was[i], is[i]
		if a.Verdict != abi.VerdictRoute || said(a) == said(b) || !ready(after.table, a.Backend) {
			continue
		}
		if !ready(before.table, b.Backend) {
			taken++
			continue
		}
		if needless++; needless == 1 {
			example = i
		}
	}
	all := float64(min(len(was), len(is)))
	if allowed := t.Moves*all + slack(t.Moves*all); float64(needless) > allowed {
		return fmt.Sprintf("%d of %.0f clients moved needlessly, the first with request %d: from %s to %s",
			needless, all, example+1, said(was[example]), said(is[example]))
	}
	if want := all * fresh(before.table, after.table); float64(taken) > want*1.25+slack(want+t.Moves*all) {
		return fmt.Sprintf("%d of %.0f clients moved to what is new, whose share is %.0f", taken, all, want)
	}
	return ""
}

// slack is what chance may add to an expected number.
func slack(want float64) float64 {
	if want == 0 {
		return 0
	}
	return 5*math.Sqrt(want) + 1
}

func ready(table []Backend, id string) bool {
	return slices.ContainsFunc(table, func(b Backend) bool { return b.ID == id && b.State == abi.StateReady })
}

// fresh is the share of the ready backends that were not ready before.
func fresh(before, after []Backend) float64 {
	var fresh, all float64
	for _, b := range after {
		if b.State == abi.StateReady {
			all++
			if !ready(before, b.ID) {
				fresh++
			}
		}
	}
	return fresh / max(all, 1)
}

// pinTrials give every state to the pinned.
func pinTrials(t Traits) []trial {
	return []trial{t.retries(200, 4), t.retries(201, 4)}
}

// pins compares a trial with the same without pins.
func pins(c *conformity, t trial) string {
	got, wrong := c.run(t)
	if wrong != "" {
		return wrong
	}
	free, wrong := c.run(t.each(func(s *step) { s.unpin() }))
	if wrong != "" {
		return "without the pins: " + wrong
	}
	notHonoured, notIgnored := dishonoured(t, got), different(t, got, free)
	switch {
	case c.traits.Pins == PinsHonoured:
		return notHonoured
	case c.traits.Pins == PinsIgnored:
		return notIgnored
	case notHonoured != "" && notIgnored != "":
		return notHonoured + "; " + notIgnored
	}
	return ""
}

// dishonoured tells of the first pinned request that could have gone where it is pinned.
func dishonoured(t trial, got [][]Decision) string {
	for n, decisions := range got {
		for i, d := range decisions {
			r := t[n].requests[i]
			row := slices.IndexFunc(t[n].table, func(b Backend) bool { return b.ID == r.Pinned })
			if row < 0 || refusal(t[n].table, t[n].table[row], &r) != "" {
				continue
			}
			if d.Verdict != abi.VerdictRoute || d.Backend != r.Pinned {
				return fmt.Sprintf("table %d, request %d: pinned to %q, which is open: %s", n+1, i+1, r.Pinned, said(d))
			}
		}
	}
	return ""
}

func different(t trial, got, free [][]Decision) string {
	for n, decisions := range got {
		for i, d := range decisions {
			if said(d) != said(free[n][i]) {
				return fmt.Sprintf("table %d, request %d: pinned to %q: %s, and %s without a pin anywhere",
					n+1, i+1, t[n].requests[i].Pinned, said(d), said(free[n][i]))
			}
		}
	}
	return ""
}
