//go:build soak

package edge_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedge-lb/wedge/edge/admin"
)

// town is a pool of backends that come and go, and the clients who live on them.
type town struct {
	t        *testing.T
	p        *process
	backends map[string]*httptest.Server
	members  []string
	secrets  string
	ports    [2]string

	gone    sync.Map     // backends that left or died
	down    atomic.Bool  // the edge is being stopped and started
	downs   atomic.Int64 // how often it was
	people  []*resident
	clients map[string]*http.Client

	requests, failed, moved, excused, refused atomic.Int64
}

// resident is one client.
type resident struct {
	client   *http.Client
	protocol string
	home     string
	moves    int
	resumed  int64 // the restart after which it last had to connect anew
}

func newTown(t *testing.T, strategy string) *town {
	t.Helper()
	w := &town{t: t, backends: map[string]*httptest.Server{}}
	for i := range 6 {
		id := fmt.Sprintf("b%d", i)
		w.backends[id] = backend(t, func(rw http.ResponseWriter, r *http.Request) { io.WriteString(rw, id) })
	}
	w.members = []string{"b0", "b1", "b2", "b3", "b4"}
	dir := t.TempDir()
	for _, name := range []string{"old", "new"} {
		text := strings.Repeat(name, 16)
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	w.secrets = fmt.Sprintf("[\"${file:%s/old}\"]", dir)
	w.ports = [2]string{freePort(t), freePort(t)}
	w.p = startProcess(t, w.text(strategy))
	return w
}

// freePort is one that is free for TCP and UDP.
func freePort(t *testing.T) string {
	t.Helper()
	for range 50 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		address := l.Addr().String()
		u, err := net.ListenPacket("udp", address)
		l.Close()
		if err == nil {
			u.Close()
			_, port, _ := net.SplitHostPort(address)
			return port
		}
	}
	require.FailNow(t, "no port is free")
	return ""
}

func (w *town) text(strategy string) string {
	var list strings.Builder
	for _, id := range w.members {
		fmt.Fprintf(&list, "      - { id: %s, url: %q }\n", id, w.backends[id].URL)
	}
	text := pool(list.String(), "builtin/"+strategy, "{}")
	return replaceOnce(w.t, text, "    strategy: s\n", "    strategy: s\n    affinity: { secrets: "+w.secrets+" }\n"+
		"    retry: { on: [connect_error, reset] }\n    health: { active: { interval: 500ms } }\n")
}

func (w *town) reload(strategy string) {
	w.t.Helper()
	w.write(strategy)
	_, err := w.p.admin.Reload(context.Background())
	require.NoError(w.t, err)
}

func (w *town) write(strategy string) {
	w.t.Helper()
	w.p.write(w.text(strategy))
	text, err := os.ReadFile(w.p.file())
	require.NoError(w.t, err)
	fixed := strings.Replace(string(text), `http: "127.0.0.1:0", https: "127.0.0.1:0"`,
		fmt.Sprintf(`http: "127.0.0.1:%s", https: "127.0.0.1:%s"`, w.ports[0], w.ports[1]), 1)
	require.NoError(w.t, os.WriteFile(w.p.file(), []byte(fixed), 0o600))
}

// settle gives n clients their homes.
func (w *town) settle(n int) {
	w.t.Helper()
	w.clients = map[string]*http.Client{}
	for _, p := range protocols {
		w.clients[p] = w.p.client(p)
		w.clients[p].Timeout = 10 * time.Second
	}
	for i := range n {
		p := protocols[i%len(protocols)]
		w.people = append(w.people, &resident{client: visitor(w.t, w.clients[p]), protocol: p})
	}
}

// live sends requests of all clients, one after the other by each of several workers, until ctx ends.
func (w *town) live(ctx context.Context, workers int, each time.Duration) {
	var wg sync.WaitGroup
	for k := range workers {
		wg.Go(func() {
			tick := time.NewTicker(each)
			defer tick.Stop()
			for i := k; ; i += workers {
				if i >= len(w.people) {
					i = k
				}
				select {
				case <-ctx.Done():
					return
				case <-tick.C:
					w.visit(w.people[i])
				}
			}
		})
	}
	wg.Wait()
}

// visit is one request of a client: it must be answered, and by its home as long as that lives.
func (w *town) visit(r *resident) {
	downs, down := w.downs.Load(), w.down.Load()
	_, homeless := w.gone.Load(r.home)
	w.requests.Add(1)
	a, err := r.client.Get(w.p.url(r.protocol) + "/")
	if err != nil {
		_, left := w.gone.Load(r.home)
		switch {
		case down || w.down.Load() || downs != w.downs.Load():
			w.refused.Add(1) // nobody can be served by an edge that is not there
		case r.protocol == "h3" && r.resumed < downs:
			r.resumed = downs // its connection was to the edge before
			w.refused.Add(1)
		case homeless || left:
			w.excused.Add(1)
		default:
			w.failed.Add(1)
			w.t.Logf("%s client of %s: %v", r.protocol, r.home, err)
		}
		return
	}
	body, err := io.ReadAll(a.Body)
	a.Body.Close()
	if id := string(body); err != nil || a.StatusCode != 200 {
		w.failed.Add(1)
		w.t.Logf("%s client of %s: status %d %v", r.protocol, r.home, a.StatusCode, err)
	} else if id != r.home {
		w.move(r, id)
	}
}

