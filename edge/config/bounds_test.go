package config_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedge-lb/wedge/edge/config"
)

// withOptions is a file with a strategy that has these options.
func withOptions(options string) string {
	return smallest + "strategies: { s: { use: builtin/stateless, options: " + options + " } }"
}

// nested is a list in a list in a list.
func nested(depth int) string { return strings.Repeat("[", depth) + strings.Repeat("]", depth) }

// bomb is ten levels of lists that each hold the one before ten times.
func bomb() string {
	var b strings.Builder
	b.WriteString("x-0: &a0 [lol]\n")
	for i := 1; i <= 10; i++ {
		alias := fmt.Sprintf("*a%d", i-1)
		fmt.Fprintf(&b, "x-%d: &a%d [%s]\n", i, i, strings.Repeat(alias+", ", 9)+alias)
	}
	return b.String()
}

func TestHostileFilesAreRefusedInTime(t *testing.T) {
	long, digits := strings.Repeat("k", 300), strings.Repeat("9", 2000)
	for name, tt := range map[string]struct{ text, want string }{
		"a file over 1 MiB":         {smallest + strings.Repeat("#", 1<<20), "larger than 1 MiB"},
		"a billion laughs":          {bomb() + withOptions("{ a: *a10 }"), "aliases stand for more than 4 MiB"},
		"a billion merges":          {merges() + withOptions("*m24"), "aliases stand for more than 4 MiB"},
		"a list in itself":          {withOptions("{ a: &a [*a] }"), "nested deeper than 64 levels"},
		"a section in itself":       {smallest + "pools: { a: &p { <<: *p } }", "nested deeper than 64 levels"},
		"a deep nest":               {withOptions("{ a: " + nested(500) + " }"), "nested deeper than 64 levels"},
		"a deep nest of JSON":       {inJSON(nested(5000)), "nested deeper than 64 levels"},
		"a nest beyond the parser":  {smallest + "x-a: " + strings.Repeat("[", 200000), "exceeded max depth"},
		"a list without end":        {manyNames(10001), "a list has at most 10000 items"},
		"a key without end":         {withOptions("{ " + long + ": 1 }"), "a key has at most 256 bytes"},
		"a number without end":      {withOptions("{ a: " + digits + " }"), "JSON has no such number"},
		"a whole file on one line":  {manySites(2000), "more faults are not shown"},
		"thousands of unknown keys": {smallest + manyKeys(3000), "more faults are not shown"},
	} {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			_, err := config.Parse("w", []byte(tt.text), sandbox())
			var faults config.Faults
			require.ErrorAs(t, err, &faults)
			assert.ErrorContains(t, err, tt.want)
			assert.LessOrEqual(t, len(faults), 101)
			assert.Less(t, len(err.Error()), 100_000)
			assert.Less(t, time.Since(start), time.Minute)
		})
	}
}

func inJSON(option string) string { return `{"strategies":{"s":{"options":{"a":` + option + `}}}}` }

func manyNames(n int) string {
	return smallest + "tls: { on_demand: { allow: [" + strings.Repeat("a.b,", n) + "] } }"
}

func manySites(n int) string {
	return `{"version":1,"sites":[` + strings.Repeat(`{"hosts":1},`, n) + `{}]}`
}

func merges() string {
	var b strings.Builder
	b.WriteString("x-0: &m0 { a: 1 }\n")
	for i := 1; i <= 24; i++ {
		fmt.Fprintf(&b, "x-%d: &m%d { <<: [*m%d, *m%d], k%d: 1 }\n", i, i, i-1, i-1, i)
	}
	return b.String()
}

func manyKeys(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "key%d: 1\n", i)
	}
	return b.String()
}

func TestOnlyWhatAliasesStandForIsCounted(t *testing.T) {
	const n = 130_000
	many := "{ a: *a, b: [" + strings.Repeat("1,", n) + "] }"
	c := parse(t, "x-a: &a ['cookie:a']\nx-b: &b { use: builtin/stateless }\n"+smallest+
		"strategies: { s: { <<: *b, grants: *a, options: "+many+" } }")
	assert.Greater(t, len(c.Strategies["s"].Options), 2*n)
}

func TestALargeFileIsReadInTime(t *testing.T) {
	var b strings.Builder
	b.WriteString("version: 1\ntls: { issuer: internal }\npools:\n")
	for i := range 2000 {
		fmt.Fprintf(&b, "  p%d: { backends: [{ url: 'http://10.0.0.1:8080' }] }\n", i)
	}
	b.WriteString("sites:\n")
	for i := range 2000 {
		fmt.Fprintf(&b, "  - { hosts: [h%d.example.com], routes: [{ pool: p%d }] }\n", i, i)
	}
	start := time.Now()
	c := parse(t, b.String())
	assert.Len(t, c.Expand().Pools, 2000)
	assert.Less(t, time.Since(start), time.Minute)
	t.Logf("%d bytes in %s", b.Len(), time.Since(start))
}
