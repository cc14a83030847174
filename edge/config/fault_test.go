package config_test

import (
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedge-lb/wedge/edge/config"
)

// summaries are the faults of err, a line each.
func summaries(t testing.TB, err error) []string {
	t.Helper()
	var faults config.Faults
	require.ErrorAs(t, err, &faults)
	lines := make([]string, len(faults))
	for i, f := range faults {
		lines[i] = f.Summary()
	}
	return lines
}

func TestAFaultShowsItsLineAndACaret(t *testing.T) {
	_, err := config.Parse("wedge.yaml", []byte(`version: 1
sites: [{ hosts: [a.example.com], routes: [{ pool: shop }] }]
pools:
  shop:
    helth: {}
	`+"backends: 1"), sandbox())
	require.EqualError(t, err, "wedge.yaml:6:1: found character that cannot start any token\n"+
		"    6 | \tbackends: 1\n"+
		"      | ^")

	_, err = config.Parse("wedge.yaml", []byte(`version: 1
sites: [{ hosts: [a.example.com], routes: [{ pool: shop }] }]
pools:
  shop:
    helth: {}
    backends: [{ url: "http://10.0.0.1:8080", weight: 0 }]
`), sandbox())
	require.EqualError(t, err, `wedge.yaml:5:5: pools.shop.helth: unknown key; did you mean "health"?
    5 |     helth: {}
      |     ^
wedge.yaml:6:55: pools.shop.backends[0].weight: want 1 to 1000
    6 |     backends: [{ url: "http://10.0.0.1:8080", weight: 0 }]
      |                                                       ^`)
}

func TestALongLineIsCutAroundTheFault(t *testing.T) {
	padding := strings.Repeat("a", 100)
	text := `{"version":1,"x-a":"` + padding + `","sitse":[],"x-b":"` + padding + `","sites":[]}`
	_, err := config.Parse("w", []byte(text), sandbox())
	var faults config.Faults
	require.ErrorAs(t, err, &faults)
	require.Len(t, faults, 2)
	shown := faults[0].Source
	assert.Len(t, shown, 120)
	assert.Equal(t, `"sitse":[]`, shown[60:70])
	want := "\n    1 | " + shown + "\n      | " + strings.Repeat(" ", 60) + "^"
	assert.Equal(t, faults[0].Summary()+want, faults[0].Error())
}

func TestFaultsFoundLaterHaveTheirPlace(t *testing.T) {
	c := parse(t, whole(t))
	for path, want := range map[string]string{
		"strategies.by-tenant.options":         "wedge.yaml:20:46",
		"strategies.by-tenant.options.key[1]":  "wedge.yaml:20:83",
		"strategies.by-tenant.options.no.such": "wedge.yaml:20:46",
		"pools.shop.affinity.cookie.name":      "wedge.yaml:26:33",
		"pools.shop.backends[1]":               "wedge.yaml:29:9",
		"pools.shop.backends[1].labels":        "wedge.yaml:29:73",
		"pools.shop.backends[9].id":            "wedge.yaml:27:5",
		"sites[1].tls.client_auth.ca":          "wedge.yaml:46:46",
		"sites[0].routes[2].pool":              "wedge.yaml:44:17",
		"server.limits.streams":                "wedge.yaml:8:3",
		"nothing":                              "wedge.yaml:2:1",
	} {
		t.Run(path, func(t *testing.T) {
			fault := c.Fault(path, "it is refused")
			assert.Equal(t, want+": "+path+": it is refused", fault.Summary())
			assert.NotEmpty(t, fault.Source)
		})
	}
}

func TestFaultsOfTheExplicitFormPointIntoTheFile(t *testing.T) {
	e := parse(t, smallest).Expand()
	for path, want := range map[string]string{
		"pools.site-shop.example.com.backends[1].url": "wedge.yaml:3:64",
		"pools.site-shop.example.com":                 "wedge.yaml:3:34",
		"sites[0].routes[0].pool":                     "wedge.yaml:3:34",
		"strategies.default.options":                  "wedge.yaml:1:1",
	} {
		assert.Equal(t, want+": "+path+": down", e.Fault(path, "down").Summary())
	}
}

func TestPlacesAreFoundByManyAtOnce(t *testing.T) {
	e := parse(t, whole(t)).Expand()
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			assert.Equal(t, 46, e.Fault("sites[1].tls", "no").Line)
		})
	}
	wg.Wait()
}

func TestAConfigurationMadeByAProgramHasNoPlaces(t *testing.T) {
	c := config.Default()
	line, column := c.Position("sites")
	assert.Zero(t, line+column)
	assert.Equal(t, "sites[0]: wrong", c.Fault("sites[0]", "wrong").Error())
	assert.Equal(t, "a: b\nc: d", config.Faults{{Path: "a", Message: "b"}, {Path: "c", Message: "d"}}.Error())
}

func TestPositionsFollowKeysWithDotsAndQuotes(t *testing.T) {
	c := parse(t, smallest+"strategies:\n  s:\n    use: builtin/stateless\n    options:\n"+
		"      a.b: { c: 1 }\n      a: { b: 2 }\n      'x y': [3]\n")
	for path, line := range map[string]int{
		`strategies.s.options.a.b.c`: 8, `strategies.s.options.a`: 9, `strategies.s.options["x y"][0]`: 10,
	} {
		got, _ := c.Position(path)
		assert.Equal(t, line, got, path)
	}
}

func TestSyntaxFaultsHaveTheirPlace(t *testing.T) {
	for text, want := range map[string]string{
		"":                            "w:1:1: the file is empty",
		"# nothing but a comment\n":   "w:1:1: the file is empty",
		"---\n":                       "w:1:1: the file is empty",
		"a: [1, 2\nb: 3\n":            "w:1:8: did not find expected ',' or ']'",
		"a: *x\n":                     "w:1:5: unknown anchor 'x' referenced",
		"a: b: c\n":                   "w:1:5: mapping values are not allowed in this context",
		"a: 1\n b: 2\n":               "w:2:3: mapping values are not allowed in this context",
		"a:\n\tb: 1\n":                "w:2:1: found character that cannot start any token",
		"version: 1\n---\nversion: 1": "w:2:3: a second document; one file holds one",
		"# \u2028# \u2029# \u0085# \r# \r\n# \n]": "w:7:1: did not find expected node content",
		"# \u2028x: \x00":                         "w:2:4: control character U+0000",
		"a: \xff\n":                               "w:1:4: not UTF-8",
		"a: b\n  \x1b[31m\n":                      "w:2:3: control character U+001B",
		"- 1\n":                                   "w:1:1: want a section, found a list",
		"text\n":                                  "w:1:1: want a section, found text",
	} {
		_, err := config.Parse("w", []byte(text), sandbox())
		assert.Equal(t, []string{want}, summaries(t, err), "%q", text)
	}
}

func TestFaultsIsTheErrorOfParse(t *testing.T) {
	_, err := config.Parse("w", []byte("a"), config.Options{})
	var faults config.Faults
	assert.True(t, errors.As(err, &faults))
}
