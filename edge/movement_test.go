package edge_test

import (
	"bufio"
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
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	keys = 2000
	// most of the keys that may move when one of five backends goes: its own
	mostMoved = keys/5 + keys*3/100
)

// homes tells which backend each of the keys gets; "" = no answer.
type homes [keys]string

// ask asks for every key, from several goroutines.
func ask(get func(key int) string) *homes {
	var h homes
	var wg sync.WaitGroup
	const workers = 16
	for worker := range workers {
		wg.Go(func() {
			for key := worker; key < keys; key += workers {
				h[key] = get(key)
			}
		})
	}
	wg.Wait()
	return &h
}

// settled asks until the answers stay the same: a strategy takes a new table beside the requests, some
// milliseconds after a change.
func settled(t *testing.T, get func(key int) string) *homes {
	t.Helper()
	last := ask(get)
	require.Eventually(t, func() bool {
		now := ask(get)
		same := *now == *last
		last = now
		return same
	}, 20*time.Second, time.Millisecond)
	return last
}

// moved counts the keys that left backend gone for h to come about, and those that left another.
func (h *homes) moved(from *homes, gone string) (own, others, stayed int) {
	for key, was := range from {
		switch {
		case was == h[key] && was == gone:
			stayed++
		case was == h[key]:
		case was == gone:
			own++
		default:
			others++
		}
	}
	return own, others, stayed
}

// assertOnlyItsOwnMoved holds that between from and to the keys of gone, and no others, went elsewhere.
func assertOnlyItsOwnMoved(t *testing.T, from, to *homes, gone, when string) {
	t.Helper()
	own, others, stayed := to.moved(from, gone)
	t.Logf("%s: %d of %d keys moved, %d of them were not of %s", when, own+others, keys, others, gone)
	assert.Zero(t, others, "%s: keys of other backends that moved", when)
	assert.Zero(t, stayed, "%s: keys that stayed on %s", when, gone)
	assert.LessOrEqual(t, own, mostMoved, when)
	assert.NotZero(t, own, when)
	spread := map[string]int{}
	for key, was := range from {
		if was == gone {
			spread[to[key]]++
		}
	}
	assert.Len(t, spread, 4, "%s: they are spread over the rest: %v", when, spread)
}

// assertEven holds that every backend has about its share.
func assertEven(t *testing.T, h *homes) {
	t.Helper()
	share := map[string]int{}
	for _, home := range h {
		share[home]++
	}
	assert.Len(t, share, 5, "%v", share)
	for home, n := range share {
		assert.InDelta(t, keys/5, n, keys*3/100, "keys of %s", home)
	}
}

// testMovement takes b2 out of service in each way there is, and puts it back.
func testMovement(t *testing.T, r *running, list []*httptest.Server, get func(key int) string) {
	before := settled(t, get)
	assertEven(t, before)
	reload := func(old, with string) {
		r.rewrite(old, with)
		require.NoError(t, r.Reload(context.Background()))
	}
	assertBack := func(when string) {
		same := func() bool { return *ask(get) == *before }
		assert.Eventually(t, same, 30*time.Second, time.Millisecond, "%s: all come back", when)
	}

	reload("{ id: b2,", "{ state: maintenance, id: b2,")
	assertOnlyItsOwnMoved(t, before, settled(t, get), "b2", "maintenance")
	reload("{ state: maintenance, id: b2,", "{ id: b2,")
	assertBack("maintenance is over")

	address := list[2].Listener.Addr().String()
	list[2].Close()
	assertOnlyItsOwnMoved(t, before, ask(get), "b2", "killed")
	assertOnlyItsOwnMoved(t, before, ask(get), "b2", "killed, and known to be")
	revive(t, address, "b2")
	assertBack("revived")

	line := fmt.Sprintf("      - { id: b2, url: %q }\n", "http://"+address)
	reload(line, "")
	own, others, stayed := settled(t, get).moved(before, "b2")
	t.Logf("removed: %d of %d keys moved, %d of them were not of b2", own+others, keys, others)
	assert.Zero(t, stayed)
	assert.LessOrEqual(t, own+others, mostMoved, "removed")
	reload("    backends:\n", "    backends:\n"+line)
	assertBack("added again")
}

// revive starts a backend where one was.
func revive(t *testing.T, address, name string) {
	t.Helper()
	l, err := net.Listen("tcp", address)
	require.NoError(t, err)
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, name)
	}))
	s.Listener.Close()
	s.Listener = l
	s.Start()
	t.Cleanup(s.Close)
}

// fleet is a configuration of those backends in which the same keys get the same backends in every run, and
// ejections end soon.
func fleet(t *testing.T, backends, strategy, options string) string {
	t.Helper()
	secret := filepath.Join(t.TempDir(), "secret")
	require.NoError(t, os.WriteFile(secret, []byte("a secret that is the same in every run"), 0o600))
	extra := fmt.Sprintf("    affinity: { secret: \"${file:%s}\" }\n", secret) +
		"    health: { passive: { eject_for: 300ms } }\n"
	text := strings.Replace(pool(backends, strategy, options), "    strategy: s\n", "    strategy: s\n"+extra, 1)
	return "logging: { access: { format: \"off\" } }\n" + text
}

func TestConsistentHashMovesOnlyTheKeysOfABackendThatGoes(t *testing.T) {
	list, yaml := named(t, 5)
	r := start(t, fleet(t, yaml, "builtin/consistent-hash", `{key: ["header:x-key"]}`))
	clients := map[string]*http.Client{}
	for _, p := range protocols {
		clients[p] = r.client(p)
		clients[p].Jar = nil
	}
	testMovement(t, r, list, func(key int) string {
		p := "plain"
		if key%5 == 0 {
			p = secure[key/5%len(secure)]
		}
		req, err := http.NewRequest("GET", r.url(p)+"/", nil)
		if err != nil {
			return err.Error()
		}
		req.Header.Set("X-Key", fmt.Sprint("key ", key))
		return answered(clients[p].Do(req))
	})
}

// answered is the body of a good answer, else what went wrong.
func answered(resp *http.Response, err error) string {
	if err != nil {
		return err.Error()
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != 200 {
		return fmt.Sprint(resp.Status, err)
	}
	return string(body)
}

// caller is a client on an address of its own, with one connection that stays.
type caller struct {
	net.Conn
	r *bufio.Reader
}

// get asks once.
func (c *caller) get() string {
	c.SetDeadline(time.Now().Add(30 * time.Second))
	if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"); err != nil {
		return err.Error()
	}
	return answered(http.ReadResponse(c.r, nil))
}

func TestIPAffinityMovesOnlyTheClientsOfABackendThatGoes(t *testing.T) {
	list, yaml := named(t, 5)
	r := start(t, fleet(t, yaml, "builtin/ip-affinity", "{}"))
	callers := make([]caller, keys)
	for i := range callers {
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, byte(1+i%3), byte(i/250), byte(1+i%250))}}
		conn, err := d.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", r.Port("http")))
		require.NoError(t, err)
		defer conn.Close()
		callers[i] = caller{conn, bufio.NewReaderSize(conn, 512)}
	}
	testMovement(t, r, list, func(key int) string { return callers[key].get() })
}
