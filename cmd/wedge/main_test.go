package main_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/wedge-lb/wedge/plugins"
)

// patience is how long anything may take on a busy machine.
const patience = 30 * time.Second

// binary is the command under test, built once; compiled is where edges of all tests keep compiled plugins.
var binary, compiled string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "wedge-cmd-")
	if err == nil {
		binary, compiled = filepath.Join(dir, "wedge"), filepath.Join(dir, "compiled")
		err = errors.Join(build(binary), os.Mkdir(compiled, 0o700))
	}
	code := 1
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	} else {
		code = m.Run()
	}
	os.RemoveAll(dir)
	if code == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

// build makes the command as its users have it. The race detector is for the packages it is made of: with it,
// plugins take twenty times as long to compile.
func build(path string) error {
	for _, name := range plugins.Names() {
		if _, err := plugins.Builtin(name); err != nil {
			return err // says what to do
		}
	}
	out, err := exec.Command("go", "build", "-trimpath", "-o", path, ".").CombinedOutput()
	if err != nil {
		return fmt.Errorf("build: %w\n%s", err, out)
	}
	return nil
}

// home is a place where a user calls the command: nothing is there before, and it is gone after. Its name is
// short, for it holds sockets.
type home struct {
	t   *testing.T
	dir string
}

func newHome(t *testing.T) *home {
	t.Helper()
	dir, err := os.MkdirTemp("", "wedge-home-")
	require.NoError(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	h := &home{t: t, dir: dir}
	require.NoError(t, os.Mkdir(h.path("tmp"), 0o700))
	return h
}

func (h *home) path(name string) string { return filepath.Join(h.dir, name) }

func (h *home) write(name, text string) {
	h.t.Helper()
	require.NoError(h.t, os.WriteFile(h.path(name), []byte(text), 0o600))
}

// state makes a state directory in which plugins are compiled already, if another test had them.
func (h *home) state(name string) {
	h.t.Helper()
	require.NoError(h.t, os.MkdirAll(h.path(name), 0o700))
	require.NoError(h.t, os.Symlink(compiled, h.path(name+"/compiled")))
}

// command is the binary with those arguments, in h and without this process's environment.
func (h *home) command(ctx context.Context, args ...string) *exec.Cmd {
	c := exec.CommandContext(ctx, binary, args...)
	c.Dir = h.dir
	c.Env = []string{"HOME=" + h.dir, "TMPDIR=" + h.path("tmp"), "PATH=" + os.Getenv("PATH")}
	return c
}

// result is what came of a call.
type result struct {
	out, err string
	code     int
}

// run calls the command and waits for its end.
func (h *home) run(args ...string) result {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	defer cancel()
	var out, stderr bytes.Buffer
	c := h.command(ctx, args...)
	c.Stdout, c.Stderr = &out, &stderr
	err := c.Run()
	require.NoError(h.t, ctx.Err(), "%v does not end\n%s%s", args, &out, &stderr)
	if !errors.As(err, new(*exec.ExitError)) {
		require.NoError(h.t, err)
	}
	return result{out.String(), stderr.String(), c.ProcessState.ExitCode()}
}

// ok is run for a call that must succeed; it gives what was printed.
func (h *home) ok(args ...string) string {
	h.t.Helper()
	r := h.run(args...)
	require.Zero(h.t, r.code, "wedge %s\n%s%s", strings.Join(args, " "), r.out, r.err)
	return r.out
}

// process is the command while it runs.
type process struct {
	t        *testing.T
	c        *exec.Cmd
	out, err *record
	ended    chan struct{}
}

// start runs the command until the test ends.
func (h *home) start(args ...string) *process {
	h.t.Helper()
	p := &process{t: h.t, c: h.command(context.Background(), args...), ended: make(chan struct{})}
	p.out, p.err = &record{}, &record{}
	p.c.Stdout, p.c.Stderr = p.out, p.err
	require.NoError(h.t, p.c.Start())
	go p.wait()
	h.t.Cleanup(func() {
		p.c.Process.Kill()
		<-p.ended
		if h.t.Failed() {
			h.t.Logf("%v\n%s%s", p.c.Args, p.out, p.err)
		}
	})
	return p
}

func (p *process) wait() {
	defer close(p.ended)
	p.c.Wait() // the exit code tells
}

func (p *process) signal(s syscall.Signal) {
	p.t.Helper()
	require.NoError(p.t, p.c.Process.Signal(s))
}

// exit waits for the end and gives the exit code.
func (p *process) exit() int {
	p.t.Helper()
	select {
	case <-p.ended:
	case <-time.After(patience):
		require.FailNow(p.t, "the process does not end", p.err.String())
	}
	return p.c.ProcessState.ExitCode()
}

// log waits until the process has logged text so many times.
func (p *process) log(text string, times int) {
	p.t.Helper()
	require.Eventually(p.t, func() bool { return strings.Count(p.err.String(), text) >= times },
		patience, 5*time.Millisecond, "%q is never logged: %s", text, p.err)
}

// record is an output that can be read while it is written.
type record struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (r *record) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.b.Write(p)
}

func (r *record) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.b.String()
}

// backend answers with its name and the protocol that the client spoke, as Via tells it.
func backend(t *testing.T, name string) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, name)
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// freeAddress is an address of loopback that nobody listens at.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	return l.Addr().String()
}

// get gives status and body; the request has a connection of its own.
func get(c *http.Client, url string) (int, string, error) {
	resp, err := c.Get(url)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(body), err
}

// served waits until url answers 200.
func served(t *testing.T, c *http.Client, url string) {
	t.Helper()
	require.Eventually(t, func() bool {
		status, _, err := get(c, url)
		return err == nil && status == http.StatusOK
	}, patience, 20*time.Millisecond, url)
}
