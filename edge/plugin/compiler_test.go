package plugin_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedge-lb/wedge/edge/balance"
	"github.com/wedge-lb/wedge/edge/plugin"
)

// describeSelf makes this program a compiling child that, where it would read the module, answers with what it has.
const describeSelf = "describe-self"

type describe struct{}

func (describe) Read([]byte) (int, error) {
	var open []string
	entries, _ := os.ReadDir("/proc/self/fd")
	for _, e := range entries {
		to, _ := os.Readlink("/proc/self/fd/" + e.Name())
		own := strings.HasPrefix(to, "anon_inode:") || strings.HasPrefix(to, "/sys/") || strings.HasPrefix(to, "/proc/")
		if to != "" && !own { // which the runtime has for itself
			open = append(open, e.Name())
		}
	}
	nice, _ := syscall.Getpriority(syscall.PRIO_PROCESS, 0) // 20 - nice, from the kernel
	text := fmt.Sprint(strings.Join(open, " "), "; nice ", 20-nice, "; group ", syscall.Getpgrp() == os.Getpid(),
		"; environment ", os.Environ())
	_ = json.NewEncoder(os.Stdout).Encode(map[string]string{"Refused": text})
	os.Exit(0)
	return 0, nil
}

// compiler makes this program the child that compiles.
func compiler(t testing.TB) plugin.CompilerCommand { return child(t, compilePlugin) }

func child(t testing.TB, name string) plugin.CompilerCommand {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	return plugin.CompilerCommand{Args: []string{self, name}, Memory: childMemory}
}

// serves tells that a module loads and picks.
func serves(t *testing.T, h *plugin.Host, module []byte) {
	t.Helper()
	m, err := h.Load(context.Background(), "test", module, plugin.Limits{})
	require.NoError(t, err)
	defer m.Close(context.Background())
	p := newPool(3)
	g, err := m.Bind(context.Background(), plugin.Binding{Set: p.Set()})
	require.NoError(t, err)
	defer g.Close(context.Background())
	var d balance.Decision
	require.NoError(t, g.Pick(request(), p.Set(), &d))
	assert.NotNil(t, d.Backend)
}

// absent is a compiler that nobody can start.
var absent = plugin.CompilerCommand{Args: []string{"/nonexistent/wedge"}}

func TestAChildCompilesWhatIsLoadedFromTheCacheFromThenOn(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "compiled")
	module := builtin(t, "stateless")
	serves(t, newHost(t, plugin.Options{CacheDir: dir, Compiler: compiler(t)}), module)
	began := time.Now()
	serves(t, newHost(t, plugin.Options{CacheDir: dir, Compiler: absent}), module)
	t.Logf("loaded from the cache and bound in %s", time.Since(began))
	_, err := newHost(t, plugin.Options{CacheDir: dir, Compiler: absent}).
		Load(context.Background(), "test", wat(t, "route0"), plugin.Limits{})
	require.ErrorContains(t, err, "compile: the compiler does not start")
	info, err := os.Stat(dir)
	require.NoError(t, err)
	assert.EqualValues(t, 0o700, info.Mode().Perm())
	left, err := filepath.Glob(filepath.Join(dir, ".compiling-*"))
	require.NoError(t, err)
	assert.Empty(t, left)
}

func TestWhatAChildRefusesIsRefusedInItsWords(t *testing.T) {
	h := newHost(t, plugin.Options{CacheDir: t.TempDir(), Compiler: compiler(t)})
	own := newHost(t, plugin.Options{})
	for _, name := range []string{"unknown_import", "no_version", "other_version", "wrong_signature", "no_memory"} {
		_, want := own.Load(context.Background(), "test", wat(t, name), plugin.Limits{})
		_, err := h.Load(context.Background(), "test", wat(t, name), plugin.Limits{})
		require.Error(t, err)
		assert.Equal(t, want.Error(), err.Error())
	}
}

func TestTheLimitThatAChildMeetsIsNamed(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(c *plugin.CompilerCommand)
		want   string
	}{
		"memory": {func(c *plugin.CompilerCommand) { c.Memory = 64 << 20 }, "needs more than 64 MiB, the limit of memory"},
		"time":   {func(c *plugin.CompilerCommand) { c.Time = 5 * time.Millisecond }, "not done in 30ms, the limit of time"},
	} {
		t.Run(name, func(t *testing.T) {
			if runtime.GOOS != "linux" && name == "memory" {
				t.Skip("only Linux bounds the memory of a child")
			}
			c := compiler(t)
			tt.change(&c)
			h := newHost(t, plugin.Options{CacheDir: t.TempDir(), Compiler: c})
			_, err := h.Load(context.Background(), "test", builtin(t, "stateless"), plugin.Limits{})
			require.EqualError(t, err, "compile: "+tt.want)
		})
	}
}

func TestAChildEndsWithItsContext(t *testing.T) {
	h := newHost(t, plugin.Options{CacheDir: t.TempDir(), Compiler: compiler(t)})
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Millisecond)
	defer cancel()
	_, err := h.Load(ctx, "test", builtin(t, "stateless"), plugin.Limits{})
	require.ErrorIs(t, err, context.DeadlineExceeded)
}

