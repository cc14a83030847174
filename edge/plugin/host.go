package plugin

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync/atomic"
	"time"

	"github.com/tetratelabs/wazero"

	"github.com/wedge-lb/wedge/edge/store"
	"github.com/wedge-lb/wedge/sdk/abi"
)

// Options of a Host. The zero value is usable.
type Options struct {
	CacheDir string           // where compiled code is kept, for the owner only; default: memory alone
	Logger   *slog.Logger     // default: discard
	Now      func() time.Time // what guests get from the import now; default time.Now
	Seed     io.Reader        // seeds the guests' random numbers; default crypto/rand
	Store    *store.Store     // what guests keep, in a namespace for each module's name; default: a new one
	Compiler CompilerCommand  // what compiles; default: the host itself

	unmetered bool // for benchmarks that compare
}

func (o Options) withDefaults() Options {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Seed == nil {
		o.Seed = rand.Reader
	}
	if o.Store == nil {
		o.Store = store.New(store.Options{Now: o.Now})
	}
	return o
}

// A Host loads modules. It is safe for concurrent use; Close it after all its modules.
type Host struct {
	opt   Options
	cache wazero.CompilationCache
	codes *codeCache // what the compiler made; nil = there is none, or nothing is kept
	alive atomic.Int64
}

// Instances is how many guests live, of all modules, those of old generations that still have to be freed among them.
func (h *Host) Instances() int64 { return h.alive.Load() }

// New makes a host. The error is of the cache directory alone.
func New(o Options) (*Host, error) {
	o = o.withDefaults()
	if o.CacheDir == "" {
		return &Host{opt: o, cache: wazero.NewCompilationCache()}, nil
	}
	cache, err := openCache(o.CacheDir)
	if err != nil {
		return nil, fmt.Errorf("compilation cache %s: %w", o.CacheDir, err)
	}
	h := &Host{opt: o, cache: cache}
	if len(o.Compiler.Args) > 0 {
		if h.codes, err = newCodeCache(o.CacheDir, o.Compiler); err != nil {
			return nil, errors.Join(fmt.Errorf("compilation cache %s: %w", o.CacheDir, err), h.Close(hostContext()))
		}
	}
	return h, nil
}

// openCache takes a directory for the owner alone: who can write there can run code here.
func openCache(dir string) (wazero.CompilationCache, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		return nil, err
	}
	return wazero.NewCompilationCacheWithDir(dir)
}

// Close frees what the host keeps compiled.
func (h *Host) Close(ctx context.Context) error { return h.cache.Close(ctx) }

// Limits bound the instances of a module.
type Limits struct {
	Memory int64 // bytes of one instance, rounded up to pages of 64 KiB; default 16 MiB
}

// pages is the memory of an instance in the engine's unit.
func (l Limits) pages() uint32 {
	if l.Memory <= 0 {
		l.Memory = abi.MaxMemory
	}
	return uint32(min((l.Memory+pageSize-1)/pageSize, 1<<16))
}

// Load checks and compiles a module. The caller closes it. Errors name the step: check or compile.
func (h *Host) Load(ctx context.Context, name string, wasm []byte, l Limits) (*Module, error) {
	if err := checkSize(wasm); err != nil {
		return nil, fmt.Errorf("check: %w", err)
	}
	if len(h.opt.Compiler.Args) > 0 {
		return h.loadCompiled(ctx, name, wasm, l)
	}
	m, err := h.load(ctx, name, wasm, l, loading{cache: h.cache})
	var admission *admissionError
	if err == nil || h.opt.CacheDir == "" || errors.As(err, &admission) || ctx.Err() != nil {
		return m, err
	}
	// A cache that is full, read-only or damaged must not keep a good plugin out.
	m, again := h.load(ctx, name, wasm, l, loading{})
	if again != nil {
		return nil, again
	}
	h.opt.Logger.Warn("compilation cache not usable", "dir", h.opt.CacheDir, "error", err)
	return m, nil
}

// loadCompiled loads what a child has compiled, now or before.
func (h *Host) loadCompiled(ctx context.Context, name string, wasm []byte, l Limits) (*Module, error) {
	if h.codes == nil {
		if _, err := h.opt.Compiler.withDefaults().run(ctx, wasm, l, ""); err != nil {
			return nil, err
		}
		return h.load(ctx, name, wasm, l, loading{cache: h.cache})
	}
	for again := false; ; again = true {
		note, unkept, err := h.codes.ready(ctx, wasm, l)
		if err != nil {
			return nil, err
		}
		if unkept != nil { // but a child compiled it without harm
			h.opt.Logger.Warn("compilation cache not usable", "dir", h.opt.CacheDir, "error", unkept)
			return h.load(ctx, name, wasm, l, loading{})
		}
		m, err := h.load(ctx, name, wasm, l, loading{h.cache, note.Meter})
		if again || !errors.Is(err, errStale) {
			return m, err
		}
		if err := h.codes.forget(wasm, l); err != nil {
			return nil, err
		}
	}
}
