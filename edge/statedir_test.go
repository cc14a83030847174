package edge_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedge-lb/wedge/edge"
	"github.com/wedge-lb/wedge/edge/config"
	"github.com/wedge-lb/wedge/edge/discover/dnstest"
)

// noFiles are what may stand in a file's place.
var noFiles = map[string]func(path string) error{
	"a pipe":      func(path string) error { return syscall.Mkfifo(path, 0o600) },
	"a directory": func(path string) error { return os.Mkdir(path, 0o700) },
	"a device":    func(path string) error { return os.Symlink("/dev/zero", path) },
	"a huge file": func(path string) error {
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			return err
		}
		return os.Truncate(path, 1<<40) // it has no blocks
	},
}

// stateText has a pool of each kind that keeps something: sessions, and backends that were found.
func stateText(t *testing.T) string {
	dns := dnstest.Start(t)
	return strings.Replace(pinning(logins(t, 1), "builtin/cookie-sticky", "{}", bySession), "pools:\n",
		"pools:\n  d: { discover: { "+dnsSection("1", dns, "")+" } }\n", 1)
}

func TestWhatIsNoFileInTheStateDirectoryDoesNotStopTheStart(t *testing.T) {
	text := head + stateText(t)
	for name, put := range noFiles {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for _, folder := range []string{"sessions", "discover"} {
				require.NoError(t, os.Mkdir(filepath.Join(dir, folder), 0o700))
			}
			for _, file := range []string{"sessions/pool-p", "discover/d.json", "health.json", "overrides.json"} {
				require.NoError(t, put(filepath.Join(dir, file)))
			}
			r := startAt(t, dir, text)
			for _, told := range []string{
				"sessions not read", "backends that were found before are not known", "overrides not read",
				"health of backends before the start not known",
			} {
				assert.Contains(t, r.log.String(), told)
			}
			assert.Equal(t, 200, at(t, r, r.client("h1"), "h1", "cookie", "x").StatusCode)
		})
	}
}

func TestWhatIsNoFileInAKeysPlaceIsTold(t *testing.T) {
	text := head + stateText(t)
	for file, what := range map[string]string{
		"affinity.key": "affinity key", "sessions.key": "session key", "quic.key": "quic keys",
	} {
		for name, put := range noFiles {
			t.Run(file+" is "+name, func(t *testing.T) {
				dir := t.TempDir()
				path := filepath.Join(dir, file)
				require.NoError(t, put(path))
				conf, err := config.Parse("w", []byte(strings.ReplaceAll(text, "STATE", dir)), config.Options{})
				require.NoError(t, err)
				_, err = edge.New(conf, edge.Options{PluginCache: cache})
				require.ErrorContains(t, err, what)
				assert.ErrorContains(t, err, path)
			})
		}
	}
}
