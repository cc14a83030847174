package config_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedge-lb/wedge/edge/config"
)

func TestJSONIsTheSameShape(t *testing.T) {
	text := "{\n\t\"version\": 1,\n\t\"sites\": [\n\t\t{\"hosts\": [\"shop.example.com\"]," +
		" \"to\": [\"http:\\/\\/10.0.1.11:8080\", \"http://10.0.1.12:8080\"]}\n\t],\n" +
		"\t\"x-smile\": \"\\ud83d\\ude00\"\n}\n"
	assert.True(t, parse(t, smallest).Equal(parse(t, text)))
}

func TestFaultsInJSONHaveTheirPlace(t *testing.T) {
	text := "{\n\t\"version\": 1,\n\t\"é\": 0, \"sites\": [{\"hosts\": 7}]\n}"
	_, err := config.Parse("w.json", []byte(text), sandbox())
	assert.Equal(t, []string{
		`w.json:3:2: ["é"]: unknown key` +
			`; there are version, server, state_dir, admin, tls, logging, geoip, plugins, strategies, pools, sites`,
		`w.json:3:20: sites[0]: want to, with the URLs of backends, or routes`,
		`w.json:3:30: sites[0].hosts: want a list, found a whole number; put it in [ ]`,
	}, summaries(t, err))
}

func TestAnchorsMergeKeysAndExtensionsHelp(t *testing.T) {
	c := parse(t, `version: 1
x-backend: &backend { weight: 7, zone: a, labels: { tier: web } }
x-hosts: &hosts [a.example.com, b.example.com]
pools:
  one:
    x-note: ignored here too
    backends:
      - { <<: *backend, url: "http://a", zone: b }
      - { <<: [{ zone: c }, *backend], url: "http://b" }
sites:
  - hosts: *hosts
    routes: [{ pool: one }]
`)
	first, second := c.Pools["one"].Backends[0], c.Pools["one"].Backends[1]
	assert.Equal(t, "b", first.Zone, "its own key wins")
	assert.Equal(t, 7, first.Weight)
	assert.Equal(t, "web", first.Labels["tier"])
	assert.Equal(t, "c", second.Zone, "the first of several wins")
	assert.Equal(t, []string{"a.example.com", "b.example.com"}, c.Sites[0].Hosts)
}

func TestWordsAreTextAsInYAML12(t *testing.T) {
	c := parse(t, `version: 1
sites: [{ hosts: [a.example.com], routes: [{ pool: p }] }]
pools:
  p:
    backends:
      - url: "http://a"
        labels: { a: yes, b: no, c: on, d: 12:30, e: 2026-11-20, f: "1", g: !!str 1 }
`)
	assert.Equal(t, map[string]string{
		"a": "yes", "b": "no", "c": "on", "d": "12:30", "e": "2026-11-20", "f": "1", "g": "1",
	}, c.Pools["p"].Backends[0].Labels)
}

func TestOptionsAreCanonicalJSON(t *testing.T) {
	for name, tt := range map[string]struct{ yaml, want string }{
		"none is an empty object":      {`{}`, `{}`},
		"keys are sorted":              {`{ b: 1, a: { d: 2, c: 3 } }`, `{"a":{"c":3,"d":2},"b":1}`},
		"whole numbers stay whole":     {`{ a: 9007199254740993 }`, `{"a":9007199254740993}`},
		"in decimal":                   {`{ b: 0x10, c: 0o17, d: +07 }`, `{"b":16,"c":15,"d":7}`},
		"beyond 64 bits too":           {`{ a: 123456789012345678901 }`, `{"a":123456789012345678901}`},
		"numbers keep their digits":    {`{ a: 1.250, b: 1e400, c: -2.5E+3 }`, `{"a":1.250,"b":1e400,"c":-2.5E+3}`},
		"as JSON writes them":          {`{ b: .5, c: 5., d: -.5e3 }`, `{"b":0.5,"c":5.0,"d":-0.5e3}`},
		"words follow the core schema": {`{ a: yes, b: True, c: ~ }`, `{"a":"yes","b":true,"c":null}`},
		"quotes and tags make text":    {`{ e: '1', f: !!str 2, g: "" }`, `{"e":"1","f":"2","g":""}`},
		"text is not escaped for HTML": {`{ a: "<é&\u2028\t>" }`, `{"a":"<é&\u2028\t>"}`},
		"merge keys are resolved":      {`{ <<: { a: 1, b: 1 }, b: 2 }`, `{"a":1,"b":2}`},
		"their x- keys are theirs":     {`{ x-a: 1 }`, `{"x-a":1}`},
	} {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, tt.want, string(parse(t, withOptions(tt.yaml)).Strategies["s"].Options))
		})
	}
	absent := parse(t, smallest+"strategies: { s: { use: builtin/stateless } }")
	assert.Equal(t, `{}`, string(absent.Strategies["s"].Options))
}

func TestAByteOrderMarkIsSkipped(t *testing.T) {
	assert.True(t, parse(t, smallest).Equal(parse(t, "\uFEFF"+smallest)))
}

func TestSizesAreWrittenWithTheLargestUnit(t *testing.T) {
	for text, want := range map[string]string{
		"0": "0B", "512": "512B", "1024": "1KiB", "1536B": "1536B", "32KiB": "32KiB", "2048MiB": "2GiB",
	} {
		size, err := config.ParseSize(text)
		require.NoError(t, err, text)
		assert.Equal(t, want, size.String())
	}
	for _, bad := range []string{"", "KiB", "-1", "+1", "1.5KiB", "1kb", "1 KiB", "99999999999GiB", "1KiBKiB"} {
		_, err := config.ParseSize(bad)
		assert.Error(t, err, bad)
	}
}
