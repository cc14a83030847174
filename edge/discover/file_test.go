package discover_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedge-lb/wedge/edge/discover"
)

// words makes a member of each word, and counts how often it is called.
func words(calls *int) func([]byte) ([]discover.Member, error) {
	return func(data []byte) ([]discover.Member, error) {
		*calls++
		var list []discover.Member
		for _, w := range strings.Fields(string(data)) {
			if w == "bad" {
				return nil, errors.New("list.yaml:1:1: bad")
			}
			list = append(list, discover.Member{ID: w, Scheme: "http", Address: w + ":80", Weight: 1})
		}
		return list, nil
	}
}

// aged writes a file that nobody has written to for long.
func aged(t *testing.T, path, text string) {
	t.Helper()
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	old := time.Now().Add(-time.Hour)
	require.NoError(t, os.Chtimes(path, old, old))
}

func TestAFileIsWatchedByContent(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "list")
	calls := 0
	source := discover.NewFile(path, words(&calls))
	for _, tt := range []struct {
		name  string
		write func()
		want  []string
		calls int
	}{
		{"as it is", func() { aged(t, path, "a b") }, []string{"a", "b"}, 1},
		{"untouched", func() {}, []string{"a", "b"}, 1},
		{"touched", func() { require.NoError(t, os.Chtimes(path, time.Now(), time.Now())) }, []string{"a", "b"}, 1},
		{"as long and as old", func() { aged(t, path, "a c") }, []string{"a", "c"}, 2},
		{"replaced by a rename", func() {
			aged(t, path+".new", "d")
			require.NoError(t, os.Rename(path+".new", path))
		}, []string{"d"}, 3},
		{"emptied on purpose", func() { aged(t, path, "") }, []string{}, 4},
	} {
		tt.write()
		assert.Equal(t, tt.want, ids(look(t, source).Members), tt.name)
		assert.Equal(t, tt.calls, calls, "%s: parsed only when it has changed", tt.name)
	}
}

// TestAFileBehindASymlinkThatMoves has the layout in which Kubernetes shows a ConfigMap.
func TestAFileBehindASymlinkThatMoves(t *testing.T) {
	dir := t.TempDir()
	show := func(version, text string) {
		require.NoError(t, os.Mkdir(filepath.Join(dir, version), 0o700))
		aged(t, filepath.Join(dir, version, "list"), text)
		require.NoError(t, os.Symlink(version, filepath.Join(dir, "..data_tmp")))
		require.NoError(t, os.Rename(filepath.Join(dir, "..data_tmp"), filepath.Join(dir, "..data")))
	}
	show("..1", "a")
	require.NoError(t, os.Symlink(filepath.Join("..data", "list"), filepath.Join(dir, "list")))
	calls := 0
	source := discover.NewFile(filepath.Join(dir, "list"), words(&calls))
	assert.Equal(t, []string{"a"}, ids(look(t, source).Members))
	show("..2", "b")
	assert.Equal(t, []string{"b"}, ids(look(t, source).Members))
}

func TestABrokenFileIsAFailureUntilItIsMended(t *testing.T) {
	path := filepath.Join(t.TempDir(), "list")
	calls := 0
	source := discover.NewFile(path, words(&calls))
	assert.Contains(t, fails(t, source), "no such file")
	aged(t, path, "bad")
	for range 3 {
		assert.Equal(t, "list.yaml:1:1: bad", fails(t, source))
	}
	assert.Equal(t, 1, calls)
	aged(t, path, "a")
	assert.Equal(t, []string{"a"}, ids(look(t, source).Members))
	require.NoError(t, os.Remove(path))
	assert.Contains(t, fails(t, source), "no such file")
}

func TestAFileThatMayBeBeingWrittenIsWaitedFor(t *testing.T) {
	path := filepath.Join(t.TempDir(), "list")
	calls := 0
	source := discover.NewFile(path, words(&calls))
	require.NoError(t, os.WriteFile(path, []byte("a b c"), 0o600))
	info, err := os.Stat(path)
	require.NoError(t, err)
	assert.Equal(t, []string{"a", "b", "c"}, ids(look(t, source).Members))
	assert.GreaterOrEqual(t, time.Since(info.ModTime()), 100*time.Millisecond)
	assert.Equal(t, 1, calls)
}

func TestWhatIsNoFileIsNotRead(t *testing.T) {
	dir := t.TempDir()
	calls := 0
	assert.Contains(t, fails(t, discover.NewFile(dir, words(&calls))), "not a file")
	pipe := filepath.Join(dir, "pipe")
	require.NoError(t, syscall.Mkfifo(pipe, 0o600))
	assert.Contains(t, fails(t, discover.NewFile(pipe, words(&calls))), "not a file", "and nobody waits for a writer")
	large := filepath.Join(dir, "large")
	require.NoError(t, os.WriteFile(large, bytes.Repeat([]byte("a"), 1<<20+1), 0o600))
	assert.Contains(t, fails(t, discover.NewFile(large, words(&calls))), "at most 1048576 bytes")
	assert.Zero(t, calls)
}