func TestAChildGetsNothingOfItsParent(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("/proc and priorities are Linux's")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	f, err := os.Open("compiler_test.go")
	require.NoError(t, err)
	defer f.Close()
	t.Setenv("SECRET", "s3cr3t")
	h := newHost(t, plugin.Options{CacheDir: t.TempDir(), Compiler: child(t, describeSelf)})
	_, err = h.Load(context.Background(), "test", wat(t, "route0"), plugin.Limits{})
	require.EqualError(t, err, "0 1 2; nice 19; group true; environment [GOMAXPROCS=1 GOTRACEBACK=none]")
}

// Whatever befalls the files of the cache, no other code than a child's own is loaded.
func TestCompiledCodeThatWasChangedIsCompiledAgain(t *testing.T) {
	module := wat(t, "route0")
	for name, change := range map[string]func(t *testing.T, h *plugin.Host, dir, code, note string){
		"the code": func(t *testing.T, _ *plugin.Host, _, code, _ string) {
			data, err := os.ReadFile(code)
			require.NoError(t, err)
			data[len(data)/2] ^= 1
			require.NoError(t, os.WriteFile(code, data, 0o600))
		},
		"the code is cut":  func(t *testing.T, _ *plugin.Host, _, code, _ string) { require.NoError(t, os.Truncate(code, 20)) },
		"the code is gone": func(t *testing.T, _ *plugin.Host, _, code, _ string) { require.NoError(t, os.Remove(code)) },
		"the note": func(t *testing.T, _ *plugin.Host, _, _, note string) {
			data, err := os.ReadFile(note)
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(note, bytes.Replace(data, []byte(`"Meter":"`), []byte(`"Meter":"0`), 1), 0o600))
		},
		"the note is none": func(t *testing.T, _ *plugin.Host, _, _, note string) {
			require.NoError(t, os.WriteFile(note, []byte("{"), 0o600))
		},
		"the note names a file elsewhere": func(t *testing.T, _ *plugin.Host, _, _, note string) {
			require.NoError(t, os.WriteFile(note, []byte(`{"Module":"../../x"}`), 0o600))
		},
		"another cache's key": func(t *testing.T, _ *plugin.Host, dir, _, _ string) {
			require.NoError(t, os.Remove(filepath.Join(dir, "key")))
		},
		"metering has changed": func(t *testing.T, h *plugin.Host, _, _, _ string) {
			require.NoError(t, plugin.Remeter(h, module, plugin.Limits{}))
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			var log bytes.Buffer
			first := newHost(t, plugin.Options{CacheDir: dir, Compiler: compiler(t), Logger: jsonLogger(&log)})
			serves(t, first, module)
			require.Empty(t, log.String())
			code, note := one(t, filepath.Join(dir, "wazero-*", "*")), one(t, filepath.Join(dir, "notes", "*"))
			change(t, first, dir, code, note)
			_, err := newHost(t, plugin.Options{CacheDir: dir, Compiler: absent}).
				Load(context.Background(), "test", module, plugin.Limits{})
			require.ErrorContains(t, err, "the compiler does not start", "what lies there is not taken")
			serves(t, newHost(t, plugin.Options{CacheDir: dir, Compiler: compiler(t)}), module)
			serves(t, newHost(t, plugin.Options{CacheDir: dir, Compiler: absent}), module)
		})
	}
}

func one(t *testing.T, pattern string) string {
	t.Helper()
	found, err := filepath.Glob(pattern)
	require.NoError(t, err)
	require.Len(t, found, 1)
	return found[0]
}

func TestACacheThatCannotBeWrittenKeepsNoPluginOut(t *testing.T) {
	var log bytes.Buffer
	dir := t.TempDir()
	h := newHost(t, plugin.Options{CacheDir: dir, Compiler: compiler(t), Logger: jsonLogger(&log)})
	require.NoError(t, os.RemoveAll(dir))
	serves(t, h, wat(t, "route0"))
	assert.Contains(t, log.String(), "compilation cache not usable")
	_, err := h.Load(context.Background(), "test", wat(t, "no_version"), plugin.Limits{})
	require.ErrorContains(t, err, "the module is not a wedge strategy")
	serves(t, newHost(t, plugin.Options{Compiler: compiler(t)}), wat(t, "route0"))
}

func TestACacheLosesTheOldestUsed(t *testing.T) {
	dir := t.TempDir()
	h := newHost(t, plugin.Options{CacheDir: dir, Compiler: compiler(t)})
	serves(t, h, wat(t, "route0"))
	note := one(t, filepath.Join(dir, "notes", "*"))
	old := time.Now().Add(-time.Hour)
	require.NoError(t, os.Chtimes(note, old, old))
	_ = plugin.FillCache(h, plugin.CacheModules) // the code of these is missing, which it tells
	assert.NoFileExists(t, note)
	left, err := filepath.Glob(filepath.Join(dir, "notes", "*"))
	require.NoError(t, err)
	assert.LessOrEqual(t, len(left), plugin.CacheModules)
}
