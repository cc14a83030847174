package edge_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const bySession = "{ session: { source: [cookie:SID, header:X-Session, query:sid], " +
	"learn: [cookie:SID, header:X-Session], save_every: 100ms } }"

// logins starts n backends that begin a session at /login/ID and else tell who they are.
func logins(t *testing.T, n int) string {
	t.Helper()
	var yaml strings.Builder
	for i := range n {
		s := backend(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Who", fmt.Sprint("e", i))
			w.Header().Set("Saw", fmt.Sprint(r.Header, r.RequestURI))
			if id, ok := strings.CutPrefix(r.URL.Path, "/login/"); ok {
				http.SetCookie(w, &http.Cookie{Name: "SID", Value: id, Path: "/"})
			}
			if id, ok := strings.CutPrefix(r.URL.Path, "/token/"); ok {
				w.Header().Set("X-Session", id)
			}
		})
		fmt.Fprintf(&yaml, "      - { id: e%d, url: %q }\n", i, s.URL)
	}
	return yaml.String()
}

// carried is a session id as a request may have it.
func carried(kind, id string) (target string, fields []string) {
	switch kind {
	case "cookie":
		return "/", []string{"Cookie", "a=1; SID=" + id + "; b=2"}
	case "header":
		return "/", []string{"X-Session", id}
	}
	return "/?a=1&sid=" + id, nil
}

func at(t *testing.T, r *running, c *http.Client, protocol, kind, id string) *http.Response {
	t.Helper()
	target, fields := carried(kind, id)
	return send(t, r, c, protocol, target, fields...)
}

func TestASessionIsLearntFromItsFirstRequest(t *testing.T) {
	r := start(t, pinning(logins(t, 4), "builtin/cookie-sticky", "{}", bySession))
	for _, p := range protocols {
		c := r.client(p)
		for _, kind := range []string{"cookie", "header", "query"} {
			for i := range 10 {
				id := fmt.Sprintf("%s-%s-%d", p, kind, i)
				first := at(t, r, c, p, kind, id)
				assert.Contains(t, first.Header.Get("Saw"), id, "the backend sees it")
				assert.NotContains(t, first.Header, "Set-Cookie", "the id is enough")
				assert.NotContains(t, first.Header, "Cache-Control")
				for _, again := range []string{"cookie", "header", "query"} {
					next := at(t, r, c, p, again, id)
					require.Equal(t, first.Header.Get("Who"), next.Header.Get("Who"), "%s %s", p, kind)
				}
			}
		}
		sent := send(t, r, c, p, "/?sid=y", "X-Session", "x", "Cookie", "SID=w")
		assert.Equal(t, at(t, r, c, p, "cookie", "w").Header.Get("Who"), sent.Header.Get("Who"))
	}
	assert.Equal(t, 4*30+1, r.counter("wedge_sessions", ""), "the first that is there counts, and only it")
}

// Whatever strategy a login came by, the session it began is known to those that hold with pins.
func TestASessionIsLearntFromTheResponseThatBeginsIt(t *testing.T) {
	r := start(t, pinning(logins(t, 4), "builtin/stateless", "{ algorithm: random }", bySession))
	home := map[string]string{}
	for _, p := range protocols {
		c := r.client(p)
		for i := range 10 {
			id := fmt.Sprint(p, i)
			home[id] = send(t, r, c, p, "/login/"+id).Header.Get("Who")
			home["x"+id] = send(t, r, c, p, "/token/x"+id).Header.Get("Who")
		}
	}
	require.NoError(t, r.swap("builtin/cookie-sticky", "{}"))
	for id, backend := range home {
		for _, p := range protocols {
			assert.Equal(t, backend, at(t, r, r.client(p), p, "cookie", id).Header.Get("Who"), id)
		}
	}
	resp := send(t, r, r.client("h1"), "h1", "/login/new")
	require.Len(t, resp.Header["Set-Cookie"], 1, "no token beside a session")
	assert.Contains(t, resp.Header.Get("Set-Cookie"), "SID=new")
}

func TestASessionGoesBeforeAToken(t *testing.T) {
	r := start(t, pinning(logins(t, 3), "builtin/cookie-sticky", "{}", bySession))
	for _, p := range protocols {
		c := r.client(p)
		tokens := map[string]string{} // by backend
		for len(tokens) < 3 {
			resp := send(t, r, c, p, "/")
			token, _, _ := strings.Cut(resp.Header.Get("Set-Cookie"), ";")
			tokens[resp.Header.Get("Who")] = token
		}
		for home, token := range tokens {
			resp := send(t, r, c, p, "/", "Cookie", token+"; SID="+p+home)
			assert.Equal(t, home, resp.Header.Get("Who"), "an unknown session begins where the token says")
		}
		for home := range tokens {
			for _, other := range tokens {
				resp := send(t, r, c, p, "/", "Cookie", other+"; SID="+p+home)
				assert.Equal(t, home, resp.Header.Get("Who"), "%s %s", p, home)
				assert.NotContains(t, resp.Header.Get("Saw"), "wedge-p", "the token is taken out all the same")
			}
		}
	}
}

