package sdk_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedge-lb/wedge/sdk"
	"github.com/wedge-lb/wedge/sdk/sdktest"
)

type sampleOptions struct {
	Algorithm string              `json:"algorithm"`
	Key       []string            `json:"key"`
	Prefix    uint8               `json:"prefix"`
	Offset    int                 `json:"offset"`
	Bound     float64             `json:"bound"`
	Strict    bool                `json:"strict"`
	Rules     []sampleRule        `json:"rules"`
	Labels    map[string][]string `json:"labels"`
	Limit     *int                `json:"limit"`
	Hidden    string
}

type sampleRule struct {
	Zone string `json:"zone"`
}

// read gives what a strategy with these defaults reads from options.
func read(t testing.TB, options string, defaults sampleOptions) (sampleOptions, error) {
	t.Helper()
	h := sdktest.NewHost(&probe{configure: func(c *sdk.Config) error { return c.Options(&defaults) }})
	err := h.Configure(options)
	return defaults, err
}

func TestOptionsAreReadOverTheDefaults(t *testing.T) {
	got, err := read(t, `{
		"algorithm": "ma\u0067lev \ud83d\ude00\n", "key": ["a", "b"], "offset": -3, "bound": 1.25e0, "strict": true,
		"rules": [{"zone": "x"}, {}], "labels": {"track": "canary", "tier": ["1", "2"]}, "limit": 7
	}`, sampleOptions{Prefix: 32, Algorithm: "ring"})
	require.NoError(t, err)
	seven := 7
	assert.Equal(t, sampleOptions{
		Algorithm: "maglev 😀\n", Key: []string{"a", "b"}, Prefix: 32, Offset: -3, Bound: 1.25, Strict: true,
		Rules: []sampleRule{{"x"}, {}}, Labels: map[string][]string{"track": {"canary"}, "tier": {"1", "2"}},
		Limit: &seven,
	}, got)
}

func TestNoOptionsLeaveTheDefaults(t *testing.T) {
	for _, options := range []string{"", "{}", " null "} {
		got, err := read(t, options, sampleOptions{Prefix: 9})
		require.NoError(t, err)
		assert.Equal(t, sampleOptions{Prefix: 9}, got)
	}
}

func TestAListOfOneMayBeItsElement(t *testing.T) {
	got, err := read(t, `{"key": "path", "rules": {"zone": "a"}}`, sampleOptions{})
	require.NoError(t, err)
	assert.Equal(t, sampleOptions{Key: []string{"path"}, Rules: []sampleRule{{"a"}}}, got)
}

func TestBadOptionsAreToldByName(t *testing.T) {
	const natural = "want a whole number in range, not negative"
	const names = "algorithm, bound, key, labels, limit, offset, prefix, rules, strict"
	for name, tt := range map[string]struct{ options, want string }{
		"unknown":              {`{"algoritm": 1}`, "option algoritm: unknown; known are " + names},
		"other case":           {`{"Strict": true}`, "option Strict: unknown; known are " + names},
		"field without a name": {`{"Hidden": "x"}`, "option Hidden: unknown; known are " + names},
		"empty name":           {`{"": "x"}`, "option (all): unknown; known are " + names},
		"unknown inside":       {`{"rules": [{}, {"zon": 1}]}`, "option rules[1].zon: unknown; known are zone"},
		"text for a number":    {`{"prefix": "x"}`, `option prefix: "x": want a number`},
		"too large":            {`{"prefix": 256}`, "option prefix: 256: " + natural},
		"negative":             {`{"prefix": -1}`, "option prefix: -1: " + natural},
		"not whole":            {`{"offset": 1.5}`, "option offset: 1.5: want a whole number in range"},
		"huge":                 {`{"bound": 1e999}`, "option bound: 1e999: want a number in range"},
		"number for text":      {`{"algorithm": 5}`, "option algorithm: 5: want text"},
		"null":                 {`{"algorithm": null}`, "option algorithm: null: want text"},
		"text for a switch":    {`{"strict": "yes"}`, `option strict: "yes": want true or false`},
		"list for a map":       {`{"labels": []}`, "option labels: a list: want an object"},
		"inside of a map":      {`{"labels": {"a": ["x", 1]}}`, "option labels.a[1]: 1: want text"},
		"object for a number":  {`{"limit": {}}`, "option limit: an object: want a number"},
		"two faults": {
			`{"strict": 1, "offset": "z"}`,
			`option strict: 1: want true or false; option offset: "z": want a number`,
		},
		"not an object":     {`[1]`, "options: want an object"},
		"cut off":           {`{"algorithm": "x`, "options, byte 16: not valid JSON"},
		"trailing":          {`{} {}`, "options, byte 3: not valid JSON"},
		"a key twice":       {`{"strict": true, "strict": false}`, "options, byte 25: a key twice"},
		"half a pair":       {`{"algorithm": "\ud83d"}`, "options, byte 21: not valid JSON"},
		"leading zero":      {`{"offset": 01}`, "options, byte 12: not valid JSON"},
		"control character": {"{\"algorithm\": \"\n\"}", "options, byte 16: not valid JSON"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := read(t, tt.options, sampleOptions{})
			assert.EqualError(t, err, "configure: "+tt.want)
		})
	}
}

func TestHasSeesWhatIsSet(t *testing.T) {
	h := sdktest.NewHost(&probe{configure: func(c *sdk.Config) error {
		assert.True(t, c.Has("learn"))
		assert.False(t, c.Has("idle"))
		return nil
	}})
	require.NoError(t, h.Configure(`{"learn": null}`))
}

func TestBetween(t *testing.T) {
	assert.NoError(t, sdk.Between("prefix", 32, 1, 32))
	assert.EqualError(t, sdk.Between("prefix", 33, 1, 32), `option prefix: "33": want 1 to 32`)
}

// What our reader takes, encoding/json must take alike.
func FuzzOptions(f *testing.F) {
	for _, seed := range []string{
		`{"algorithm":"x","key":["a"],"prefix":1,"offset":-0,"bound":1e-5,"strict":false}`,
		`{"rules":[{"zone":"\u00e9\ud83d\ude00\"\\\/\b\f\n\r\t"}],"labels":{"a":["b"]},"limit":0}`,
		`[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]`, "{\"algorithm\":\"\xff\"}", `nul`,
		`{"offset":9223372036854775808}`, `-`, `{"a":1,"a":1}`, `"`, "\"\\u12", `{"bound":1.}`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, in string) {
		got, err := read(t, in, sampleOptions{})
		if err != nil || in == "" {
			return
		}
		require.True(t, json.Valid([]byte(in)), "%q", in)
		var want sampleOptions
		if json.Unmarshal([]byte(in), &want) == nil { // it has no lists of one
			require.Equal(t, want, got, "%q", in)
		}
	})
}
