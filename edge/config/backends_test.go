package config_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedge-lb/wedge/edge/config"
)

func TestAListOfBackendsIsAsInAPool(t *testing.T) {
	want := []config.Backend{
		{ID: "a", URL: "http://10.0.0.1:80", Weight: 2, Zone: "z", Labels: map[string]string{"k": "v"}, State: "drain"},
		{ID: "10.0.0.2:80", URL: "http://10.0.0.2", Weight: 1, State: "ready"},
	}
	for name, text := range map[string]string{
		"YAML": "- { id: a, url: 'http://10.0.0.1:80', weight: 2, zone: z, labels: { k: v }, state: drain }\n" +
			"- url: http://10.0.0.2\n",
		"JSON": `[{"id":"a","url":"http://10.0.0.1:80","weight":2,"zone":"z","labels":{"k":"v"},"state":"drain"},
			{"url":"http://10.0.0.2"}]`,
	} {
		t.Run(name, func(t *testing.T) {
			list, err := config.ParseBackends("list.yaml", []byte(text), "h1")
			require.NoError(t, err)
			assert.Equal(t, want, list)
		})
	}
	list, err := config.ParseBackends("list.yaml", []byte("[]"), "h1")
	require.NoError(t, err)
	assert.Empty(t, list)
}

func TestFaultsOfAListHaveTheirPlaces(t *testing.T) {
	_, err := config.ParseBackends("list.yaml", []byte(`- { url: "http://a:80", wieght: 2 }
- { url: "http://b:80/path" }
- { id: x, url: "https://c" }
- { id: x, url: "http://d", weight: 0 }
- { id: e }
`), "h2c")
	var faults config.Faults
	require.ErrorAs(t, err, &faults)
	var got []string
	for _, f := range faults {
		got = append(got, f.Summary())
	}
	assert.Equal(t, []string{
		`list.yaml:1:25: [0].wieght: unknown key; did you mean "weight"?`,
		`list.yaml:2:10: [1].url: a backend's URL has no path and no query: requests keep theirs`,
		`list.yaml:3:17: [2].url: upstream.protocol h2c is spoken over http`,
		`list.yaml:4:3: [3]: the id "x" is that of [2] on line 3; give each its own`,
		`list.yaml:4:37: [3].weight: want 1 to 1000`,
		`list.yaml:5:3: [4].url: missing`,
	}, got)
	for text, want := range map[string]string{
		"":          "list.yaml:1:1: the file is empty",
		"backends:": "list.yaml:1:1: want a list, found a section",
		"[{]":       "list.yaml:1:3: did not find expected node content",
	} {
		_, err := config.ParseBackends("list.yaml", []byte(text), "h1")
		require.Error(t, err, text)
		assert.Equal(t, want, strings.Split(err.Error(), "\n")[0])
	}
}
