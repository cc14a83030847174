package admin_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedge-lb/wedge/edge/admin"
)

func TestTheClientReadsWhatTheEdgeTells(t *testing.T) {
	metrics := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "wedge_up 1\n") })
	r := serve(t, &fake{state: "draining"}, admin.Options{Metrics: metrics})
	ctx := t.Context()

	status, err := r.Status(ctx)
	require.NoError(t, err)
	assert.Equal(t, "1.0", status.Version)
	assert.Equal(t, 7, status.PID)
	require.NoError(t, r.Ready(ctx))

	config, err := r.Config(ctx)
	require.NoError(t, err)
	assert.Equal(t, "version: 1\n", string(config))

	strategies, err := r.Strategies(ctx)
	require.NoError(t, err)
	assert.Len(t, strategies, 1)
	strategy, err := r.Strategy(ctx, "spread")
	require.NoError(t, err)
	assert.Equal(t, strategies[0], strategy)
	_, err = r.Strategy(ctx, "spraed")
	p := problem(t, err, 404)
	assert.Equal(t, `no strategy "spraed"`, p.Detail)
	assert.Equal(t, "there are: spread", p.Help)

	pools, err := r.Pools(ctx)
	require.NoError(t, err)
	pool, err := r.Pool(ctx, "shop")
	require.NoError(t, err)
	assert.Equal(t, pools[0], pool)
	_, err = r.Pool(ctx, "api")
	assert.Equal(t, "there are: shop", problem(t, err, 404).Help)
	backend, err := r.Backend(ctx, "shop", "[2001:db8::1]:80")
	require.NoError(t, err)
	assert.Equal(t, "draining", backend.State)
	_, err = r.Backend(ctx, "shop", "x")
	assert.Contains(t, problem(t, err, 404).Help, "GET /v1/pools/shop")

	certificates, err := r.Certificates(ctx)
	require.NoError(t, err)
	assert.Equal(t, []admin.Certificate{}, certificates)
	_, err = r.Authority(ctx)
	assert.Equal(t, "no site has tls: internal", problem(t, err, 404).Help)
	text, err := r.Metrics(ctx)
	require.NoError(t, err)
	assert.Equal(t, "wedge_up 1\n", string(text))
}

func TestReadinessSaysWhyNot(t *testing.T) {
	r := serve(t, &fake{ready: errors.New("plugins are being compiled")}, admin.Options{})
	p := problem(t, r.Ready(t.Context()), 503)
	assert.Equal(t, "not ready: plugins are being compiled", p.Detail)
}

func TestAReloadThatIsRefusedTellsEveryPlace(t *testing.T) {
	f := &fake{reload: admin.Refused("the configuration has 2 faults", "nothing changed; mend them and reload",
		admin.Fault{Place: "wedge.yaml:14:5", Message: "unknown key"}, admin.Fault{Message: "no sites"})}
	r := serve(t, f, admin.Options{})
	_, err := r.Reload(t.Context())
	p := problem(t, err, 422)
	assert.Equal(t, "the configuration has 2 faults\n  wedge.yaml:14:5: unknown key\n  no sites\n"+
		"nothing changed; mend them and reload", p.Error())
	f.reload = errors.New("disk on fire")
	_, err = r.Reload(t.Context())
	assert.Equal(t, "disk on fire", problem(t, err, 500).Detail)
	f.reload = &admin.Problem{Title: "Internal Server Error", Status: 200, Detail: "odd"}
	_, err = r.Reload(t.Context())
	problem(t, err, 500)
	f.reload = nil
	_, err = r.Reload(t.Context())
	require.NoError(t, err)
}

func TestASwapCarriesItsModule(t *testing.T) {
	f := &fake{}
	r := serve(t, f, admin.Options{})
	want := admin.Swap{Use: "./mine.wasm", Options: json.RawMessage(`{"a":1}`), Module: []byte("\x00asm\x01")}
	got, err := r.Swap(t.Context(), "spread", want)
	require.NoError(t, err)
	assert.EqualValues(t, 2, got.Generation)
	assert.Equal(t, []admin.Swap{want}, f.swapped)
	_, err = r.Swap(t.Context(), "nobody", want)
	problem(t, err, 404)
	_, err = r.Swap(t.Context(), "spread", admin.Swap{})
	assert.Equal(t, "use is missing", problem(t, err, 400).Detail)
	f.swap = admin.Refused("check: export wedge_pick is missing", "")
	_, err = r.Swap(t.Context(), "spread", want)
	assert.Contains(t, problem(t, err, 422).Detail, "wedge_pick")
}

