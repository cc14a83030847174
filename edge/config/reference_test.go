package config_test

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedge-lb/wedge/edge/config"
)

// kinds are what the reference says is allowed where no words and no range are.
var kinds = map[reflect.Type]string{
	reflect.TypeFor[string]():          "text",
	reflect.TypeFor[bool]():            "true, false",
	reflect.TypeFor[int]():             "number",
	reflect.TypeFor[time.Duration]():   "time",
	reflect.TypeFor[config.Percent]():  "0% to 100%",
	reflect.TypeFor[config.File]():     "file",
	reflect.TypeFor[config.Dir]():      "directory",
	reflect.TypeFor[config.Output]():   "output",
	reflect.TypeFor[config.Secret]():   "secret",
	reflect.TypeFor[netip.Prefix]():    "network",
	reflect.TypeFor[json.RawMessage](): "section",
}

type keyFunc func(path string, of reflect.Type, tag reflect.StructTag)

// eachKey calls f for every key below section t with its path and tags.
func eachKey(t *testing.T, prefix string, section reflect.Type, f keyFunc) {
	for i := range section.NumField() {
		field := section.Field(i)
		name, _, ok := strings.Cut(field.Tag.Get("yaml"), ",")
		if name == "" {
			require.False(t, ok)
			continue
		}
		of, suffix := elem(field.Type)
		if _, known := kinds[of]; !known && of.Kind() == reflect.Struct {
			eachKey(t, prefix+name+suffix+".", of, f)
			continue
		}
		f(prefix+name, of, field.Tag)
	}
}

// elem is what t holds, and how a path shows that t holds it.
func elem(t reflect.Type) (reflect.Type, string) {
	if _, known := kinds[t]; known {
		return t, ""
	}
	suffixes := map[reflect.Kind]string{reflect.Pointer: "", reflect.Slice: "[]", reflect.Map: ".NAME"}
	suffix, holds := suffixes[t.Kind()]
	if !holds {
		return t, ""
	}
	of, more := elem(t.Elem())
	return of, suffix + more
}

func standard(tag reflect.StructTag) string {
	if strings.HasSuffix(tag.Get("yaml"), ",required") {
		return "required"
	}
	if d := tag.Get("default"); d != "" {
		return "`" + strings.ReplaceAll(d, ",", ", ") + "`"
	}
	return "none"
}

func allowed(t *testing.T, of reflect.Type, tag reflect.StructTag) string {
	low, high := tag.Get("min"), tag.Get("max")
	switch {
	case tag.Get("enum") != "":
		return strings.ReplaceAll(tag.Get("enum"), ",", ", ")
	case low != "" && low == high:
		return low
	case low != "":
		return low + " to " + high
	case high != "":
		return "up to " + high
	}
	require.Contains(t, kinds, of)
	return kinds[of]
}

func TestTheReferenceNamesEveryKeyAndItsDefault(t *testing.T) {
	page, err := os.ReadFile("REFERENCE.md")
	require.NoError(t, err)
	rows := map[string]string{}
	for line := range strings.Lines(string(page)) {
		if cells := strings.Split(line, " | "); strings.HasPrefix(line, "| `") {
			rows[strings.Trim(cells[0], "|` ")] = cells[1] + " | " + cells[2]
		}
	}
	eachKey(t, "", reflect.TypeFor[config.Config](), func(path string, of reflect.Type, tag reflect.StructTag) {
		assert.Equal(t, fmt.Sprintf("%s | %s", standard(tag), allowed(t, of, tag)), rows[path], path)
		delete(rows, path)
	})
	assert.Empty(t, rows, "keys that there are none of")
}

func TestTheSmallestFileOfTheReferenceIsRead(t *testing.T) {
	page, err := os.ReadFile("REFERENCE.md")
	require.NoError(t, err)
	_, rest, found := strings.Cut(string(page), "```yaml\n")
	require.True(t, found)
	text, _, _ := strings.Cut(rest, "```")
	assert.True(t, parse(t, text).Equal(parse(t, smallest)))
}
