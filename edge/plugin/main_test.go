package plugin_test

import (
	"context"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/wedge-lb/wedge/edge/balance"
	"github.com/wedge-lb/wedge/edge/plugin"
	"github.com/wedge-lb/wedge/plugins"
)

// TestMain is the compiling child too, as the command is.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == compilePlugin {
		if err := plugin.Compile(os.Args[2:], os.Stdin, os.Stdout); err != nil {
			panic(err)
		}
		return
	}
	if len(os.Args) > 1 && os.Args[1] == describeSelf {
		panic(plugin.Compile(os.Args[2:], describe{}, io.Discard))
	}
	goleak.VerifyTestMain(m)
}

const compilePlugin = "compile-plugin"

// builtin is the module of a built-in strategy, compiled here if the tree was not built.
func builtin(t testing.TB, name string) []byte {
	module, err := plugins.Builtin(name)
	if err == nil {
		return module
	}
	require.ErrorIs(t, err, plugins.ErrNotBuilt)
	return compileGo(t, "github.com/wedge-lb/wedge/plugins/"+name)
}

var compiled struct {
	sync.Mutex
	modules map[string][]byte
}

// compileGo builds a Go package as a guest, once.
func compileGo(t testing.TB, pkg string) []byte {
	compiled.Lock()
	defer compiled.Unlock()
	if module := compiled.modules[pkg]; module != nil {
		return module
	}
	out := filepath.Join(t.TempDir(), "guest.wasm")
	cmd := exec.Command("go", "build", "-buildmode=c-shared", "-trimpath", "-ldflags=-s -w", "-o", out, pkg)
	cmd.Dir = "../.."
	cmd.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm")
	text, err := cmd.CombinedOutput()
	require.NoError(t, err, string(text))
	module, err := os.ReadFile(out)
	require.NoError(t, err)
	if compiled.modules == nil {
		compiled.modules = map[string][]byte{}
	}
	compiled.modules[pkg] = module
	return module
}

// wat is the module of a file in testdata.
func wat(t testing.TB, name string) []byte {
	module, err := os.ReadFile("../../testdata/wasm/" + name + ".wasm")
	require.NoError(t, err)
	return module
}

func newHost(t testing.TB, o plugin.Options) *plugin.Host {
	h, err := plugin.New(o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, h.Close(context.Background())) })
	return h
}

func load(t testing.TB, h *plugin.Host, wasm []byte) *plugin.Module {
	m, err := h.Load(context.Background(), "test", wasm, plugin.Limits{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, m.Close(context.Background())) })
	return m
}

// bind makes guests that are closed with the test; call it after load.
func bind(t testing.TB, m *plugin.Module, b plugin.Binding) *plugin.Guests {
	g, err := m.Bind(context.Background(), b)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, g.Close(context.Background())) })
	return g
}

// newPool has n backends b0, b1, … of weight 1 in the zones a and b.
func newPool(n int) *balance.Pool {
	p := balance.NewPool("shop")
	p.Update(specs(n))
	return p
}

func specs(n int) []balance.Spec {
	list := make([]balance.Spec, n)
	for i := range list {
		list[i] = balance.Spec{
			ID: fmt.Sprintf("b%d", i), Address: fmt.Sprintf("10.0.0.%d:80", i), Scheme: "http", Weight: 1,
			Zone: string(rune('a' + i%2)), Labels: map[string]string{"track": "main", "n": fmt.Sprint(i)},
		}
	}
	return list
}

type headers map[string]string

func (h headers) Get(name string) ([]byte, bool) {
	v, ok := h[name]
	return []byte(v), ok
}

func request() *balance.Request {
	return &balance.Request{
		ClientIP: netip.MustParseAddr("192.0.2.7"), Method: []byte("GET"), Scheme: []byte("https"),
		Authority: []byte("shop.example.com"), Path: []byte("/cart"), Query: []byte("a=1&sid=42"), HasQuery: true,
		Header: headers{
			"cookie": "theme=dark; sid=s3cr3t; sid=other", "x-tenant-id": "acme", "authorization": "Bearer x",
		},
		Protocol: "h2", SNI: "shop.example.com", Country: "NZ", Route: "main",
	}
}