func (w *town) move(r *resident, to string) {
	if r.home != "" {
		r.moves++
		if _, left := w.gone.Load(r.home); !left || r.moves > 2 {
			w.moved.Add(1)
			w.t.Logf("%s client moved from %s to %s, its move %d", r.protocol, r.home, to, r.moves)
		}
	}
	r.home = to
}

// restart stops the edge by a signal and starts it again.
func (w *town) restart(signal syscall.Signal) {
	w.t.Helper()
	w.down.Store(true)
	require.NoError(w.t, w.p.cmd.Process.Signal(signal))
	err := w.p.cmd.Wait()
	if signal == syscall.SIGTERM {
		require.NoError(w.t, err)
	}
	w.p.launch()
	for _, c := range w.clients {
		c.CloseIdleConnections()
	}
	w.downs.Add(1)
	w.down.Store(false)
}

// Sessions survive all that happens to an edge and its backends within a minute: only who lived on a backend that
// left or died moves, and once.
func TestSessionsSurviveAMinuteOfEverything(t *testing.T) {
	w := newTown(t, "cookie-sticky")
	w.write("cookie-sticky") // with the ports to come back to
	w.restartAtPorts()
	w.settle(2000)
	ctx, stop := context.WithTimeout(context.Background(), 70*time.Second)
	defer stop()
	var wg sync.WaitGroup
	wg.Go(func() { w.live(ctx, 40, 60*time.Millisecond) })
	sixth := func(what string) {
		t.Helper()
		<-time.After(6 * time.Second)
		t.Logf("%d requests; now: %s", w.requests.Load(), what)
	}
	state := func(id, state string) {
		t.Helper()
		_, err := w.p.admin.SetState(context.Background(), "p", id, state)
		require.NoError(t, err)
	}
	sixth("b0 drains")
	state("b0", admin.StateDrain)
	sixth("b0 leaves")
	w.gone.Store("b0", true)
	w.members = w.members[1:]
	w.reload("cookie-sticky")
	sixth("b5 joins")
	w.members = append(w.members, "b5")
	w.reload("cookie-sticky")
	sixth("the strategy is swapped")
	require.NoError(t, w.p.swap("builtin/cookie-sticky", `{"first_pick":"round_robin"}`))
	sixth("the secret is rotated")
	w.secrets = strings.Replace(w.secrets, "[", "["+strings.Replace(w.secrets[1:len(w.secrets)-1], "/old", "/new", 1)+", ", 1)
	w.reload("cookie-sticky")
	sixth("b1 is killed")
	w.gone.Store("b1", true)
	w.backends["b1"].CloseClientConnections()
	w.backends["b1"].Close()
	sixth("the strategy is swapped again")
	require.NoError(t, w.p.swap("builtin/cookie-sticky", `{"first_pick":"least_load"}`))
	sixth("the edge is stopped and started")
	w.restart(syscall.SIGTERM)
	sixth("the end")
	wg.Wait()
	moved := 0
	for _, r := range w.people {
		moved += r.moves
	}
	t.Logf("%d requests: %d failed, %d moved without need, %d of homes that were gone failed, %d while the edge was "+
		"away; %d moves in all", w.requests.Load(), w.failed.Load(), w.moved.Load(), w.excused.Load(),
		w.refused.Load(), moved)
	assert.Greater(t, w.requests.Load(), int64(15_000))
	assert.Zero(t, w.failed.Load(), "failed requests of clients whose backend lived")
	assert.Zero(t, w.moved.Load(), "sessions that moved without need, or more than once")
	assert.Greater(t, moved, 200)
}

// restartAtPorts makes the edge use the ports of w from now on.
func (w *town) restartAtPorts() {
	w.t.Helper()
	w.restart(syscall.SIGTERM)
	w.p.findPorts(context.Background())
}

// After kill -9 under load every token leads to the backend it led to before.
func TestTokensSurviveAKillUnderLoad(t *testing.T) {
	w := newTown(t, "cookie-sticky")
	w.write("cookie-sticky")
	w.restartAtPorts()
	w.settle(400)
	for range 3 {
		ctx, stop := context.WithTimeout(context.Background(), 4*time.Second)
		var wg sync.WaitGroup
		wg.Go(func() { w.live(ctx, 20, 20*time.Millisecond) })
		<-time.After(2 * time.Second)
		began := time.Now()
		w.restart(syscall.SIGKILL)
		t.Logf("serving again after %s", time.Since(began))
		wg.Wait()
		stop()
	}
	assert.Zero(t, w.failed.Load())
	assert.Zero(t, w.moved.Load())
	for _, r := range w.people {
		require.Zero(t, r.moves)
		require.NotEmpty(t, r.home)
	}
}
