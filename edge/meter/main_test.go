package meter_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/wedge-lb/wedge/edge/meter"
)

// pickFuel is the fuel of a pick by default.
const pickFuel = 200_000

// files are the modules of testdata whose names match.
func files(t testing.TB, pattern string) map[string][]byte {
	paths, err := filepath.Glob("../../testdata/wasm/" + pattern + ".wasm")
	require.NoError(t, err)
	require.NotEmpty(t, paths)
	found := map[string][]byte{}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		found[strings.TrimSuffix(filepath.Base(path), ".wasm")] = text
	}
	return found
}

// newRuntime is closed with the test; it lets memories have so many pages.
func newRuntime(t testing.TB, c wazero.RuntimeConfig, pages uint32) wazero.Runtime {
	r := wazero.NewRuntimeWithConfig(context.Background(),
		c.WithCoreFeatures(api.CoreFeaturesV2).WithMemoryLimitPages(pages))
	t.Cleanup(func() { require.NoError(t, r.Close(context.Background())) })
	return r
}

// A guest is a metered module that runs.
type guest struct {
	api.Module
	fuel api.MutableGlobal
}

func start(t testing.TB, wasm []byte, o meter.Options) (guest, error) {
	metered, err := meter.Rewrite(wasm, o)
	if err != nil {
		return guest{}, err
	}
	m, err := newRuntime(t, wazero.NewRuntimeConfig(), 256).Instantiate(context.Background(), metered)
	if err != nil {
		return guest{}, err
	}
	return guest{m, m.ExportedGlobal(meter.Export).(api.MutableGlobal)}, nil
}

// call runs an export with so much fuel and gives how much it used.
func (g guest) call(fuel int64, name string, args ...uint64) (used int64, results []uint64, err error) {
	g.fuel.Set(uint64(fuel))
	results, err = g.ExportedFunction(name).Call(context.Background(), args...)
	return fuel - int64(g.fuel.Get()), results, err
}

// u32 is an unsigned integer in LEB128.
func u32(n int) (b []byte) {
	for ; n >= 0x80; n >>= 7 {
		b = append(b, byte(n)|0x80)
	}
	return append(b, byte(n))
}

// join puts bytes together: byte, int (a byte), string and []byte.
func join(parts ...any) (b []byte) {
	for _, p := range parts {
		switch v := p.(type) {
		case int:
			b = append(b, byte(v))
		case byte:
			b = append(b, v)
		case string:
			b = append(b, v...)
		case []byte:
			b = append(b, v...)
		}
	}
	return b
}

// sized is content after its length; section and function are forms of it.
func sized(parts ...any) []byte {
	content := join(parts...)
	return append(u32(len(content)), content...)
}

func section(id int, parts ...any) []byte { return append([]byte{byte(id)}, sized(parts...)...) }

func wasm(sections ...[]byte) []byte {
	out := []byte("\x00asm\x01\x00\x00\x00")
	for _, s := range sections {
		out = append(out, s...)
	}
	return out
}

// function is a module of one function () -> () with a memory of one page, exported as run.
func function(body ...any) []byte {
	return wasm(section(1, 1, 0x60, 0, 0), section(3, 1, 0), section(5, 1, 0, 1),
		section(7, 1, sized("run"), 0, 0), section(10, 1, sized(body...)))
}
