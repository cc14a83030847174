package plugin_test

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedge-lb/wedge/edge/plugin"
)

func TestLoadRefuses(t *testing.T) {
	h := newHost(t, plugin.Options{})
	for name, tt := range map[string]struct {
		wasm []byte
		want string
	}{
		"nothing":      {nil, `check: not a WebAssembly module`},
		"another file": {[]byte("#!/bin/sh\necho"), `check: not a WebAssembly module`},
		"a component":  {[]byte("\x00asm\x0d\x00\x01\x00"), `check: not a WebAssembly module`},
		"too large a file": {
			make([]byte, 16<<20+1),
			`check: module of 16777217 bytes; at most 16777216 are allowed`,
		},
		"a truncated module": {
			wat(t, "route0")[:40],
			`check: 87 bytes of a section in 1 bytes (offset 0x26)`,
		},
		"no version": {
			wat(t, "no_version"),
			`check: export "wedge_abi_v1": missing; the module is not a wedge strategy`,
		},
		"another version": {
			wat(t, "other_version"),
			`check: module speaks wedge_abi_v7; this host speaks wedge_abi_v1`,
		},
		"a missing export": {
			wat(t, "no_pick"),
			`check: export "wedge_pick": missing; a function (i32) -> (i64) is wanted`,
		},
		"a missing memory": {
			wat(t, "no_memory"),
			`check: export "memory": missing; a memory is wanted`,
		},
		"a wrong signature": {
			wat(t, "wrong_signature"),
			`check: export "wedge_pick": a function (i32) -> (i32); (i32) -> (i64) is wanted`,
		},
		"a wrong optional": {
			wat(t, "wrong_observe"),
			`check: export "wedge_observe": a function (i32) -> (i32); (i32) -> () is wanted`,
		},
		"an unknown import": {
			wat(t, "unknown_import"),
			`check: import "wedge.teleport": unknown function`,
		},
		"an unknown module": {
			wat(t, "unknown_module"),
			`check: import "env.abort": unknown module`,
		},
		"an unknown system function": {
			wat(t, "unknown_wasi"),
			`check: import "wasi_snapshot_preview1.fork": unknown function`,
		},
		"a wrong import": {
			wat(t, "wrong_import"),
			`check: import "wedge.log": a function (i32, i32) -> (); it is (i32, i32, i32) -> ()`,
		},
		"somebody else's memory": {
			wat(t, "memory_import"),
			`check: import "env.memory": a memory; only functions are offered (import section, offset 0x1b)`,
		},
		"somebody else's global": {
			wat(t, "global_import"),
			`check: import "wedge.seed": a global; only functions are offered (import section, offset 0x1b)`,
		},
		"more memory than is allowed": {
			wat(t, "huge_memory"),
			`check: 65536 pages of memory; at most 256 are allowed (memory section, offset 0x23)`,
		},
		"the name of the fuel": {
			wat(t, "hostile_reserved_name"),
			`check: export "wedge_fuel": the name is kept for the host`,
		},
		"what is no strategy at all": {
			[]byte("\x00asm\x01\x00\x00\x00"),
			`check: export "wedge_abi_v1": missing; the module is not a wedge strategy`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := h.Load(context.Background(), "test", tt.wasm, plugin.Limits{})
			assert.ErrorContains(t, err, tt.want)
		})
	}
}

func TestLoadHoldsAModuleToItsMemoryLimit(t *testing.T) {
	h := newHost(t, plugin.Options{})
	_, err := h.Load(context.Background(), "test", wat(t, "route0"), plugin.Limits{Memory: 3 << 16})
	assert.ErrorContains(t, err, "4 pages of memory; at most 3 are allowed")
	m, err := h.Load(context.Background(), "test", wat(t, "route0"), plugin.Limits{Memory: 3<<16 + 1})
	require.NoError(t, err)
	require.NoError(t, m.Close(context.Background()))
}

func TestCompiledCodeIsKeptForTheOwnerAlone(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state", "compiled")
	for range 2 {
		load(t, newHost(t, plugin.Options{CacheDir: dir}), wat(t, "route0"))
	}
	info, err := os.Stat(dir)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o700), info.Mode().Perm())
	assert.NotEmpty(t, cacheFiles(t, dir))
}

func TestADamagedCacheKeepsNoPluginOut(t *testing.T) {
	dir := t.TempDir()
	load(t, newHost(t, plugin.Options{CacheDir: dir}), wat(t, "route0"))
	for _, f := range cacheFiles(t, dir) {
		text, err := os.ReadFile(f)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(f, append(text[:len(text)/2], 1, 2, 3), 0o600))
	}
	var log bytes.Buffer
	m := load(t, newHost(t, plugin.Options{CacheDir: dir, Logger: jsonLogger(&log)}), wat(t, "route0"))
	bind(t, m, plugin.Binding{Set: newPool(1).Set()})
	assert.Contains(t, log.String(), "compilation cache not usable")
}

func TestACacheThatIsAFileIsRefused(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	_, err := plugin.New(plugin.Options{CacheDir: file})
	assert.ErrorContains(t, err, "compilation cache "+file)
}

func cacheFiles(t *testing.T, dir string) []string {
	files, err := filepath.Glob(filepath.Join(dir, "wazero-*", "*"))
	require.NoError(t, err)
	return files
}

func TestBinariesAreWhatTheirSourcesMake(t *testing.T) {
	sources, err := filepath.Glob("../../testdata/wasm/*.wat")
	require.NoError(t, err)
	require.Greater(t, len(sources), 30)
	tool, err := exec.LookPath("wat2wasm")
	for _, source := range sources {
		binary := strings.TrimSuffix(source, ".wat") + ".wasm"
		stands, readErr := os.ReadFile(binary)
		require.NoError(t, readErr)
		if err != nil {
			continue // only that each source has its binary can be told
		}
		out := filepath.Join(t.TempDir(), "out.wasm")
		text, runErr := exec.Command(tool, source, "-o", out).CombinedOutput()
		require.NoError(t, runErr, string(text))
		made, readErr := os.ReadFile(out)
		require.NoError(t, readErr)
		assert.True(t, bytes.Equal(made, stands), binary)
	}
}

func FuzzLoad(f *testing.F) {
	sources, err := filepath.Glob("../../testdata/wasm/*.wasm")
	require.NoError(f, err)
	for _, source := range sources {
		module, err := os.ReadFile(source)
		require.NoError(f, err)
		f.Add(module)
	}
	h := newHost(f, plugin.Options{})
	f.Fuzz(func(t *testing.T, wasm []byte) {
		m, err := h.Load(t.Context(), "fuzz", wasm, plugin.Limits{Memory: 1 << 20})
		if err == nil {
			require.NoError(t, m.Close(t.Context()))
		}
	})
}