func TestSessionsSurviveReloadRestartAndKeyRotation(t *testing.T) {
	secret := func(name, text string) string {
		path := filepath.Join(t.TempDir(), name)
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		return fmt.Sprintf("${file:%s}", path)
	}
	one, two := secret("one", strings.Repeat("1", 32)), secret("two", strings.Repeat("2", 32))
	settings := strings.TrimSuffix(bySession, "}") + `, secrets: ["` + one + `"] }`
	r := start(t, pinning(logins(t, 4), "builtin/cookie-sticky", "{}", settings))
	home := map[string]string{}
	for i := range 200 {
		id := fmt.Sprint("s-", i)
		p := protocols[i%len(protocols)]
		home[id] = at(t, r, r.client("plain"), "plain", "cookie", id).Header.Get("Who")
		require.Equal(t, home[id], at(t, r, r.client(p), p, "cookie", id).Header.Get("Who"))
	}
	check := func(r *running) {
		t.Helper()
		assert.Equal(t, 200, r.counter("wedge_sessions", `pool="p"`))
		assert.Equal(t, 200, r.counter("wedge_backend_pins", `pool="p"`), "sessions are counted to the last one")
		c := r.client("h2")
		for id, backend := range home {
			require.Equal(t, backend, at(t, r, c, "h2", "cookie", id).Header.Get("Who"), id)
		}
	}
	check(r)
	r.rewrite("{ id: e0,", "{ weight: 9, id: e0,")
	require.NoError(t, r.Reload(context.Background()))
	check(r)
	r.rewrite(`["`+one, `["`+two+`", "`+one)
	require.NoError(t, r.Reload(context.Background()))
	check(r)
	r.rewrite(`, "`+one+`"`, "")
	require.NoError(t, r.Reload(context.Background()))
	check(r)
	r.restart()
	assert.Contains(t, r.log.String(), "sessions read")
	check(r)
}

func TestTheSessionTableIsSavedForItsOwnerAndGoesWithItsPool(t *testing.T) {
	r := start(t, pinning(logins(t, 2), "builtin/cookie-sticky", "{}", bySession))
	file := filepath.Join(r.dir, "sessions", "pool-p")
	at(t, r, r.client("h1"), "h1", "cookie", "the-session-id")
	require.Eventually(t, func() bool { _, err := os.Stat(file); return err == nil }, 5*time.Second, 5*time.Millisecond)
	for path, mode := range map[string]os.FileMode{file: 0o600, filepath.Join(r.dir, "sessions.key"): 0o600} {
		info, err := os.Stat(path)
		require.NoError(t, err)
		assert.Equal(t, mode, info.Mode().Perm(), path)
	}
	data, err := os.ReadFile(file)
	require.NoError(t, err)
	assert.NotContains(t, string(data), "the-session-id", "ids are kept as hashes")
	r.rewrite("session: {", "x-session: {")
	require.NoError(t, r.Reload(context.Background()))
	assert.NoFileExists(t, file)
	assert.Zero(t, r.counter("wedge_sessions", ""))
	left, err := os.ReadDir(filepath.Dir(file))
	require.NoError(t, err)
	assert.Empty(t, left)
}

func TestASessionFileThatCannotBeReadIsSetAside(t *testing.T) {
	r := start(t, pinning(logins(t, 2), "builtin/cookie-sticky", "{}", bySession))
	file := filepath.Join(r.dir, "sessions", "pool-p")
	at(t, r, r.client("h1"), "h1", "cookie", "x")
	r.stop()
	require.NoError(t, <-r.ended)
	r.ended <- nil
	whole, err := os.ReadFile(file)
	require.NoError(t, err)
	for name, spoil := range map[string]func(){
		"cut short":             func() { require.NoError(t, os.WriteFile(file, whole[:len(whole)-1], 0o600)) },
		"its sum is wrong":      func() { require.NoError(t, os.WriteFile(file, flipped(whole), 0o600)) },
		"not a snapshot":        func() { require.NoError(t, os.WriteFile(file, []byte("no table at all"), 0o600)) },
		"made with another key": func() { require.NoError(t, os.Remove(filepath.Join(r.dir, "sessions.key"))) },
	} {
		t.Run(name, func(t *testing.T) {
			require.NoError(t, os.WriteFile(file, whole, 0o600))
			spoil()
			spoilt, err := os.ReadFile(file)
			require.NoError(t, err)
			r := startAt(t, r.dir, r.text)
			assert.Contains(t, r.log.String(), "sessions not read")
			assert.Contains(t, r.log.String(), "pool-p.bad")
			assert.Contains(t, r.log.String(), name)
			kept, err := os.ReadFile(file + ".bad")
			require.NoError(t, err)
			assert.Equal(t, spoilt, kept)
			assert.Equal(t, 200, at(t, r, r.client("h1"), "h1", "cookie", "x").StatusCode)
			assert.Equal(t, 1, r.counter("wedge_sessions", ""))
		})
	}
}

