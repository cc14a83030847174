package upstream_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedge-lb/wedge/edge/balance"
	"github.com/wedge-lb/wedge/edge/http1"
	"github.com/wedge-lb/wedge/edge/upstream"
)

// picky is a backend that wants a certificate of its clients while strict says so.
func picky(t *testing.T, protocol string, strict *atomic.Bool) (*httptest.Server, upstream.Settings) {
	s := httptest.NewUnstartedServer(http.HandlerFunc(echoHandler))
	s.EnableHTTP2 = protocol == "h2"
	s.Config.ErrorLog = quietLog()
	s.TLS = &tls.Config{}
	s.TLS.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
		c := s.TLS.Clone()
		if strict.Load() {
			c.ClientAuth = tls.RequireAnyClientCert
		}
		return c, nil
	}
	s.StartTLS()
	t.Cleanup(s.Close)
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	return s, upstream.Settings{Protocol: protocol, TLS: &tls.Config{RootCAs: roots}}
}

// In TLS 1.3 the refusal comes when the request is on its way already: sooner or later than that, it is told.
func TestARefusedHandshakeIsNoConnection(t *testing.T) {
	for _, protocol := range []string{"h1", "h2"} {
		for name, tt := range map[string]struct {
			sent bool
			body func(r *http1.Request)
		}{
			"no body":        {false, func(*http1.Request) {}},
			"a body at hand": {false, func(r *http1.Request) { r.Length, r.Buffered = 5, []byte("hello") }},
			"a body once":    {true, func(r *http1.Request) { r.Length, r.Body = 5, strings.NewReader("hello") }},
			"a body in parts": {true, func(r *http1.Request) {
				r.Length, r.Body = http1.Unknown, strings.NewReader("hello")
			}},
		} {
			t.Run(protocol+" "+name, func(t *testing.T) {
				var strict atomic.Bool
				strict.Store(true)
				s, settings := picky(t, protocol, &strict)
				b, tr := backendAt(s.Listener.Addr().String(), "https"), transport(t, settings)
				for range 100 {
					r := request("POST", "/x")
					tt.body(r)
					_, _, err := fetch(tr, b, r)
					kind, sent := kindOf(t, err)
					require.Equal(t, balance.ConnectFailed, kind, "%v", err)
					require.Equal(t, tt.sent, sent)
					require.ErrorContains(t, err, "remote error: tls: certificate required")
				}
			})
		}
	}
}

func TestTLSThatBeginsToFailIsLoggedOnceUntilItWorksAgain(t *testing.T) {
	for _, protocol := range []string{"h1", "h2"} {
		t.Run(protocol, func(t *testing.T) {
			var strict atomic.Bool
			var log bytes.Buffer
			s, settings := picky(t, protocol, &strict)
			address := s.Listener.Addr().String()
			b := backendAt(address, "https")
			tr := upstream.New(upstream.Options{Defaults: settings, Logger: slog.New(slog.NewTextHandler(&log, nil))})
			t.Cleanup(tr.Close)
			ask := func(want bool) {
				t.Helper()
				s.CloseClientConnections()
				rest()
				require.Eventually(t, func() bool { // an h2 connection is seen to be closed as it waits
					list := tr.Stats()
					return protocol == "h1" || len(list) == 0 || list[0].Open == 0
				}, 5*time.Second, time.Millisecond)
				_, _, err := fetch(tr, b, request("GET", "/x"))
				require.Equal(t, want, err == nil, "%v", err)
			}
			ask(true)
			assert.Empty(t, log.String())
			strict.Store(true)
			ask(false)
			ask(false)
			strict.Store(false)
			ask(true)
			ask(true)
			strict.Store(true)
			ask(false)
			fails := "level=WARN msg=\"TLS with a backend fails\" pool=pool backend=" + address +
				" error=\"remote error: tls: certificate required\" client_certificate=none\n"
			works := "level=INFO msg=\"TLS with a backend works again\" pool=pool backend=" + address + "\n"
			var lines strings.Builder
			for line := range strings.Lines(log.String()) {
				_, rest, _ := strings.Cut(line, " ") // the time
				lines.WriteString(rest)
			}
			assert.Equal(t, fails+works+fails, lines.String())
		})
	}
}

func TestTheCertificateIsShownWhateverIssuersTheBackendNames(t *testing.T) {
	for _, protocol := range []string{"h1", "h2"} {
		t.Run(protocol, func(t *testing.T) {
			s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.WriteString(w, r.TLS.PeerCertificates[0].Subject.Organization[0])
			}))
			s.EnableHTTP2 = protocol == "h2"
			s.TLS = &tls.Config{ClientAuth: tls.RequireAnyClientCert, ClientCAs: x509.NewCertPool()}
			s.TLS.ClientCAs.AddCert(&x509.Certificate{Raw: []byte("x"), RawSubject: []byte("\x30\x00")})
			s.StartTLS()
			defer s.Close()
			_, body, err := fetch(transport(t, upstream.Settings{Protocol: protocol, TLS: &tls.Config{
				Certificates: s.TLS.Certificates, InsecureSkipVerify: true,
			}}), backendAt(s.Listener.Addr().String(), "https"), request("GET", "/"))
			require.NoError(t, err)
			assert.Equal(t, "Acme Co", body)
		})
	}
}