func TestAModuleOf16MiBFitsAndMoreDoesNot(t *testing.T) {
	f := &fake{}
	r := serve(t, f, admin.Options{})
	_, err := r.Swap(t.Context(), "spread", admin.Swap{Use: "x", Module: make([]byte, 16<<20)})
	require.NoError(t, err)
	assert.Len(t, f.swapped[0].Module, 16<<20)
	_, err = r.Swap(t.Context(), "spread", admin.Swap{Use: "x", Module: make([]byte, 18<<20)})
	require.Error(t, err)
	assert.Len(t, f.swapped, 1)
}

func TestOneSwapAtATime(t *testing.T) {
	started, release := make(chan struct{}), make(chan struct{})
	f := &fake{swaps: func() { close(started); <-release }}
	r := serve(t, f, admin.Options{})
	var wg sync.WaitGroup
	wg.Go(func() {
		_, err := r.Swap(t.Context(), "spread", admin.Swap{Use: "builtin/stateless"})
		assert.NoError(t, err)
	})
	<-started
	_, err := r.Swap(t.Context(), "spread", admin.Swap{Use: "builtin/stateless"})
	assert.Equal(t, "another swap is in progress", problem(t, err, 409).Detail)
	close(release)
	wg.Wait()
}

func TestAStateIsSetAndTold(t *testing.T) {
	f := &fake{state: "ready"}
	r := serve(t, f, admin.Options{})
	for _, state := range []string{admin.StateDrain, admin.StateReady, admin.StateConfigured} {
		b, err := r.SetState(t.Context(), "shop", "[2001:db8::1]:80", state)
		require.NoError(t, err)
		assert.Equal(t, state, b.State)
	}
	_, err := r.SetState(t.Context(), "shop", "[2001:db8::1]:80", "broken")
	assert.Contains(t, problem(t, err, 400).Error(), `state: "broken" is none: want ready, drain, maintenance`)
	_, err = r.SetState(t.Context(), "shop", "nobody", admin.StateDrain)
	problem(t, err, 404)
	_, err = r.SetState(t.Context(), "shop", "[2001:db8::1]:80", admin.StateMaintenance)
	assert.Equal(t, "see the log of the edge", problem(t, err, 500).Help)
}

func TestEveryWriteLeavesALineAndNoReadDoes(t *testing.T) {
	f := &fake{reload: errors.New("no\nway"), state: "ready"}
	r := serve(t, f, admin.Options{})
	_, _ = r.Status(t.Context())
	_, err := r.Reload(t.Context())
	problem(t, err, 500)
	_, err = r.SetState(t.Context(), "shop", "10.0.1.11:8080", admin.StateDrain)
	require.NoError(t, err)
	_, err = r.SetState(t.Context(), "shop\x7f\n", "x", admin.StateDrain)
	problem(t, err, 404)
	lines := strings.Split(strings.TrimSpace(r.log.String()), "\n")
	require.Len(t, lines, 2, "what is refused at the door writes nothing")
	var got []map[string]string
	for _, l := range lines {
		var m map[string]string
		require.NoError(t, json.Unmarshal([]byte(l), &m))
		delete(m, "time")
		got = append(got, m)
	}
	assert.Equal(t, []map[string]string{
		{"level": "INFO", "msg": "admin write", "method": "POST", "path": "/v1/config/reload",
			"from": "unix socket", "result": "no\nway\nsee the log of the edge"},
		{"level": "INFO", "msg": "admin write", "method": "PATCH", "path": "/v1/pools/shop/backends/10.0.1.11:8080",
			"from": "unix socket", "result": "done"},
	}, got)
}

func TestAnEmptyListIsNotNull(t *testing.T) {
	h := handler(t, &fake{bare: true}, admin.Options{})
	for path, want := range map[string]string{
		"/v1/pools":             `"backends": []`,
		"/v1/pools/shop":        `"backends": []`,
		"/v1/strategies":        `"pools": []`,
		"/v1/strategies/spread": `"pools": []`,
		"/v1/status":            `"listeners": []`,
	} {
		w := ask(h, "GET", path, "")
		assert.Equal(t, 200, w.Code, path)
		assert.Contains(t, w.Body.String(), want, path)
		assert.NotContains(t, w.Body.String(), "null", path)
	}
}

func TestAClientOfNobodySaysSo(t *testing.T) {
	c, err := admin.NewClient("unix:///nowhere/at/all.sock", "")
	require.NoError(t, err)
	_, err = c.Status(t.Context())
	assert.ErrorContains(t, err, "admin /nowhere/at/all.sock: ")
	_, err = admin.NewClient("nonsense", "")
	assert.ErrorContains(t, err, "want unix:///PATH or HOST:PORT")
}
