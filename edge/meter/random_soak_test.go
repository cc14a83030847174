//go:build soak

package meter_test

import (
	"context"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/wedge-lb/wedge/edge/meter"
)

// randomModules is how many modules are made at random.
const randomModules = 300

// Random modules, which wasm-opt of binaryen makes of random bytes (make tools), do the same metered.
func TestRandomModulesDoTheSameMetered(t *testing.T) {
	tool, err := exec.LookPath("wasm-opt")
	require.NoError(t, err)
	random := rand.New(rand.NewPCG(1, 2))
	calls := 0
	for n := range randomModules {
		seed := make([]byte, 500+random.IntN(4000))
		for i := range seed {
			seed[i] = byte(random.Uint32())
		}
		in, out := filepath.Join(t.TempDir(), "seed"), filepath.Join(t.TempDir(), "out.wasm")
		require.NoError(t, os.WriteFile(in, seed, 0o600))
		text, err := exec.Command(tool, "-ttf", in, "-o", out, "--mvp-features", "--enable-simd", "--enable-bulk-memory",
			"--enable-multivalue", "--enable-sign-ext", "--enable-nontrapping-float-to-int",
			"--enable-mutable-globals").CombinedOutput() // its references are newer than version 2.0
		require.NoError(t, err, string(text))
		wasm, err := os.ReadFile(out)
		require.NoError(t, err)
		calls += sameMetered(t, n, wasm)
	}
	t.Log(calls)
	assert.Greater(t, calls, randomModules)
}

// sameMetered calls what a module exports, and gives how many calls that were.
func sameMetered(t *testing.T, n int, wasm []byte) (calls int) {
	metered, err := meter.Rewrite(wasm, linked())
	require.NoError(t, err, "module %d", n)
	a, wantErr := random(t, wasm)
	b, gotErr := random(t, metered)
	require.Equal(t, trap(wantErr), trap(gotErr), "module %d", n)
	if wantErr != nil {
		return 0
	}
	for name, f := range a.ExportedFunctions() {
		args := make([]uint64, len(f.ParamTypes()))
		for _, p := range f.ParamTypes() {
			if p == meter.V128 {
				args = append(args, 0)
			}
		}
		want, wantErr := a.ExportedFunction(name).Call(context.Background(), args...)
		got, gotErr := b.ExportedFunction(name).Call(context.Background(), args...)
		require.Equal(t, trap(wantErr), trap(gotErr), "module %d: %s", n, name)
		require.Len(t, got, len(want))
		for i, v := range want {
			if r := f.ResultTypes(); len(r) != len(want) || r[i] != meter.FuncRef && r[i] != meter.ExternRef {
				require.Equal(t, uint32(v), uint32(got[i]), "module %d: %s", n, name)
			}
		}
		calls++
	}
	return calls
}

// runnable is a module with its host: functions that do nothing.
type runnable struct {
	api.Module
	code wazero.CompiledModule
}

func (r runnable) ExportedFunctions() map[string]api.FunctionDefinition {
	return r.code.ExportedFunctions()
}

func random(t *testing.T, wasm []byte) (runnable, error) {
	ctx := context.Background()
	r := newRuntime(t, wazero.NewRuntimeConfig(), 256)
	code, err := r.CompileModule(ctx, wasm)
	if err != nil {
		return runnable{}, err
	}
	hosts := map[string]wazero.HostModuleBuilder{}
	for _, f := range code.ImportedFunctions() {
		module, name, _ := f.Import()
		if hosts[module] == nil {
			hosts[module] = r.NewHostModuleBuilder(module)
		}
		nothing := api.GoFunc(func(context.Context, []uint64) {})
		hosts[module].NewFunctionBuilder().WithGoFunction(nothing, f.ParamTypes(), f.ResultTypes()).Export(name)
	}
	for _, h := range hosts {
		if _, err := h.Instantiate(ctx); err != nil {
			return runnable{}, err
		}
	}
	m, err := r.InstantiateModule(ctx, code, wazero.NewModuleConfig().WithName(""))
	return runnable{m, code}, err
}
