package override_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedge-lb/wedge/edge/override"
)

const good = `{"version":1,"overrides":[{"pool":"shop","backend":"a","state":"drain",` +
	`"since":"2026-01-02T03:04:05Z","until":"2100-01-02T03:04:05Z","deadline":"2026-01-02T03:05:05Z"}]}`

func TestABrokenFileIsSetAside(t *testing.T) {
	for name, text := range map[string]string{
		"nothing":              "",
		"cut short":            good[:len(good)-5],
		"not JSON":             "state: drain",
		"more behind":          good + good,
		"another version":      strings.Replace(good, `"version":1`, `"version":2`, 1),
		"no version":           strings.Replace(good, `"version":1,`, ``, 1),
		"an unknown key":       strings.Replace(good, `"state"`, `"stat"`, 1),
		"an unknown state":     strings.Replace(good, `"drain"`, `"asleep"`, 1),
		"a deadline of ready":  strings.Replace(good, `"drain"`, `"ready"`, 1),
		"no pool":              strings.Replace(good, `"shop"`, `""`, 1),
		"a name without end":   strings.Replace(good, `"shop"`, `"`+strings.Repeat("x", 1025)+`"`, 1),
		"too much weight":      strings.Replace(good, `"since"`, `"weight":1001,"since"`, 1),
		"a weight below 0":     strings.Replace(good, `"since"`, `"weight":-1,"since"`, 1),
		"a time that is none":  strings.Replace(good, `2100-01`, `2100-13`, 1),
		"neither of both":      `{"version":1,"overrides":[{"pool":"p","backend":"b","since":"2026-01-02T03:04:05Z"}]}`,
		"null":                 `{"version":1,"overrides":[null]}`,
		"two of one backend":   strings.Replace(good, `[`, `[{"pool":"shop","backend":"a","weight":3},`, 1),
		"more than there may":  `{"version":1,"overrides":[` + strings.Repeat(`{},`, 5000) + `{}]}`,
		"larger than any good": `{"version":1,"overrides":[` + strings.Repeat(" ", 17<<20) + `]}`,
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t)
			require.NoError(t, os.WriteFile(d.path, []byte(text), 0o600))
			d.reopen()
			assert.Empty(t, d.words())
			kept, err := os.ReadFile(d.path + ".bad")
			require.NoError(t, err)
			assert.True(t, text == string(kept), "it can be looked at")
			assert.NoFileExists(t, d.path)
			assert.Contains(t, d.log.String(), "overrides not read; the file is set aside")
			d.set(override.Change{State: "drain"})
			d.Save()
			d.reopen()
			assert.Len(t, d.words(), 1)
		})
	}
}

func TestAFileThatIsNoFileDoesNotStopTheStart(t *testing.T) {
	d := newDesk(t)
	require.NoError(t, os.Mkdir(d.path, 0o700))
	d.reopen()
	assert.Empty(t, d.words())
	assert.Contains(t, d.log.String(), "not a regular file")
}

func TestAGoodFileIsRead(t *testing.T) {
	d := newDesk(t)
	require.NoError(t, os.WriteFile(d.path, []byte(good), 0o600))
	d.reopen()
	require.Len(t, d.words(), 1)
	assert.Equal(t, "drain", d.words()[0].State)
	assert.NotContains(t, d.log.String(), "ERROR")
	old := strings.Replace(good, "2100-01", "2026-01", 1)
	require.NoError(t, os.WriteFile(d.path, []byte(old), 0o600))
	d.reopen()
	assert.Empty(t, d.words(), "one that ended while no edge ran")
	assert.Contains(t, d.log.String(), "its time to live is over")
}

// FuzzParse: what is read can be written and is read again alike.
func FuzzParse(f *testing.F) {
	f.Add([]byte(good))
	f.Add([]byte(`{"version":1,"overrides":[{"pool":"p","backend":"b","weight":9,"absent":"2026-01-02T03:04:05Z"}]}`))
	f.Add([]byte(`{"version":1}`))
	f.Add([]byte(`[]`))
	f.Fuzz(func(t *testing.T, data []byte) {
		list, err := override.Parse(data)
		if err != nil {
			return
		}
		text, err := json.Marshal(map[string]any{"version": 1, "overrides": list})
		require.NoError(t, err)
		again, err := override.Parse(text)
		require.NoError(t, err)
		require.Equal(t, len(list), len(again))
		for i := range list {
			require.NotEmpty(t, list[i].Pool)
			require.LessOrEqual(t, list[i].Weight, uint32(1000))
			require.True(t, list[i].Until.Equal(again[i].Until))
		}
	})
}
