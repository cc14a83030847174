package config_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/wedge-lb/wedge/edge/config"
)

// FuzzParse holds that a file is a configuration, which survives being written and is
// the same in its explicit form, or has faults that lie inside of it.
func FuzzParse(f *testing.F) {
	f.Add([]byte(smallest))
	f.Add([]byte(whole(f)))
	f.Add([]byte(`{"version":1,"sites":[{"hosts":["*"],"to":["http://a"]}],"server":{"listen":{"http":":0"}}}`))
	f.Add([]byte(withOptions("{ a: &z [1, 2.50, .5, ~, yes, 'x: y'], b: *z }")))
	for _, r := range refusals(f) {
		f.Add([]byte(r.file))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := config.Parse("w", data, sandbox())
		if err != nil {
			inside(t, data, err)
			return
		}
		if text, err := c.YAML(); err != nil || len(text) < 1<<20 {
			roundTrip(t, c)
		}
		require.True(t, c.Expand().Equal(c.Expand().Expand()))
		line, _ := c.Position("sites[0].hosts")
		require.Positive(t, line)
	})
}

// FuzzParseBackends holds that a list is one of a pool, or has faults that lie inside of it.
func FuzzParseBackends(f *testing.F) {
	for _, text := range []string{
		"- { id: a, url: 'http://a:1', weight: 2, zone: z, labels: { k: v }, state: drain }\n- url: https://b\n", "[]",
		`[{"url":"http://10.0.0.1:80"},{"url":"http://10.0.0.1:80"}]`, "- &a { url: 'http://a' }\n- *a\n", "{}", "- url\n",
	} {
		f.Add([]byte(text), "h1")
		f.Add([]byte(text), "h2")
	}
	f.Fuzz(func(t *testing.T, data []byte, protocol string) {
		list, err := config.ParseBackends("w", data, protocol)
		if err != nil {
			inside(t, data, err)
			return
		}
		ids := map[string]bool{}
		for _, b := range list {
			scheme, _, err := b.Address()
			require.NoError(t, err)
			require.False(t, protocol == "h2" && scheme != "https")
			require.False(t, ids[b.ID] || b.ID == "", b.ID)
			ids[b.ID] = true
		}
	})
}

// inside requires that every fault points into data.
func inside(t *testing.T, data []byte, err error) {
	var faults config.Faults
	require.ErrorAs(t, err, &faults)
	require.NotEmpty(t, faults)
	text := strings.TrimPrefix(string(data), "\uFEFF")
	breaks := strings.NewReplacer("\r\n", "\n", "\r", "\n", "\u0085", "\n", "\u2028", "\n", "\u2029", "\n")
	lines := strings.Split(breaks.Replace(text), "\n")
	for _, fault := range faults {
		if fault.Line == 0 && len(data) > 1<<20 {
			continue
		}
		require.Positive(t, fault.Line)
		require.LessOrEqual(t, fault.Line, len(lines))
		require.Positive(t, fault.Column)
		require.LessOrEqual(t, fault.Column, utf8.RuneCountInString(lines[fault.Line-1])+1)
		require.NotEmpty(t, fault.Message)
		require.True(t, utf8.ValidString(fault.Error()))
	}
}
