package health_test

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/wedge-lb/wedge/edge/health"
)

// verdict probes a real server, whose backend begins down, until the first word on it; it gives the state and
// the reason.
func verdict(t *testing.T, s *httptest.Server, transport http.RoundTripper) (string, string) {
	t.Helper()
	scheme := "http"
	if s.TLS != nil {
		scheme = "https"
	}
	return asked(t, scheme, s.Listener.Addr().String(), health.Probe{Transport: transport})
}

func answer(status int) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) })
}

func start(t *testing.T, h http.Handler, configure func(*httptest.Server)) *httptest.Server {
	t.Helper()
	s := httptest.NewUnstartedServer(h)
	s.Config.ErrorLog = nil
	configure(s)
	t.Cleanup(s.Close)
	return s
}

func plain(s *httptest.Server) { s.Start() }

func TestProbesSpeakThePoolsProtocol(t *testing.T) {
	h2c := func(s *httptest.Server) {
		s.Config.Protocols = new(http.Protocols)
		s.Config.Protocols.SetUnencryptedHTTP2(true)
		s.Start()
	}
	secure := func(s *httptest.Server) { s.EnableHTTP2 = true; s.StartTLS() }
	for name, tt := range map[string]struct {
		protocol string
		start    func(*httptest.Server)
		trusted  bool
		want     string
	}{
		"h1":                         {"h1", plain, false, "ready"},
		"h2c":                        {"h2c", h2c, false, "ready"},
		"h1 to h2c":                  {"h1", h2c, false, "down"},
		"h1 over TLS":                {"h1", secure, true, "ready"},
		"h2 over TLS":                {"h2", secure, true, "ready"},
		"a certificate nobody knows": {"h1", secure, false, "down"},
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, answer(200), tt.start)
			var c *tls.Config
			if tt.trusted {
				roots := x509.NewCertPool()
				roots.AddCert(s.Certificate())
				c = &tls.Config{RootCAs: roots}
			}
			got, reason := verdict(t, s, health.NewTransport(tt.protocol, c, nil))
			assert.Equal(t, tt.want, got, reason)
		})
	}
}

func TestARedirectIsNotFollowed(t *testing.T) {
	s := start(t, http.RedirectHandler("http://192.0.2.1/", http.StatusFound), plain)
	got, reason := verdict(t, s, health.NewTransport("h1", nil, nil))
	assert.Equal(t, "ready", got, reason)
}

func TestHostileAnswersAreFailures(t *testing.T) {
	for name, h := range map[string]http.Handler{
		"no answer": http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }),
		"a huge head": http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Huge", strings.Repeat("a", 1<<20))
		}),
		"another protocol": http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			hijacked(w, "220 smtp.example.com ESMTP\r\n")
		}),
	} {
		t.Run(name, func(t *testing.T) {
			got, reason := verdict(t, start(t, h, plain), health.NewTransport("h1", nil, nil))
			assert.Equal(t, "down", got)
			assert.Contains(t, reason, "probe http://127.0.0.1:")
		})
	}
}

func TestAnEndlessBodyIsNotRead(t *testing.T) {
	s := start(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for {
			if _, err := w.Write(make([]byte, 64<<10)); err != nil {
				return
			}
		}
	}), plain)
	got, reason := verdict(t, s, health.NewTransport("h1", nil, nil))
	assert.Equal(t, "ready", got, reason)
}

func hijacked(w http.ResponseWriter, text string) {
	c, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		return
	}
	defer c.Close()
	_, _ = c.(*net.TCPConn).Write([]byte(text)) // the prober may have left
}
