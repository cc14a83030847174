package plugin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"runtime"
	"slices"

	"github.com/tetratelabs/wazero"

	"github.com/wedge-lb/wedge/edge/balance"
	"github.com/wedge-lb/wedge/sdk/abi"
)

// Bind makes instances of the module for one pool, configures them and gives them the table. Errors name
// the step: instantiate, configure or backends.
func (m *Module) Bind(ctx context.Context, b Binding) (*Guests, error) {
	g := &Guests{module: m, binding: b.withDefaults()}
	g.free.init(g.binding.Instances)
	g.set.Store(b.Set)
	for slot := range g.binding.Instances {
		g.missing = append(g.missing, slot)
	}
	if err := g.fillLocked(ctx); err != nil {
		return nil, errors.Join(err, g.Close(hostContext()))
	}
	return g, nil
}

// fillLocked makes an instance for each slot without one.
func (g *Guests) fillLocked(ctx context.Context) error {
	for len(g.missing) > 0 {
		i, err := g.start(ctx, g.set.Load())
		if err != nil {
			return err
		}
		last := len(g.missing) - 1
		slot := g.missing[last]
		g.missing = g.missing[:last]
		g.free.add(i, slot)
	}
	return nil
}

// start makes an instance that is ready to serve with the table s.
func (g *Guests) start(ctx context.Context, s *balance.Set) (*instance, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("%s: %w", stepInstantiate, err)
	}
	i, err := g.instantiate()
	if err != nil {
		return nil, err
	}
	if err := i.setUp(s); err != nil {
		i.close()
		return nil, err
	}
	return i, nil
}

func (i *instance) setUp(s *balance.Set) error {
	if err := i.configure(i.guests.binding.Options); err != nil {
		return err
	}
	if err := i.guests.agree(i.attrs); err != nil {
		return err
	}
	if fault := i.update(s, appendTable(nil, s)); fault != nil {
		return fault
	}
	return nil
}

// agree holds every instance to the attributes of the first: the operator was told that list.
func (g *Guests) agree(attrs []Attribute) error {
	if g.attrs == nil {
		g.attrs = append([]Attribute{}, attrs...)
	}
	if !slices.Equal(g.attrs, attrs) {
		return &Fault{Kind: BadAnswer, Step: stepConfigure, Text: "instances declare different attributes"}
	}
	return nil
}

func (g *Guests) instantiate() (*instance, error) {
	var seed [32]byte
	if _, err := io.ReadFull(g.module.host.opt.Seed, seed[:]); err != nil {
		return nil, fmt.Errorf("%s: seed: %w", stepInstantiate, err)
	}
	log := g.module.log
	i := &instance{
		guests: g, step: stepInstantiate, random: rand.NewChaCha8(seed),
		stdout: &lineWriter{log: log, level: slog.LevelInfo, source: "stdout"},
		stderr: &lineWriter{log: log, level: slog.LevelWarn, source: "stderr"},
		shared: shared{g.binding.Counters, g.module.host.opt.Store.Namespace(g.module.name), g.binding.Usage},
	}
	i.stdout.fuel, i.stderr.fuel = &i.fuel, &i.fuel
	i.ctx = &callContext{hostContext(), i}
	var err error
	i.module, err = g.module.runtime.InstantiateModule(i.ctx, g.module.code, moduleConfig(i))
	if err != nil {
		return nil, i.failed(stepInstantiate, err)
	}
	g.module.host.alive.Add(1)
	i.memory = i.module.Memory()
	i.fuel.open(i.module)
	if fault := i.initialize(); fault != nil {
		i.close()
		return nil, fault
	}
	return i, nil
}

// moduleConfig offers a guest no files, arguments or environment; its clocks are real, since a Go guest
// crashes on wazero's fake ones, and its sleep only yields.
func moduleConfig(i *instance) wazero.ModuleConfig {
	return wazero.NewModuleConfig().WithName("").WithStartFunctions().
		WithStdout(i.stdout).WithStderr(i.stderr).WithRandSource(i.random).
		WithSysWalltime().WithSysNanotime().WithNanosleep(func(int64) { runtime.Gosched() })
}

// initialize looks up the exports, whose types are known to be right, and runs the guest's own set-up.
func (i *instance) initialize() *Fault {
	i.exports.frame = i.module.ExportedFunction(abi.ExportFrame)
	i.exports.configure = i.module.ExportedFunction(abi.ExportConfigure)
	i.exports.backends = i.module.ExportedFunction(abi.ExportBackends)
	i.exports.pick = i.serving(abi.ExportPick)
	i.exports.observe = i.serving(abi.ExportObserve)
	f := i.module.ExportedFunction(abi.ExportInitialize)
	if f == nil {
		return nil
	}
	_, fault := i.call(stepInstantiate, f, 0)
	return fault
}
