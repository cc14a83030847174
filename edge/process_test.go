package edge_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wedge-lb/wedge/edge/admin"
)

// process is an edge that runs as users run it, so that its memory, files and processor time are its own.
type process struct {
	t     *testing.T
	dir   string
	env   []string
	cmd   *exec.Cmd
	admin *admin.Client
	roots *x509.CertPool
	ports map[string]int
	dials map[string]*atomic.Int64
}

func startProcess(t *testing.T, text string, env ...string) *process {
	t.Helper()
	dir, err := os.MkdirTemp("", "wedge-soak-")
	require.NoError(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	p := &process{t: t, dir: dir, ports: map[string]int{}, dials: map[string]*atomic.Int64{}}
	for _, name := range protocols {
		p.dials[name] = new(atomic.Int64)
	}
	out, err := exec.Command("go", "build", "-o", p.bin(), "../cmd/wedge").CombinedOutput()
	require.NoError(t, err, string(out))
	p.write(text)
	p.admin, err = admin.NewClient("unix://"+filepath.Join(dir, "admin.sock"), "")
	require.NoError(t, err)
	t.Cleanup(p.admin.Close)
	p.env = env
	p.launch()
	t.Cleanup(p.end)
	ctx := context.Background()
	pem, err := p.admin.Authority(ctx)
	require.NoError(t, err)
	p.roots = x509.NewCertPool()
	p.roots.AppendCertsFromPEM(pem)
	p.findPorts(ctx)
	return p
}

func (p *process) bin() string { return filepath.Join(p.dir, "wedge") }

func (p *process) file() string { return filepath.Join(p.dir, "wedge.yaml") }

// write makes text, behind head, the configuration file.
func (p *process) write(text string) {
	p.t.Helper()
	roomy := strings.Replace(head, "tls:", "  limits: { connections_per_address: 9000 } # all load has one\ntls:", 1)
	text = strings.ReplaceAll(roomy, "STATE", p.dir) + "logging: { access: { format: \"off\" } }\n" + text
	require.NoError(p.t, os.WriteFile(p.file(), []byte(text), 0o600))
}

// launch starts the edge and waits until it serves.
func (p *process) launch() {
	p.t.Helper()
	p.cmd = exec.Command(p.bin(), "run", "-c", p.file())
	p.cmd.Env = append(os.Environ(), p.env...)
	p.cmd.Stderr = os.Stderr
	require.NoError(p.t, p.cmd.Start())
	ready := func() bool { return p.admin.Ready(context.Background()) == nil }
	require.Eventually(p.t, ready, 30*time.Second, 20*time.Millisecond)
}

func (p *process) findPorts(ctx context.Context) {
	st, err := p.admin.Status(ctx)
	require.NoError(p.t, err)
	for _, l := range st.Listeners {
		_, port, err := net.SplitHostPort(l.Address)
		require.NoError(p.t, err)
		name := "https"
		if len(l.Protocols) == 1 && l.Protocols[0] == "h1" {
			name = "http"
		}
		n := 0
		fmt.Sscan(port, &n)
		p.ports[name] = n
	}
}

func (p *process) end() {
	if p.cmd.ProcessState != nil {
		return // the test has ended it
	}
	p.cmd.Process.Signal(os.Interrupt)
	require.NoError(p.t, p.cmd.Wait())
}

// buildPlugin compiles the Go source of a strategy.
func buildPlugin(t *testing.T, source string) []byte {
	t.Helper()
	dir, err := os.MkdirTemp("../plugins", "test-") // in the module, where the SDK is found
	require.NoError(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	require.NoError(t, os.WriteFile(filepath.Join(dir, "main.go"), []byte(source), 0o600))
	out := filepath.Join(dir, "plugin.wasm")
	cmd := exec.Command("go", "build", "-buildmode=c-shared", "-o", out, "./"+dir)
	cmd.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm")
	text, err := cmd.CombinedOutput()
	require.NoError(t, err, string(text))
	module, err := os.ReadFile(out)
	require.NoError(t, err)
	return module
}

func (p *process) url(protocol string) string {
	if protocol == "plain" {
		return fmt.Sprintf("http://127.0.0.1:%d", p.ports["http"])
	}
	return fmt.Sprintf("https://localhost:%d", p.ports["https"])
}

func (p *process) client(protocol string) *http.Client {
	conf := &tls.Config{RootCAs: p.roots}
	return &http.Client{Timeout: time.Minute, Transport: transport(p.t, protocol, conf, p.dials[protocol])}
}

func (p *process) swap(use, options string) error {
	_, err := p.admin.Swap(context.Background(), "s", admin.Swap{Use: use, Options: json.RawMessage(options)})
	return err
}

// usage is the process's resident memory in KiB and its open files.
func (p *process) usage() (kib, files int) {
	f, err := os.Open(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	require.NoError(p.t, err)
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		if rest, ok := strings.CutPrefix(s.Text(), "VmRSS:"); ok {
			fmt.Sscan(rest, &kib)
		}
	}
	list, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", p.cmd.Process.Pid))
	require.NoError(p.t, err)
	return kib, len(list)
}
