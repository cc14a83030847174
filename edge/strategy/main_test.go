package strategy_test

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/wedge-lb/wedge/edge/balance"
	"github.com/wedge-lb/wedge/edge/plugin"
	"github.com/wedge-lb/wedge/edge/strategy"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// wat is a spec of the module of a file in testdata.
func wat(t testing.TB, name string) strategy.Spec {
	module, err := os.ReadFile("../../testdata/wasm/" + name + ".wasm")
	require.NoError(t, err)
	return strategy.Spec{Use: name, Wasm: module, Instances: 2}
}

func newStrategy(t testing.TB, d strategy.Deps) *strategy.Strategy {
	host, err := plugin.New(plugin.Options{})
	require.NoError(t, err)
	d.Host = host
	s := strategy.New("spread", d)
	t.Cleanup(func() {
		require.NoError(t, s.Close(context.Background()))
		require.NoError(t, host.Close(context.Background()))
	})
	return s
}

// serve prepares and commits.
func serve(t testing.TB, s *strategy.Strategy, spec strategy.Spec, pools ...*balance.Pool) {
	c, err := s.Prepare(context.Background(), spec, targets(pools...))
	require.NoError(t, err)
	s.Commit(c)
}

// run runs s until the function that it gives is called, or the test ends.
func run(t testing.TB, s *strategy.Strategy) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { assert.NoError(t, s.Run(ctx)) })
	var once sync.Once
	stop = func() { once.Do(func() { cancel(); wg.Wait() }) }
	t.Cleanup(stop)
	return stop
}

func targets(pools ...*balance.Pool) []strategy.Target {
	var list []strategy.Target
	for _, p := range pools {
		list = append(list, strategy.Target{Pool: p, Set: p.Set()})
	}
	return list
}

func newPool(name string, n int) *balance.Pool {
	p := balance.NewPool(name)
	p.Update(specs(n))
	return p
}

func specs(n int) []balance.Spec {
	list := make([]balance.Spec, n)
	for i := range list {
		list[i] = balance.Spec{ID: fmt.Sprintf("b%d", i), Address: "127.0.0.1:1", Scheme: "http", Weight: 1}
	}
	return list
}

type headers map[string]string

func (h headers) Get(name string) ([]byte, bool) {
	v, ok := h[name]
	return []byte(v), ok
}

// fails is a request at which the module faults traps.
func fails() *balance.Request { return &balance.Request{Header: headers{"x-mode": "a"}} }

// pick asks the pool's handle.
func pick(s *strategy.Strategy, pool *balance.Pool, r *balance.Request) (balance.Decision, error) {
	var d balance.Decision
	err := s.Picker(pool).Pick(r, pool.Set(), &d)
	return d, err
}

func eventually(t testing.TB, condition func() bool) {
	require.Eventually(t, condition, 10*time.Second, 2*time.Millisecond)
}

// heap is the live memory, in bytes.
func heap() uint64 {
	runtime.GC()
	runtime.GC() // what finalisers let go
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
