package plugin

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"

	"github.com/wedge-lb/wedge/sdk/abi"
)

// pageSize is the unit of a guest's memory, in bytes.
const pageSize = 64 << 10

// A Module is a plugin that was checked and compiled, in a runtime of its own. It is safe for concurrent
// use.
type Module struct {
	host     *Host
	name     string
	runtime  wazero.Runtime
	code     wazero.CompiledModule
	log      *guestLog
	observes bool
	limit    int64    // bytes of an instance's memory
	expect   string   // digest that the module must have after metering; "" = any
	digest   [32]byte // that it has
}

// load makes a module.
func (h *Host) load(ctx context.Context, name string, wasm []byte, l Limits, how loading) (*Module, error) {
	m := &Module{
		host: h, name: name, runtime: wazero.NewRuntimeWithConfig(hostContext(), runtimeConfig(l, how.cache)),
		expect: how.expect, limit: int64(l.pages()) * pageSize,
		log: newGuestLog(h.opt.Logger.With(slog.String("strategy", name)), h.opt.Now),
	}
	if err := m.compile(ctx, wasm, l); err != nil {
		return nil, errors.Join(err, m.Close(hostContext()))
	}
	return m, nil
}

// hostContext is what guest calls see in place of any client's context.
func hostContext() context.Context { return context.Background() }

func runtimeConfig(l Limits, cache wazero.CompilationCache) wazero.RuntimeConfig {
	c := wazero.NewRuntimeConfig().WithCoreFeatures(api.CoreFeaturesV2).WithMemoryLimitPages(l.pages())
	if cache != nil {
		c = c.WithCompilationCache(cache)
	}
	return c
}

// compile lets the module be checked and metered before the engine sees it.
func (m *Module) compile(ctx context.Context, wasm []byte, l Limits) error {
	wasi, err := m.exportWASI()
	if err != nil {
		return fmt.Errorf("compile: host functions: %w", err)
	}
	if err = m.exportImports(); err != nil {
		return fmt.Errorf("compile: host functions: %w", err)
	}
	if !m.host.opt.unmetered {
		if wasm, err = meterModule(wasm, l, wasi); err != nil {
			return fmt.Errorf("check: %w", err)
		}
	}
	if m.digest = sha256.Sum256(wasm); m.expect != "" && m.expect != hex.EncodeToString(m.digest[:]) {
		return errStale
	}
	if m.code, err = m.runtime.CompileModule(hostContext(), wasm); err != nil {
		return fmt.Errorf("compile: %s", printable([]byte(err.Error()), maxText))
	}
	if err = admit(m.code); err != nil {
		return fmt.Errorf("check: %w", err)
	}
	_, m.observes = m.code.ExportedFunctions()[abi.ExportObserve]
	return ctx.Err()
}

// exportWASI offers WASI preview 1, behind which there is nothing, and gives its functions.
func (m *Module) exportWASI() (wazero.CompiledModule, error) {
	c, err := wasi_snapshot_preview1.NewBuilder(m.runtime).Compile(hostContext())
	if err != nil {
		return nil, err
	}
	if err := c.Close(hostContext()); err != nil {
		return nil, err
	}
	_, err = wasi_snapshot_preview1.Instantiate(hostContext(), m.runtime)
	return c, err
}

// exportImports offers the functions of the ABI to the guest.
func (m *Module) exportImports() error {
	b := m.runtime.NewHostModuleBuilder(abi.Module)
	quick, others := hostCalls(), memoryCalls()
	for _, f := range abi.Imports() {
		params, results := apiTypes(f.Params), apiTypes(f.Results)
		if call, ok := quick[f.Name]; ok {
			b.NewFunctionBuilder().WithGoFunction(call, params, results).Export(f.Name)
			continue
		}
		b.NewFunctionBuilder().WithGoModuleFunction(others[f.Name], params, results).Export(f.Name)
	}
	_, err := b.Instantiate(hostContext())
	return err
}

func apiTypes(list []abi.ValueType) []api.ValueType {
	types := make([]api.ValueType, len(list))
	for i, t := range list {
		types[i] = api.ValueType(t)
	}
	return types
}

// Close frees the module. Its guests must have been closed.
func (m *Module) Close(ctx context.Context) error {
	err := m.runtime.Close(ctx)
	if m.code != nil {
		err = errors.Join(err, m.code.Close(ctx))
	}
	return err
}
