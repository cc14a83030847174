package sdk_test

import (
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedge-lb/wedge/sdk/abi"
)

// A module built from Go must have the exports and imports of the ABI, and only a strategy that
// asks for outcomes may export wedge_observe.
func TestModulesKeepToTheABI(t *testing.T) {
	imports := map[string]string{}
	for _, f := range abi.Imports() {
		imports[abi.Module+"."+f.Name] = f.Type()
	}
	for folder, observes := range map[string]bool{"../examples/tenant": false, "./testdata/observer": true} {
		m := build(t, folder)
		for _, f := range abi.Exports() {
			want := f.Type()
			if f.Name == abi.ExportObserve && !observes {
				want = ""
			}
			assert.Equal(t, want, m.exports[f.Name], "%s: %s", folder, f.Name)
		}
		assert.Contains(t, m.exports, abi.ExportMemory)
		for name, typ := range m.imports {
			if name[:len(abi.Module)] == abi.Module {
				assert.Equal(t, imports[name], typ, "%s: %s", folder, name)
			} else {
				assert.Equal(t, "wasi_snapshot_preview1", name[:22], folder)
			}
		}
		if observes {
			assert.GreaterOrEqual(t, len(m.imports), len(imports), "it makes every call")
		}
		assert.Less(t, m.size, 3<<20, "bytes of %s", folder)
	}
}

// module is what crosses the border of a Wasm module: types by name, "" for what is no function.
type module struct {
	imports, exports map[string]string
	size             int
}

func build(t *testing.T, folder string) module {
	t.Helper()
	file := filepath.Join(t.TempDir(), "strategy.wasm")
	cmd := exec.Command("go", "build", "-buildmode=c-shared", "-trimpath", "-ldflags=-s -w", "-o", file, folder)
	cmd.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	code, err := os.ReadFile(file)
	require.NoError(t, err)
	return parse(t, code)
}

// wasm reads the binary format.
type wasm struct{ b []byte }

func (w *wasm) u32() int {
	v, n := binary.Uvarint(w.b)
	w.b = w.b[n:]
	return int(v)
}

func (w *wasm) byte() byte { return w.take(1)[0] }

func (w *wasm) take(n int) []byte {
	b := w.b[:n]
	w.b = w.b[n:]
	return b
}

func (w *wasm) name() string { return string(w.take(w.u32())) }

func (w *wasm) types() []abi.ValueType {
	var list []abi.ValueType
	for _, b := range w.take(w.u32()) {
		list = append(list, abi.ValueType(b))
	}
	return list
}

func parse(t *testing.T, code []byte) module {
	require.Equal(t, "\x00asm\x01\x00\x00\x00", string(code[:8]))
	m := module{map[string]string{}, map[string]string{}, len(code)}
	var types, funcs []string // funcs: the type of each function, imported ones first
	for all := (&wasm{code[8:]}); len(all.b) > 0; {
		id := all.byte()
		s := &wasm{all.take(all.u32())}
		switch id {
		case 1: // types
			for range s.u32() {
				require.Equal(t, byte(0x60), s.byte())
				types = append(types, abi.Func{Params: s.types(), Results: s.types()}.Type())
			}
		case 2: // imports
			for range s.u32() {
				name := s.name() + "." + s.name()
				require.Zero(t, s.byte(), "%s: not a function", name)
				m.imports[name] = types[s.u32()]
				funcs = append(funcs, m.imports[name])
			}
		case 3: // functions
			for range s.u32() {
				funcs = append(funcs, types[s.u32()])
			}
		case 7: // exports
			for range s.u32() {
				name, kind, index := s.name(), s.byte(), s.u32()
				m.exports[name] = ""
				if kind == 0 {
					m.exports[name] = funcs[index]
				}
			}
		}
	}
	return m
}
