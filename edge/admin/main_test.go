package admin_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/wedge-lb/wedge/edge/admin"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fake is an edge of one strategy and one pool.
type fake struct {
	mu      sync.Mutex
	ready   error
	reload  error
	swapped []admin.Swap
	swap    error
	swaps   func() // called within a swap
	state   string
	bare    bool // the pool has no backends
	changes []admin.Change
	kept    []admin.Override
}

func (f *fake) Status() admin.Status {
	return admin.Status{Version: "1.0", PID: 7, Started: time.Unix(1, 0).UTC(), Ready: f.ready == nil}
}
func (f *fake) Ready() error                 { return f.ready }
func (f *fake) Config() ([]byte, error)      { return []byte("version: 1\n"), nil }
func (f *fake) Reload(context.Context) error { return f.reload }
func (f *fake) Strategies() []admin.Strategy {
	return []admin.Strategy{{Name: "spread", Use: "builtin/stateless", State: "serving"}}
}

func (f *fake) Swap(_ context.Context, name string, s admin.Swap) (admin.Strategy, error) {
	if f.swaps != nil {
		f.swaps()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.swapped = append(f.swapped, s)
	return admin.Strategy{Name: name, Use: s.Use, Options: s.Options, Generation: 2}, f.swap
}

func (f *fake) Pools() []admin.Pool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.bare {
		return []admin.Pool{{Name: "shop"}}
	}
	return []admin.Pool{{Name: "shop", Strategy: "spread", Backends: []admin.Backend{
		{ID: "10.0.1.11:8080", State: "ready"}, {ID: "[2001:db8::1]:80", State: f.state},
	}}}
}

func (f *fake) Override(_, _ string, c admin.Change) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if c.State == admin.StateMaintenance {
		return errors.New("a fault of the edge")
	}
	f.state, f.changes = c.State, append(f.changes, c)
	return nil
}

func (f *fake) Overrides() []admin.Override {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.kept
}

func (f *fake) Certificates() []admin.Certificate { return nil }
func (f *fake) Authority() ([]byte, error) {
	return nil, admin.NotFound("local CA", "root", "no site has tls: internal")
}

// running is a served API.
type running struct {
	*admin.Server
	*admin.Client
	log *lockedBuffer
	end func()
}

// serve serves f until the test or end ends.
func serve(t *testing.T, f *fake, o admin.Options) *running {
	t.Helper()
	r := &running{log: &lockedBuffer{}}
	o.Logger = slog.New(slog.NewJSONHandler(r.log, nil))
	if o.Listen == "" {
		o.Listen = "unix://" + filepath.Join(t.TempDir(), "run", "admin.sock")
	}
	var err error
	r.Server, err = admin.New(f, o)
	require.NoError(t, err)
	require.NoError(t, r.Listen())
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { assert.NoError(t, r.Serve(ctx)) })
	r.Client, err = admin.NewClient(r.Address(), o.Token)
	require.NoError(t, err)
	r.end = sync.OnceFunc(func() {
		r.Client.Close()
		cancel()
		wg.Wait()
	})
	t.Cleanup(r.end)
	return r
}

// lockedBuffer is what a server logs to while a test reads.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func problem(t *testing.T, err error, status int) *admin.Problem {
	t.Helper()
	var p *admin.Problem
	require.ErrorAs(t, err, &p)
	require.Equal(t, status, p.Status, p.Error())
	require.Equal(t, http.StatusText(status), p.Title)
	return p
}
