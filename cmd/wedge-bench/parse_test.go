package main

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestStubStatusTellsRequests(t *testing.T) {
	n, err := parseStubStatus("Active connections: 1 \nserver accepts handled requests\n 5 5 18845 \n" +
		"Reading: 0 Writing: 1 Waiting: 0 \n")
	require.NoError(t, err)
	assert.Equal(t, uint64(18845), n)
	const head = "server accepts handled requests\n"
	for _, text := range []string{"", "<html>", head + " 1 2", head + " 1 2 x"} {
		_, err := parseStubStatus(text)
		assert.Error(t, err, text)
	}
}

func TestAMetricIsFoundByItsWholeName(t *testing.T) {
	const text = "# HELP a_total x\n# TYPE a_total counter\na_total_more 3\na_total{x=\"1\"} 4\n" +
		"a_total 1.5e+06 1700000000\nb 2\n"
	n, err := parseMetric(text, "a_total")
	require.NoError(t, err)
	assert.Equal(t, 1.5e6, n)
	n, err = parseMetric(text, "b")
	require.NoError(t, err)
	assert.Equal(t, 2.0, n)
	_, err = parseMetric(text, "c")
	assert.ErrorContains(t, err, "no c")
}

func TestAWindowInWhichConnectionsBrokeIsRefused(t *testing.T) {
	abc := []string{"a", "b", "c"}
	for name, tt := range map[string]struct {
		from, to []string
		wanted   int
		says     string
	}{
		"all stayed":            {abc, abc, 3, ""},
		"nobody counts":         {nil, nil, 0, ""},
		"one was made again":    {abc, []string{"b", "c", "d"}, 3, "1 of 3 connections broke"},
		"one was never open":    {abc[:2], abc[:2], 3, "2 of 3 connections were open"},
		"the load is over":      {abc, nil, 3, "too busy"},
		"one more was made":     {abc, []string{"a", "b", "c", "d"}, 3, ""},
		"too many at the start": {abc, abc, 2, "3 of 2 connections"},
	} {
		t.Run(name, func(t *testing.T) {
			err := unbroken(tt.from, tt.to, tt.wanted)
			if tt.says == "" {
				assert.NoError(t, err)
			} else {
				assert.ErrorContains(t, err, tt.says)
			}
		})
	}
}
