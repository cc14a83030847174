package main_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// file is a configuration of one plain pool.
func file(listen string, backends ...string) string {
	var list strings.Builder
	for i, url := range backends {
		fmt.Fprintf(&list, "      - { id: b%d, url: %q }\n", i, url)
	}
	return fmt.Sprintf(`version: 1
state_dir: state
server:
  listen: { http: %q }
  drain_timeout: 20s
logging: { access: { format: "off" } }
strategies:
  spread: { use: builtin/stateless }
pools:
  shop:
    strategy: spread
    backends:
%ssites:
  - { hosts: ["*"], tls: off, routes: [{ pool: shop }] }
`, listen, list.String())
}

func TestRunReloadsOnSIGHUPWholeOrNotAtAll(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.state("state")
	listen := freeAddress(t)
	one, two := backend(t, "one"), backend(t, "two")
	h.write("wedge.yaml", file(listen, one))
	p := h.start("run", "-c", "wedge.yaml")
	c := client(t, "h1", nil)
	served(t, c, "http://"+listen)
	_, body, err := get(c, "http://"+listen)
	require.NoError(t, err)
	require.Equal(t, "one", body)

	h.write("wedge.yaml", strings.Replace(file(listen, two), "pool: shop", "poool: shop", 1))
	p.signal(syscall.SIGHUP)
	p.log("reload refused", 1)
	assert.Contains(t, p.err.String(), "wedge.yaml:15:42: sites[0].routes[0].poool")
	_, body, err = get(c, "http://"+listen)
	require.NoError(t, err)
	assert.Equal(t, "one", body, "nothing has changed")
	r := h.run("status")
	assert.Equal(t, 2, r.code, "the file that names the edge is broken")
	assert.Contains(t, r.err, "--admin names the edge")
	h.write("wedge.yaml", file(listen, two))
	assert.Contains(t, h.ok("status"), "last reload refused")
	p.signal(syscall.SIGHUP)
	p.log("configuration taken", 1)
	_, body, err = get(c, "http://"+listen)
	require.NoError(t, err)
	assert.Equal(t, "two", body)

	h.write("wedge.yaml", file(listen, one))
	assert.Contains(t, h.ok("reload"), "generation 3")
	_, body, err = get(c, "http://"+listen)
	require.NoError(t, err)
	assert.Equal(t, "one", body)

	h.write("wedge.yaml", file(listen, one)+"nonsense: 1\n")
	r = h.run("reload", "--admin", "unix://"+h.path("state/admin.sock"))
	assert.Equal(t, 1, r.code)
	assert.Contains(t, r.err, `wedge.yaml:16:1: nonsense: unknown key`)
	assert.Contains(t, r.err, "nothing has changed")
}

// held is a backend that answers when it is told to.
func held(t *testing.T) (url string, inside, leave chan struct{}) {
	inside, leave = make(chan struct{}, 8), make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		inside <- struct{}{}
		select {
		case <-leave:
		case <-r.Context().Done():
		}
		io.WriteString(w, "done")
	}))
	t.Cleanup(s.Close)
	return s.URL, inside, leave
}

// ask gets url on a goroutine and gives what came.
func ask(c *http.Client, url string) <-chan string {
	answer := make(chan string, 1)
	go func() {
		_, body, err := get(c, url)
		if err != nil {
			body = err.Error()
		}
		answer <- body
	}()
	return answer
}

func TestSIGTERMLetsRequestsFinish(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.state("state")
	url, inside, leave := held(t)
	listen := freeAddress(t)
	h.write("wedge.yaml", file(listen, url))
	p := h.start("run")
	ready(t, h)
	c := client(t, "h1", nil)
	answer := ask(c, "http://"+listen)
	<-inside
	p.signal(syscall.SIGTERM)
	p.log("draining", 1)
	require.Eventually(t, func() bool { // no new connection is taken
		_, _, err := get(c, "http://"+listen)
		return err != nil
	}, patience, 5*time.Millisecond)
	close(leave)
	assert.Equal(t, "done", <-answer)
	assert.Zero(t, p.exit(), p.err)
	assert.NoFileExists(t, h.path("state/admin.sock"))
}

func TestASecondSIGTERMEndsAtOnce(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.state("state")
	url, inside, leave := held(t)
	defer close(leave)
	listen := freeAddress(t)
	h.write("wedge.yaml", file(listen, url))
	p := h.start("run")
	ready(t, h)
	answer := ask(client(t, "h1", nil), "http://"+listen)
	<-inside
	p.signal(syscall.SIGTERM)
	p.log("draining", 1)
	p.signal(syscall.SIGTERM)
	assert.Equal(t, -1, p.exit(), "by the signal")
	assert.NotEqual(t, "done", <-answer)
}

// ready waits until the edge of the home's wedge.yaml serves.
func ready(t *testing.T, h *home) {
	t.Helper()
	require.Eventually(t, func() bool {
		r := h.run("status")
		return r.code == 0 && strings.Contains(r.out, ", ready,")
	}, patience, 20*time.Millisecond)
}

func TestRunRefusesWhatCheckRefuses(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.write("wedge.yaml", strings.Replace(file("127.0.0.1:0", "http://127.0.0.1:1"), "stateless", "stateles", 1))
	for _, command := range []string{"run", "check"} {
		r := h.run(command)
		assert.Equal(t, 2, r.code, command)
		assert.Contains(t, r.err, "wedge.yaml:8:", command)
		assert.Contains(t, r.err, `did you mean "builtin/stateless"?`, command)
	}
	assert.NoDirExists(t, h.path("state"), "nothing was made")
	r := h.run("run", "-c", "nowhere.yaml")
	assert.NotZero(t, r.code)
	assert.Contains(t, r.err, "nowhere.yaml")
}

func TestAPortThatIsTakenIsTold(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	taken := strings.TrimPrefix(backend(t, "other"), "http://")
	h.write("wedge.yaml", file(taken, "http://127.0.0.1:1"))
	r := h.run("run")
	assert.NotZero(t, r.code)
	assert.Contains(t, r.err, taken)
	assert.Contains(t, r.err, "address already in use")
	_, err := os.Stat(h.path("state/admin.sock"))
	assert.ErrorIs(t, err, os.ErrNotExist)
}

func TestRunWithoutAFileSaysHowToBegin(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	r := h.run("run")
	assert.NotZero(t, r.code)
	assert.Contains(t, r.err, "wedge.yaml: no such file or directory; name one with -c, or try wedge demo")
	r = h.run("run", "-c", "nowhere.yaml")
	assert.NotZero(t, r.code)
	assert.NotContains(t, r.err, "wedge demo")
}

func TestASwapToNothingTellsWhatThereIs(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.state("state")
	listen := freeAddress(t)
	h.write("wedge.yaml", file(listen, backend(t, "one")))
	h.start("run", "-c", "wedge.yaml")
	served(t, client(t, "h1", nil), "http://"+listen)
	r := h.run("strategy", "swap", "spread", "--use", "nonexist")
	assert.NotZero(t, r.code)
	assert.Contains(t, r.err, `plugin "nonexist": no such built-in, plugin of the configuration or file; `+
		"built in are builtin/consistent-hash, builtin/cookie-sticky")
}
