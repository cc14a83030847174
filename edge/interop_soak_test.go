//go:build soak

package edge_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// run runs a program that `make tools` installs.
func run(t *testing.T, name string, args ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	return out.String(), err
}

func TestCurlOverH1AndH2(t *testing.T) {
	_, yaml := named(t, 1)
	r := start(t, pool(yaml, "builtin/stateless", "{}"))
	root := filepath.Join(t.TempDir(), "root.pem")
	require.NoError(t, os.WriteFile(root, r.RootPEM(), 0o644))
	for flag, want := range map[string]string{"--http1.1": "b0 1.1", "--http2": "b0 2"} {
		out, err := run(t, "curl", "-sS", flag, "--cacert", root, "-w", " %{http_version}", r.url("h2")+"/")
		require.NoError(t, err, out)
		assert.Equal(t, want, out)
	}
}

func TestGTLSClientOverH3(t *testing.T) {
	_, yaml := named(t, 1)
	r := start(t, pool(yaml, "builtin/stateless", "{}"))
	dir := t.TempDir()
	out, err := run(t, "gtlsclient", "--exit-on-all-streams-close", "--download="+dir, "localhost",
		fmt.Sprint(r.Port("https")), r.url("h3")+"/file")
	require.NoError(t, err, out)
	got, err := os.ReadFile(filepath.Join(dir, "file"))
	require.NoError(t, err)
	assert.Equal(t, "b0", string(got))
}

func TestChromiumOverH3(t *testing.T) {
	s := backend(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprintf(w, "<p id=via>%s</p>", r.Header.Get("Via"))
	})
	r := start(t, pool(one(s.URL), "builtin/stateless", "{}"))
	out, err := run(t, "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
		"--disable-background-networking", "--disable-component-update", "--disable-sync",
		"--user-data-dir="+t.TempDir(), "--ignore-certificate-errors-spki-list="+r.spki(t),
		"--host-resolver-rules=MAP localhost 127.0.0.1",
		"--origin-to-force-quic-on=localhost:"+fmt.Sprint(r.Port("https")), "--dump-dom", r.url("h3")+"/")
	require.NoError(t, err, out)
	assert.Contains(t, out, "<p id=\"via\">3 wedge</p>")
}

func TestNghttpAndH2load(t *testing.T) {
	_, yaml := named(t, 1)
	r := start(t, pool(yaml, "builtin/stateless", "{}"))
	out, err := run(t, "nghttp", "-v", r.url("h2")+"/")
	require.NoError(t, err, out)
	assert.Contains(t, out, ":status: 200")
	assert.Contains(t, out, "b0")
	out, err = run(t, "h2load", "-n", "20000", "-c", "8", "-m", "32", r.url("h2")+"/")
	require.NoError(t, err, out)
	assert.Contains(t, out, "20000 succeeded, 0 failed, 0 errored, 0 timeout")
}

// chromium opens a page of the edge and gives its final form.
func (r *running) chromium(t *testing.T, path string, args ...string) string {
	out, err := run(t, "chromium", append([]string{"--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
		"--disable-background-networking", "--disable-component-update", "--disable-sync",
		"--user-data-dir=" + t.TempDir(), "--ignore-certificate-errors-spki-list=" + r.spki(t),
		"--host-resolver-rules=MAP localhost 127.0.0.1", "--virtual-time-budget=5000",
		"--dump-dom", r.url("h2") + path}, args...)...)
	require.NoError(t, err, out)
	return out
}

func TestChromiumOverH2WithAWebSocket(t *testing.T) {
	r := start(t, pool(one(shoutSocket(t)), "builtin/stateless", "{}"))
	out := r.chromium(t, "/page", "--disable-quic")
	assert.Contains(t, out, `<p id="by">h2</p>`)
	assert.Contains(t, out, `<p id="got">HELLO chat</p>`)
	assert.Contains(t, r.log.String(), `"protocol":"h2"`)
	assert.NotContains(t, r.log.String(), `"protocol":"h1"`, "the WebSocket is a stream of the same connection")
}

func TestAHundredMegabytesBothWays(t *testing.T) {
	echo := backend(t, func(w http.ResponseWriter, r *http.Request) {
		http.NewResponseController(w).EnableFullDuplex()
		io.Copy(w, r.Body)
	})
	r := start(t, pool(one(echo.URL), "builtin/stateless", "{}"))
	data := make([]byte, 100<<20)
	rand.Read(data)
	want := sha256.Sum256(data)
	each(t, r, func(t *testing.T, c *http.Client, url string) {
		resp, err := c.Post(url, "application/octet-stream", bytes.NewReader(data))
		require.NoError(t, err)
		defer resp.Body.Close()
		sum := sha256.New()
		n, err := io.Copy(sum, resp.Body)
		require.NoError(t, err)
		assert.Equal(t, int64(len(data)), n)
		assert.Equal(t, want[:], sum.Sum(nil))
	})
}

// spki is the hash by which Chromium is told to trust the edge's certificate.
func (r *running) spki(t *testing.T) string {
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(r.RootPEM())
	conn, err := tls.Dial("tcp", fmt.Sprintf("localhost:%d", r.Port("https")), &tls.Config{RootCAs: roots})
	require.NoError(t, err)
	defer conn.Close()
	sum := sha256.Sum256(conn.ConnectionState().PeerCertificates[0].RawSubjectPublicKeyInfo)
	return base64.StdEncoding.EncodeToString(sum[:])
}
