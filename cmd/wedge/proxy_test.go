package main_test

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/quic-go/quic-go/http3"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestProxyBalancesPlainHTTPForAnyHost(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.state(".local/state/wedge")
	listen, one, two := freeAddress(t), backend(t, "one"), backend(t, "two")
	_, port, err := net.SplitHostPort(strings.TrimPrefix(two, "http://"))
	require.NoError(t, err)
	h.start("proxy", "--listen", listen, "--to", one, "--to", ":"+port)
	c := client(t, "h1", nil)
	served(t, c, "http://"+listen)
	seen := map[string]bool{}
	for range 40 {
		req, err := http.NewRequest("GET", "http://"+listen+"/any", nil)
		require.NoError(t, err)
		req.Host = "whatever.test"
		resp, err := c.Do(req)
		require.NoError(t, err)
		body, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		resp.Body.Close()
		seen[string(body)] = true
	}
	assert.Len(t, seen, 2)
	assert.Contains(t, h.ok("status"), "proxy", "the commands of this user find the edge without being told")
}

func TestProxyServesH1H2AndH3WithACertificateOfTheLocalCA(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.state("s")
	listen, state := freeAddress(t), h.path("s")
	h.start("proxy", "--listen", listen, "--tls", "internal", "--strategy", "cookie-sticky",
		"--to", backend(t, "one"), "--state-dir", state)
	insecure := client(t, "h1", nil)
	insecure.Transport.(*http.Transport).TLSClientConfig.InsecureSkipVerify = true
	url := strings.Replace("https://"+listen, "127.0.0.1", "localhost", 1)
	served(t, insecure, url)

	pem := h.ok("ca", "--admin", "unix://"+state+"/admin.sock")
	roots := x509.NewCertPool()
	require.True(t, roots.AppendCertsFromPEM([]byte(pem)))
	for i, p := range []string{"h1", "h2", "h3"} {
		resp, err := client(t, p, roots).Get(url)
		require.NoError(t, err, p)
		resp.Body.Close()
		assert.Equal(t, http.StatusOK, resp.StatusCode, p)
		assert.Equal(t, i+1, resp.ProtoMajor, p)
		assert.Len(t, resp.Cookies(), 1, p)
	}
	plain := strings.Replace(url, "https", "http", 1)
	status, _, err := get(client(t, "h1", nil), plain)
	assert.True(t, err != nil || status >= 400, "plain HTTP is not served there")
}

// client speaks one protocol and makes a connection for each request.
func client(t *testing.T, protocol string, roots *x509.CertPool) *http.Client {
	t.Helper()
	conf := &tls.Config{RootCAs: roots}
	if protocol == "h3" {
		tr := &http3.Transport{TLSClientConfig: conf}
		t.Cleanup(func() { tr.Close() })
		return &http.Client{Transport: tr, Timeout: patience}
	}
	var speak http.Protocols
	speak.SetHTTP1(protocol == "h1")
	speak.SetHTTP2(protocol == "h2")
	tr := &http.Transport{TLSClientConfig: conf, Protocols: &speak, DisableKeepAlives: protocol == "h1"}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: patience}
}

func TestWhatProxyPrintsIsAConfiguration(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	for name, args := range map[string][]string{
		"plain":     {"--to", ":9001", "--to", "127.0.0.1:9002"},
		"TLS":       {"--tls", "internal", "--to", "http://backend.test:80", "--listen", ":8443"},
		"elsewhere": {"--strategy", "ip-affinity", "--to", "https://10.0.0.1", "--state-dir", h.path("a b: #")},
	} {
		t.Run(name, func(t *testing.T) {
			h.write("printed.yaml", h.ok(append([]string{"proxy", "--print-config"}, args...)...))
			assert.Equal(t, "printed.yaml: ok\n", h.ok("check", "-c", "printed.yaml"))
		})
	}
	r := h.run("proxy", "--print-config", "--strategy", "consistent-hash", "--to", ":9001")
	h.write("printed.yaml", r.out)
	r = h.run("check", "-c", "printed.yaml")
	assert.Equal(t, 2, r.code, "consistent-hash needs a key")
	assert.Contains(t, r.err, "printed.yaml:")
	assert.Contains(t, r.err, "key")
}
