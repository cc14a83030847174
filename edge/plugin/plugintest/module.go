package plugintest

import (
	"context"
	"io"
	"testing"
	"time"

	"github.com/wedge-lb/wedge/edge/balance"
	"github.com/wedge-lb/wedge/edge/plugin"
	"github.com/wedge-lb/wedge/edge/store"
	"github.com/wedge-lb/wedge/sdk/sdktest"
)

// name is the module's, by which the host keeps what it stores.
const name = "test"

// A Module is a guest that was checked and compiled. It is not safe for concurrent use.
type Module struct {
	module *plugin.Module
	store  *store.Store
	grants []string
}

// Load compiles a module for the length of a test; the test ends if the module is refused. grants are the
// raw attributes that it may read, for example "cookie:session".
func Load(t testing.TB, wasm []byte, grants ...string) *Module {
	t.Helper()
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	now := func() time.Time { return start }
	kept := store.New(store.Options{Now: now})
	h, err := plugin.New(plugin.Options{Seed: sameSeed{}, Now: now, Store: kept})
	if err != nil {
		t.Fatal(err)
	}
	closing(t, h.Close)
	m, err := h.Load(context.Background(), name, wasm, plugin.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	closing(t, m.Close)
	return &Module{m, kept, grants}
}

func closing(t testing.TB, end func(context.Context) error) {
	t.Cleanup(func() {
		if err := end(context.Background()); err != nil {
			t.Error(err)
		}
	})
}

// sameSeed gives every instance the same random numbers.
type sameSeed struct{}

func (sameSeed) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(i)
	}
	return len(p), nil
}

var _ io.Reader = sameSeed{}

// Subject is the module as one strategy of one instance, with an empty pool. It is an io.Closer, which
// sdktest closes, and hears of outcomes if the guest wants them. Counters, store, clock and random numbers
// begin anew; one subject of a module is used at a time.
func (m *Module) Subject(testing.TB) sdktest.Subject {
	m.store.Drop(name)
	return &subject{module: m, pool: balance.NewPool("test")}
}
