package plugintest_test

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/wedge-lb/wedge/edge/plugin/plugintest"
	"github.com/wedge-lb/wedge/plugins"
	"github.com/wedge-lb/wedge/sdk/sdktest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// client differs from others by address and session.
func client(n int) sdktest.Request {
	return sdktest.Request{
		ClientIP: netip.AddrFrom4([4]byte{198, 18, byte(n >> 8), byte(n)}), Method: "GET", Path: "/",
		Cookies: map[string]string{"sid": fmt.Sprint("s-", n)},
	}
}

// The modules that the edge is built with do what every strategy has to, and what their READMEs promise. Their
// own tests hold every algorithm to that natively.
func TestBuiltinModulesConform(t *testing.T) {
	placed := func(options string) sdktest.Traits {
		return sdktest.Traits{Options: options, Client: client, Spread: 0.25, Sticky: true, Moves: 0.05}
	}
	spread := func(options string) sdktest.Traits {
		return sdktest.Traits{Options: options, Client: client, Spread: 0.05}
	}
	for name, list := range map[string]map[string]sdktest.Traits{
		"stateless": {
			"round_robin": spread(`{"algorithm":"round_robin"}`), "p2c": {Options: `{"algorithm":"p2c"}`},
		},
		"ip-affinity":   {"default": placed(`{}`)},
		"cookie-sticky": {"token": {Client: client, Pins: sdktest.PinsHonoured}},
		"consistent-hash": {
			"maglev":  placed(`{"key":["client_ip"],"algorithm":"maglev"}`),
			"bounded": {Options: `{"key":["client_ip"],"algorithm":"ring","bounded_load":1.25}`, Client: client},
		},
	} {
		t.Run(name, func(t *testing.T) {
			m := plugintest.Load(t, builtin(t, name))
			for kind, traits := range list {
				t.Run(kind, func(t *testing.T) { sdktest.Conform(t, m.Subject, traits) })
			}
		})
	}
}

// builtin is the module of a built-in strategy, compiled here if the tree was not built.
func builtin(t *testing.T, name string) []byte {
	t.Helper()
	module, err := plugins.Builtin(name)
	if err == nil {
		return module
	}
	require.ErrorIs(t, err, plugins.ErrNotBuilt)
	out := filepath.Join(t.TempDir(), "guest.wasm")
	cmd := exec.Command("go", "build", "-buildmode=c-shared", "-trimpath", "-ldflags=-s -w", "-o", out,
		"github.com/wedge-lb/wedge/plugins/"+name)
	cmd.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm")
	text, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", text)
	module, err = os.ReadFile(out)
	require.NoError(t, err)
	return module
}
