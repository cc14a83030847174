package config_test

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedge-lb/wedge/edge/config"
)

// sound is a site and a pool that bad files are put behind; the next line is the 5th.
const sound = `version: 1
sites: [{ hosts: [ok.example.com], routes: [{ pool: ok }] }]
x-pool: &pool { backends: [{ url: "http://a" }] }
x-plain: &plain { http: ":80" }
`

// refusal is a bad file with everything that is told of it, a line each.
type refusal struct {
	file string
	told []string
}

// refusals reads testdata/refusals.txt: "=== what is wrong", the file, behind sound
// after a line "+ sound", and what is told of it behind "--- told".
func refusals(t testing.TB) map[string]refusal {
	t.Helper()
	data, err := os.ReadFile("testdata/refusals.txt")
	require.NoError(t, err)
	all := map[string]refusal{}
	for _, entry := range strings.Split(string(data), "=== ")[1:] {
		name, rest, _ := strings.Cut(entry, "\n")
		file, told, found := strings.Cut(rest, "--- told\n")
		require.True(t, found, name)
		require.NotContains(t, all, name)
		if bare, ok := strings.CutPrefix(file, "+ sound\n"); ok {
			file = sound + bare
		}
		all[name] = refusal{file, strings.Split(strings.TrimSuffix(told, "\n"), "\n")}
	}
	return all
}

func TestABadFileIsToldOfAllItsFaults(t *testing.T) {
	all := refusals(t)
	require.Greater(t, len(all), 30)
	for name, r := range all {
		t.Run(name, func(t *testing.T) {
			_, err := config.Parse("w", []byte(r.file), sandbox())
			told := summaries(t, err)
			for i := range told {
				told[i] = strings.TrimPrefix(told[i], "w:")
			}
			assert.Equal(t, r.told, told)
		})
	}
}
