package main

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func rounds(edge bool, name string, cpu ...float64) *entry {
	e := &entry{Name: name, edge: edge}
	for _, c := range cpu {
		allocs := c / 10
		e.add(figures{CPU: c, Rate: 1e6 / c, P50: 1, P99: 2, Allocs: &allocs}, nil)
	}
	return e
}

func plain(entries ...*entry) *outcome {
	return &outcome{Letter: "a", Title: "plain", Entries: entries}
}

func TestRatiosAreOfTheEdgeToItsPeers(t *testing.T) {
	o := plain(rounds(true, "wedge", 12, 9, 10), rounds(false, "nginx", 20, 21, 5))
	o.conclude()
	assert.Equal(t, 10.0, o.Entries[0].Median.CPU)
	assert.Equal(t, 1.0, *o.Entries[0].Median.Allocs)
	assert.Zero(t, o.Entries[0].Ratio)
	assert.Equal(t, 0.5, o.Entries[1].Ratio)
	assert.NoError(t, o.fault())
}

func TestStrategiesAreComparedWithTheFirst(t *testing.T) {
	o := plain(rounds(true, "wedge fallback", 10), rounds(true, "wedge x", 11))
	o.baseline = true
	o.conclude()
	assert.InDelta(t, 1.1, o.Entries[1].Ratio, 1e-9)
}

func TestPeersAloneHaveNoRatio(t *testing.T) {
	o := plain(rounds(false, "nginx", 10), rounds(false, "haproxy", 11))
	o.conclude()
	assert.Zero(t, o.Entries[1].Ratio)
}

func TestARefusedRoundIsToldAndDoesNotCount(t *testing.T) {
	o := plain(rounds(true, "wedge", 10), rounds(false, "nginx"))
	o.Entries[0].add(figures{CPU: 1000}, errors.New("3 answers were 502"))
	o.Entries[1].add(figures{}, errors.New("it broke"))
	o.conclude()
	assert.Equal(t, 10.0, o.Entries[0].Median.CPU)
	assert.EqualError(t, o.fault(), "scenario a: no good round of nginx")
	var text strings.Builder
	o.write(&text)
	assert.Contains(t, text.String(), "wedge: refused rounds: 1, the first: 3 answers were 502")
	assert.Contains(t, text.String(), "nginx: refused rounds: 1, the first: it broke")
}

func TestAScenarioWithoutContendersIsAFault(t *testing.T) {
	assert.EqualError(t, (&outcome{Letter: "f"}).fault(), "scenario f: no good round of anybody")
}

func TestATableSaysWhatWasMeasured(t *testing.T) {
	o := plain(rounds(true, "wedge", 10), rounds(false, "nginx", 20))
	o.Entries[1].Rounds[0].Others = 0.5
	o.Notes = []string{"caddy: not installed"}
	o.conclude()
	var text strings.Builder
	o.write(&text)
	assert.Equal(t, `
a  plain
         µs/request  ratio  requests/s  p50 ms  p99 ms  allocs/request  rounds
  wedge       10.00      -      100000    1.00    2.00            1.00       1
  nginx       20.00   0.50       50000    1.00    2.00            2.00       1
  caddy: not installed
  nginx: others had 50 % of its processor
`, text.String())
}

func TestMemoryHasATableOfItsOwn(t *testing.T) {
	wedge, nginx := &entry{Name: "wedge", edge: true}, &entry{Name: "nginx"}
	wedge.add(figures{Memory: 8}, nil)
	nginx.add(figures{Memory: 16}, nil)
	o := &outcome{Letter: "m", Title: "memory", Entries: []*entry{wedge, nginx}}
	o.conclude()
	var text strings.Builder
	o.write(&text)
	assert.Contains(t, text.String(), "KiB/connection")
	assert.Contains(t, text.String(), "16.0   0.50")
}

func TestAReportIsJSON(t *testing.T) {
	o := plain(rounds(true, "wedge", 10))
	o.conclude()
	var text strings.Builder
	r := &report{Machine: thisMachine(), Rounds: 1, Window: 5, Scenarios: []*outcome{o}}
	require.NoError(t, r.writeJSON(&text))
	var back struct {
		Scenarios []struct {
			Scenario   string
			Contenders []struct {
				Median map[string]float64
			}
		}
	}
	require.NoError(t, json.Unmarshal([]byte(text.String()), &back))
	assert.Equal(t, "a", back.Scenarios[0].Scenario)
	assert.Equal(t, 10.0, back.Scenarios[0].Contenders[0].Median["cpu_us_per_request"])
	assert.Equal(t, 1.0, back.Scenarios[0].Contenders[0].Median["allocations_per_request"])
}
