package balance_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/wedge-lb/wedge/edge/balance"
)

func TestReports(t *testing.T) {
	for value, want := range map[string]float64{
		"TEXT cpu_utilization=0.3": 0.3,
		"TEXT cpu_utilization=0.3,mem_utilization=0.8,application_utilization=0.5": 0.5,
		"TEXT application_utilization=0, cpu_utilization=0.25 ,\teps=3":            0.25,
		"TEXT named_metrics.queue=17,rps_fractional=2000.5,cpu_utilization=1.5e-1": 0.15,
		"TEXT cpu_utilization=0":                                                     0,
		"TEXT cpu_utilization=12":                                                    12,
		`JSON {"cpu_utilization": 0.3}`:                                              0.3,
		`JSON { "cpuUtilization":0.3 , "applicationUtilization" : 0.5 }`:             0.5,
		`JSON {"named_metrics": {"cpu_utilization": 9}, "cpu_utilization": 1E-1}`:    0.1,
		`JSON {"request_cost":{},"application_utilization":0.75,"rps_fractional":1}`: 0.75,
	} {
		got, ok := balance.ParseReport([]byte(value))
		assert.True(t, ok, value)
		assert.InDelta(t, want, got, 1e-9, value)
	}
}

func TestReportsThatAreNone(t *testing.T) {
	for _, value := range []string{
		"", "TEXT", "TEXT ", "JSON ", "cpu_utilization=0.3", "BIN AAAA", "text cpu_utilization=0.3",
		"TEXT mem_utilization=0.3", "TEXT application_utilization=0", "TEXT cpu_utilization=-1",
		"TEXT cpu_utilization=0.3,", "TEXT cpu_utilization=0.3,cpu_utilization=0.4", "TEXT cpu_utilization",
		"TEXT cpu_utilization=", "TEXT cpu_utilization=NaN", "TEXT cpu_utilization=inf", "TEXT cpu_utilization=0x1p-2",
		"TEXT cpu_utilization=1001", "TEXT cpu_utilization=1e999", "TEXT cpu_utilization=.5", "TEXT =0.3",
		"TEXT cpu_utilization=0.3,named_metrics.x=y", "TEXT cpu_utilization = 0.3",
		"TEXT cpu_utilization=0." + strings.Repeat("3", 40),
		"TEXT cpu_utilization=0.3," + strings.Repeat("a", 5000) + "=1",
		`JSON {"cpu_utilization": 0.3`, `JSON {"cpu_utilization": "0.3"}`, `JSON {"cpu_utilization": null}`,
		`JSON {"cpu_utilization": 0.3} {}`, `JSON {"cpu_utilization": 0.3,}`, `JSON [0.3]`, `JSON {"cpu_utilization": [0.3]}`,
		`JSON {"a":{"b":{"c":1}},"cpu_utilization":0.3}`, `JSON {"cpu_utilization":0.3,"cpuUtilization":0.4}`,
		`JSON {cpu_utilization:0.3}`, `JSON {"cpu\u005futilization":0.3}`, `JSON {"":1,"cpu_utilization":0.3}`, `JSON {}`,
	} {
		_, ok := balance.ParseReport([]byte(value))
		assert.False(t, ok, value)
	}
}

func FuzzReport(f *testing.F) {
	f.Add([]byte("TEXT cpu_utilization=0.3,mem_utilization=0.8,application_utilization=0.5"))
	f.Add([]byte(`JSON {"cpu_utilization": 0.3, "named_metrics": {"a": 1, "b": 2e3}}`))
	f.Fuzz(func(t *testing.T, value []byte) {
		got, ok := balance.ParseReport(value)
		if ok && (got < 0 || got > 1000 || got != got) {
			t.Fatalf("%q: %v", value, got)
		}
		if form := strings.HasPrefix(string(value), "TEXT ") || strings.HasPrefix(string(value), "JSON "); ok && !form {
			t.Fatalf("%q", value)
		}
	})
}

func TestUtilizationIsAnAverageThatGoesStale(t *testing.T) {
	l, now := new(balance.Load), time.Unix(1_800_000_000, 0)
	_, ok := l.Utilization(now)
	assert.False(t, ok)
	l.Reported(0.5, now)
	ppm, ok := l.Utilization(now)
	assert.True(t, ok)
	assert.EqualValues(t, 500_000, ppm)
	l.Reported(0.9, now.Add(time.Second))
	ppm, _ = l.Utilization(now.Add(11 * time.Second))
	assert.EqualValues(t, 550_000, ppm)
	_, ok = l.Utilization(now.Add(11*time.Second + 200*time.Millisecond))
	assert.False(t, ok)
	_, ok = l.Utilization(now.Add(-time.Minute))
	assert.False(t, ok, "a clock that was set back")
	l.Reported(0, now.Add(time.Minute))
	ppm, ok = l.Utilization(now.Add(time.Minute))
	assert.True(t, ok)
	assert.Zero(t, ppm, "the stale average is forgotten")
	l.Reported(5000, now.Add(time.Hour))
	ppm, _ = l.Utilization(now.Add(time.Hour))
	assert.EqualValues(t, 1_000_000_000, ppm)
}

func TestReportsDoNotAllocate(t *testing.T) {
	l, now := new(balance.Load), time.Now()
	for _, value := range []string{
		"TEXT cpu_utilization=0.3,mem_utilization=0.8,application_utilization=0.5,named_metrics.a=1",
		`JSON {"cpu_utilization": 0.3, "named_metrics": {"a": 1}}`,
	} {
		report := []byte(value)
		assert.Zero(t, testing.AllocsPerRun(100, func() {
			u, _ := balance.ParseReport(report)
			l.Reported(u, now)
		}))
	}
}
