package edge_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedge-lb/wedge/edge"
	"github.com/wedge-lb/wedge/edge/admin"
	"github.com/wedge-lb/wedge/edge/config"
	"github.com/wedge-lb/wedge/edge/plugin"
)

// wasm is the module of a file in testdata.
func wasm(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile("../testdata/wasm/" + name + ".wasm")
	require.NoError(t, err)
	return data
}

// vendor is who signs plugins: route0 in dir, as p.wasm.
type vendor struct {
	dir    string
	module []byte
	key    ed25519.PrivateKey
}

func newVendor(t *testing.T) *vendor {
	t.Helper()
	public, key, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	dir, err := os.MkdirTemp("", "wedge-test-")
	require.NoError(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	v := &vendor{dir: dir, module: wasm(t, "route0"), key: key}
	der, err := x509.MarshalPKIXPublicKey(public)
	require.NoError(t, err)
	v.write(t, "p.pub", pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
	v.write(t, "raw.pub", []byte(base64.StdEncoding.EncodeToString(public)+"\n"))
	v.write(t, "p.wasm", v.module)
	v.write(t, "p.wasm.sig", ed25519.Sign(key, v.module))
	return v
}

func (v *vendor) path(name string) string { return filepath.Join(v.dir, name) }

func (v *vendor) write(t *testing.T, name string, data []byte) {
	t.Helper()
	require.NoError(t, os.WriteFile(v.path(name), data, 0o600))
}

// config is a configuration whose strategy s runs the plugin p; words are what is said of p.
func (v *vendor) config(backends, words string) string {
	words = strings.ReplaceAll(words, "DIR", v.dir)
	return fmt.Sprintf("plugins:\n  p: { source: %q%s }\n", v.path("p.wasm"), words) + pool(backends, "p", "{}")
}

const signedWords = `, verify: { public_key: "DIR/p.pub" }`

func (v *vendor) pin() string { return ", sha256: " + strings.ToUpper(plugin.Digest(v.module)) }

// check is what wedge check finds wrong with a configuration.
func check(t *testing.T, text string) error {
	t.Helper()
	dir := t.TempDir()
	c, err := config.Parse("wedge.yaml", []byte(strings.ReplaceAll(head+text, "STATE", dir)), config.Options{Dir: dir})
	require.NoError(t, err)
	return edge.Check(context.Background(), c)
}

func TestAPluginThatIsNotWhatIsDemandedIsRefused(t *testing.T) {
	_, backends := named(t, 1)
	digest := plugin.Digest(wasm(t, "route0"))
	for name, tt := range map[string]struct {
		words  string
		change func(v *vendor)
		want   string // in the error; "" = it is accepted
	}{
		"its digest":                {", sha256: " + digest, nil, ""},
		"another digest":            {", sha256: " + strings.Repeat("f", 64), nil, digest},
		"signed, key in PEM":        {signedWords, nil, ""},
		"signed, key in base64":     {`, verify: { public_key: "DIR/raw.pub" }`, nil, ""},
		"signed in base64":          {signedWords, func(v *vendor) { v.encode(t) }, ""},
		"signed elsewhere":          {`, verify: { public_key: "DIR/p.pub", signature: "DIR/s" }`, func(v *vendor) { v.move(t) }, ""},
		"pinned and signed":         {", sha256: " + digest + signedWords, nil, ""},
		"changed after the signing": {signedWords, func(v *vendor) { v.write(t, "p.wasm", append(v.module, 0, 1, 0)) }, "not of this module by this key"},
		"signed by another":         {signedWords, func(v *vendor) { v.write(t, "p.wasm.sig", make([]byte, 64)) }, "not of this module by this key"},
		"not signed":                {signedWords, func(v *vendor) { os.Remove(v.path("p.wasm.sig")) }, "p.wasm.sig: no such file"},
		"a signature that is none":  {signedWords, func(v *vendor) { v.write(t, "p.wasm.sig", []byte("yes")) }, "want 64 bytes, or their base64"},
		"a key that is none":        {signedWords, func(v *vendor) { v.write(t, "p.pub", []byte("key")) }, "public key: want PEM, or 32 bytes in base64"},
		"no key":                    {signedWords, func(v *vendor) { os.Remove(v.path("p.pub")) }, "p.pub: no such file"},
		"signed, another digest":    {", sha256: " + strings.Repeat("f", 64) + signedWords, nil, digest},
	} {
		t.Run(name, func(t *testing.T) {
			v := newVendor(t)
			if tt.change != nil {
				tt.change(v)
			}
			err := check(t, v.config(backends, tt.words))
			if tt.want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, tt.want)
			require.ErrorContains(t, err, "wedge.yaml:8:")
			require.ErrorContains(t, err, "plugins.p")
		})
	}
}

func (v *vendor) encode(t *testing.T) {
	v.write(t, "p.wasm.sig", []byte(base64.StdEncoding.EncodeToString(ed25519.Sign(v.key, v.module))+"\n"))
}

func (v *vendor) move(t *testing.T) { require.NoError(t, os.Rename(v.path("p.wasm.sig"), v.path("s"))) }

func TestAReloadRefusesAPluginThatWasExchanged(t *testing.T) {
	_, backends := named(t, 2)
	v := newVendor(t)
	r := start(t, v.config(backends, v.pin()))
	v.write(t, "p.wasm", wasm(t, "busiest"))
	r.rewrite("options: {}", "options: {x: 1}")
	require.ErrorContains(t, r.Reload(context.Background()), plugin.Digest(wasm(t, "busiest")))
	status, body := get(t, r.client("h1"), r.url("h1"))
	assert.Equal(t, "200 b0", fmt.Sprint(status, " ", body))
	require.ErrorContains(t, r.swap("p", "{}"), "sha256")
}

func TestASwapForASignedPluginMustBeSigned(t *testing.T) {
	_, backends := named(t, 2)
	v := newVendor(t)
	r := start(t, v.config(backends, signedWords))
	ctx := context.Background()
	other := wasm(t, "busiest")
	request := func(use string, signature []byte) edge.SwapRequest {
		return edge.SwapRequest{Use: use, Module: other, Signature: signature}
	}
	require.ErrorContains(t, r.Swap(ctx, "s", request("x.wasm", nil)), "signature: none is given")
	require.ErrorContains(t, r.Swap(ctx, "s", request("x.wasm", ed25519.Sign(v.key, v.module))), "not of this module")
	require.NoError(t, r.Swap(ctx, "s", request("x.wasm", ed25519.Sign(v.key, other))))

	client, err := admin.NewClient(r.AdminAddress(), "")
	require.NoError(t, err)
	defer client.Close()
	v.write(t, "q.wasm", other)
	_, err = client.Swap(ctx, "s", admin.Swap{Use: v.path("q.wasm")})
	require.ErrorContains(t, err, "signature: none is given")
	v.write(t, "q.wasm.sig", ed25519.Sign(v.key, other))
	got, err := client.Swap(ctx, "s", admin.Swap{Use: v.path("q.wasm")})
	require.NoError(t, err)
	assert.Equal(t, plugin.Digest(other), got.Digest)

	_, err = client.Swap(ctx, "s", admin.Swap{Use: "y", Module: v.module})
	require.ErrorContains(t, err, "signature: none is given")
	_, err = client.Swap(ctx, "s", admin.Swap{Use: "y", Module: v.module, Signature: ed25519.Sign(v.key, v.module)})
	require.NoError(t, err)
	require.NoError(t, r.swap("builtin/stateless", "{}"), "what came with the edge needs no signature")
}

func TestAnUploadUnderAPluginsNameMustBeThatPlugin(t *testing.T) {
	_, backends := named(t, 2)
	v := newVendor(t)
	text := replaceOnce(t, v.config(backends, v.pin()), `use: "p"`, "use: builtin/stateless")
	r := start(t, text)
	other := edge.SwapRequest{Use: "p", Module: wasm(t, "busiest")}
	require.ErrorContains(t, r.Swap(context.Background(), "s", other), "sha256")
	require.NoError(t, r.Swap(context.Background(), "s", edge.SwapRequest{Use: "p", Module: v.module}))
}

// A pinned plugin is served from the state directory when its source cannot be read, and never anything else.
func TestAStartDoesWithoutTheSourceOfAPinnedPlugin(t *testing.T) {
	_, backends := named(t, 2)
	v := newVendor(t)
	dir := t.TempDir()
	run := func(words string) (*edge.Server, error) {
		text := strings.ReplaceAll(head+v.config(backends, words), "STATE", dir)
		c, err := config.Parse("wedge.yaml", []byte(text), config.Options{Dir: dir})
		require.NoError(t, err)
		require.NoError(t, os.MkdirAll(dir, 0o700))
		return edge.New(c, edge.Options{PluginCache: cache})
	}
	s, err := run(v.pin() + signedWords)
	require.NoError(t, err)
	require.NoError(t, s.Close())
	kept := filepath.Join(dir, "plugins", plugin.Digest(v.module)+".wasm")
	info, err := os.Stat(kept)
	require.NoError(t, err)
	assert.EqualValues(t, 0o600, info.Mode().Perm())
	require.NoError(t, os.Remove(v.path("p.wasm")))
	require.NoError(t, os.Remove(v.path("p.wasm.sig")))

	s, err = run(v.pin() + signedWords)
	require.NoError(t, err, "the signature was kept too")
	require.NoError(t, s.Close())
	_, err = run(signedWords)
	require.ErrorContains(t, err, "no such file", "without a pin nobody knows which module is meant")
	_, err = run(", sha256: " + strings.Repeat("f", 64))
	require.ErrorContains(t, err, "the plugin store does not have it")
	require.NoError(t, os.WriteFile(kept, wasm(t, "busiest"), 0o600))
	_, err = run(v.pin())
	require.ErrorContains(t, err, "the plugin store does not have it", "what was changed there is not served")
}

// A relief decides what the strategy faults at, and all while it is in quarantine; the log and the metrics say so.
func TestOnFaultNamesWhoDecidesMeanwhile(t *testing.T) {
	_, backends := named(t, 3)
	text := pool(backends, "faults", "{}")
	text = replaceOnce(t, text, `options: {} }`, "options: {}, on_fault: between }\n"+
		"  between: { use: faults, on_fault: last }\n  last: { use: busiest }")
	file, err := filepath.Abs("../testdata/wasm")
	require.NoError(t, err)
	text = fmt.Sprintf("plugins:\n  faults: { source: %q }\n  busiest: { source: %q }\n",
		filepath.Join(file, "faults.wasm"), filepath.Join(file, "route0.wasm")) + text
	r := start(t, text)
	for n := range 100 {
		p := protocols[n%len(protocols)]
		req, err := http.NewRequest("GET", r.url(p), nil)
		require.NoError(t, err)
		req.Header.Set("X-Mode", string("af"[n/4%2])) // traps, and picks that cannot be taken
		resp, err := r.client(p).Do(req)
		require.NoError(t, err)
		resp.Body.Close()
		require.Equal(t, 200, resp.StatusCode)
	}
	count := func(text string) func() bool {
		return func() bool { return strings.Count(r.log.String(), text) == 100 }
	}
	require.Eventually(t, count(`"strategy":"last"`), 5*time.Second, 5*time.Millisecond, "who decided")
	require.Eventually(t, count(`"reason":"on_fault"`), 5*time.Second, 5*time.Millisecond)
	client, err := admin.NewClient(r.AdminAddress(), "")
	require.NoError(t, err)
	defer client.Close()
	metrics, err := client.Metrics(context.Background())
	require.NoError(t, err)
	assert.Contains(t, string(metrics), `wedge_strategy_decisions_total{outcome="fallback",strategy="s"} 100`)
	assert.Contains(t, string(metrics), `wedge_strategy_decisions_total{outcome="new",strategy="last"} 100`)
}