func flipped(data []byte) []byte {
	changed := append([]byte(nil), data...)
	changed[len(changed)/2] ^= 1
	return changed
}

func TestAFullTableForgetsTheSessionUnusedForLongest(t *testing.T) {
	settings := strings.Replace(bySession, "session: {", "session: { entries: 3,", 1)
	r := start(t, pinning(logins(t, 2), "builtin/cookie-sticky", "{}", settings))
	for i := range 10 {
		at(t, r, r.client("h1"), "h1", "header", fmt.Sprint(i))
	}
	assert.Equal(t, 3, r.counter("wedge_sessions", `pool="p"`))
	assert.Equal(t, 7, r.counter("wedge_sessions_evicted_total", `pool="p"`))
}

func TestSessionsExpireByTheClocksOfThePool(t *testing.T) {
	settings := strings.Replace(bySession, "{ session", "{ idle: 1s, max_age: 2s, session", 1)
	r := start(t, pinning(logins(t, 2), "builtin/cookie-sticky", "{}", settings))
	for i := range 20 {
		at(t, r, r.client("h1"), "h1", "header", fmt.Sprint(i))
	}
	began := time.Now()
	require.Eventually(t, func() bool { return r.counter("wedge_sessions", "") == 0 },
		20*time.Second, 250*time.Millisecond, "they go although nobody asks for them")
	assert.GreaterOrEqual(t, time.Since(began), time.Second)
}

// After kill -9 every token, and every session that was saved, is at its backend.
func TestPinsSurviveAKill(t *testing.T) {
	const clients = 200
	text := pinning(logins(t, 4), "builtin/cookie-sticky", "{}", bySession)
	p := startProcess(t, text)
	file := filepath.Join(p.dir, "sessions", "pool-p")
	where := func(fields ...string) (string, string) {
		req, err := http.NewRequest("GET", p.url("h2")+"/", nil)
		require.NoError(t, err)
		for i := 0; i < len(fields); i += 2 {
			req.Header.Add(fields[i], fields[i+1])
		}
		resp, err := p.client("h2").Do(req)
		require.NoError(t, err)
		defer resp.Body.Close()
		_, err = io.Copy(io.Discard, resp.Body)
		require.NoError(t, err)
		token, _, _ := strings.Cut(resp.Header.Get("Set-Cookie"), ";")
		return resp.Header.Get("Who"), token
	}
	home := map[string]string{} // by cookie
	for i := range clients {
		id := fmt.Sprint("SID=s-", i)
		home[id], _ = where("Cookie", id)
		backend, token := where()
		require.NotEmpty(t, token)
		home[token] = backend
	}
	last := time.Now()
	<-time.After(20 * time.Millisecond) // a file's time is coarse
	where("Cookie", "SID=one-more")     // so that there is a save to wait for
	require.Eventually(t, func() bool {
		info, err := os.Stat(file)
		return err == nil && info.ModTime().After(last)
	}, 10*time.Second, 10*time.Millisecond)
	require.NoError(t, p.cmd.Process.Signal(syscall.SIGKILL))
	p.cmd.Wait() // it says that it was killed
	p.again()
	for cookie, backend := range home {
		got, token := where("Cookie", cookie)
		require.Equal(t, backend, got)
		require.Empty(t, token)
	}
}

// again starts the process once more, on what it has left.
func (p *process) again() {
	p.t.Helper()
	p.cmd = exec.Command(filepath.Join(p.dir, "wedge"), "run", "-c", filepath.Join(p.dir, "wedge.yaml"))
	p.cmd.Stderr = os.Stderr
	require.NoError(p.t, p.cmd.Start())
	ctx := context.Background()
	require.Eventually(p.t, func() bool { return p.admin.Ready(ctx) == nil }, 30*time.Second, 20*time.Millisecond)
	p.findPorts(ctx)
}
