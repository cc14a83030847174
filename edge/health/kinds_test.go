package health_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	grpchealth "google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"

	"github.com/wedge-lb/wedge/edge/balance"
	"github.com/wedge-lb/wedge/edge/health"
)

// asked probes an address, whose backend begins down, until the first word on it; it gives the state and the
// reason.
func asked(t *testing.T, scheme, address string, probe health.Probe) (string, string) {
	t.Helper()
	p := balance.NewPool("real")
	p.Update([]balance.Spec{{ID: "s", Address: address, Scheme: scheme}})
	require.NoError(t, p.SetUp("s", false))
	told := make(chan health.Event, 16)
	c := health.New(health.Options{Notify: func(e health.Event) { told <- e }})
	probe.Interval, probe.UnhealthyAfter = 5*time.Millisecond, 1
	if probe.Timeout == 0 {
		probe.Timeout = 2 * time.Second
	}
	c.Apply([]health.Config{{Pool: p, Probe: &probe}})
	changed := make(chan struct{}, 1)
	p.Watch(changed)
	defer p.Unwatch(changed)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	wg.Go(func() { assert.NoError(t, c.Run(ctx)) })
	select {
	case e := <-told:
		return state(p, "s"), e.Reason
	case <-changed:
		return state(p, "s"), ""
	case <-ctx.Done():
		t.Fatal("nothing was told")
		return "", ""
	}
}

// listener serves each connection by serve.
func listener(t *testing.T, serve func(c *net.TCPConn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var wg sync.WaitGroup
	t.Cleanup(wg.Wait)
	t.Cleanup(func() { l.Close() })
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer c.Close()
				serve(c.(*net.TCPConn))
			})
		}
	})
	return l.Addr().String()
}

// silence reads until the other side has gone.
func silence(c *net.TCPConn) { _, _ = io.Copy(io.Discard, c) }

func TestATCPProbeConnects(t *testing.T) {
	nobody, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	nobody.Close()
	for name, tt := range map[string]struct {
		address, want, reason string
	}{
		"a server that waits": {listener(t, silence), "ready", ""},
		"a server that speaks": {listener(t, func(c *net.TCPConn) {
			io.WriteString(c,
				"220 hello\r\n")
			silence(c)
		}), "ready", ""},
		"nobody listens":           {nobody.Addr().String(), "down", "connection refused"},
		"it resets at once":        {listener(t, func(c *net.TCPConn) { c.SetLinger(0) }), "down", "reset"},
		"it closes at once":        {listener(t, func(*net.TCPConn) {}), "down", "closed at once"},
		"an address that is none":  {"127.0.0.1:99999", "down", "invalid port"},
		"a name that nobody knows": {"nobody.invalid:80", "down", "lookup"},
	} {
		t.Run(name, func(t *testing.T) {
			got, reason := asked(t, "http", tt.address, health.Probe{Type: health.TCP})
			assert.Equal(t, tt.want, got, reason)
			assert.Contains(t, reason, tt.reason)
		})
	}
}

func TestAConnectionThatDoesNotComeIsAFailure(t *testing.T) {
	never := func(ctx context.Context, _, _ string) (net.Conn, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	got, reason := asked(t, "http", "192.0.2.1:80", health.Probe{
		Type: health.TCP, Dial: never, Timeout: 20 * time.Millisecond,
	})
	assert.Equal(t, "down", got)
	assert.Equal(t, "probe tcp://192.0.2.1:80: no answer in time", reason)
}

func TestTheBodyMustHaveAText(t *testing.T) {
	filler := strings.Repeat("x", 64<<10)
	for name, tt := range map[string]struct {
		write      func(w http.ResponseWriter, r *http.Request)
		want, says string
	}{
		"it has":                   {text("status: all ok"), "ready", ""},
		"it has not":               {text("status: degraded"), "down", `the body has no "all ok"`},
		"no body":                  {text(""), "down", "the body has no"},
		"at the end of the limit":  {text(filler[6:] + "all ok"), "ready", ""},
		"across the limit":         {text(filler[5:] + "all ok"), "down", "the body has no"},
		"in pieces, across writes": {pieces("a", "l", "l", " ", "ok"), "ready", ""},
		"a stream without an end":  {endless("all ok"), "ready", ""},
		"an end that never comes":  {endless("degraded"), "down", "no answer in time"},
		"cut short": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			io.WriteString(w, "all")
		}, "down", "unexpected EOF"},
		"the wrong status": {func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(500)
			io.WriteString(w, "all ok")
		}, "down", "status 500"},
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, http.HandlerFunc(tt.write), plain)
			got, reason := asked(t, "http", s.Listener.Addr().String(), health.Probe{
				Body: "all ok", Timeout: 300 * time.Millisecond,
			})
			assert.Equal(t, tt.want, got, reason)
			assert.Contains(t, reason, tt.says)
		})
	}
}

func text(s string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, s) }
}

func pieces(list ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for _, s := range list {
			io.WriteString(w, s)
			w.(http.Flusher).Flush()
		}
	}
}

func endless(s string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, s)
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	}
}

// grpcServer runs a real gRPC server with the health service, and gives its address.
func grpcServer(t *testing.T, h *grpchealth.Server, o ...grpc.ServerOption) string {
	t.Helper()
	s := grpc.NewServer(o...)
	if h != nil {
		grpc_health_v1.RegisterHealthServer(s, h)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var wg sync.WaitGroup
	wg.Go(func() { _ = s.Serve(l) })
	t.Cleanup(wg.Wait)
	t.Cleanup(s.Stop)
	return l.Addr().String()
}

func TestAGRPCProbeAsksTheHealthService(t *testing.T) {
	h := grpchealth.NewServer()
	h.SetServingStatus("shop.Cart", grpc_health_v1.HealthCheckResponse_SERVING)
	h.SetServingStatus("shop.Mail", grpc_health_v1.HealthCheckResponse_NOT_SERVING)
	h.SetServingStatus("shop.Odd", grpc_health_v1.HealthCheckResponse_UNKNOWN)
	borrowed := httptest.NewTLSServer(nil) // for its certificate
	defer borrowed.Close()
	roots := x509.NewCertPool()
	roots.AddCert(borrowed.Certificate())
	secure := &tls.Config{RootCAs: roots}
	over := map[string]string{
		"http":  grpcServer(t, h),
		"https": grpcServer(t, h, grpc.Creds(credentials.NewTLS(&tls.Config{Certificates: borrowed.TLS.Certificates}))),
	}
	for scheme, address := range over {
		for service, tt := range map[string]struct{ want, reason string }{
			"":                          {"ready", ""},
			"shop.Cart":                 {"ready", ""},
			"shop.Mail":                 {"down", "NOT_SERVING"},
			"shop.Odd":                  {"down", "UNKNOWN"},
			"shop.Gone":                 {"down", `gRPC status "5"`},
			strings.Repeat("long.", 99): {"down", `gRPC status "5"`},
		} {
			t.Run(scheme+" "+service[:min(len(service), 12)], func(t *testing.T) {
				got, reason := asked(t, scheme, address, health.Probe{
					Type: health.GRPC, Service: service, Transport: health.NewTransport("grpc", secure, nil),
				})
				assert.Equal(t, tt.want, got, reason)
				assert.Contains(t, reason, tt.reason)
			})
		}
	}
	t.Run("without the service", func(t *testing.T) {
		got, reason := asked(t, "http", grpcServer(t, nil), health.Probe{Type: health.GRPC})
		assert.Equal(t, "down", got)
		assert.Contains(t, reason, `gRPC status "12"`)
	})
	t.Run("a server of HTTP/1.1", func(t *testing.T) {
		s := start(t, answer(200), plain)
		got, _ := asked(t, "http", s.Listener.Addr().String(), health.Probe{Type: health.GRPC})
		assert.Equal(t, "down", got)
	})
}

// message puts a protocol buffer into the frame of gRPC.
func message(m string) string {
	return "\x00" + string(binary.BigEndian.AppendUint32(nil, uint32(len(m)))) + m
}

func TestHostileGRPCAnswersAreFailures(t *testing.T) {
	ok := func(body string) http.HandlerFunc { return speaks("application/grpc", body, "0") }
	for name, tt := range map[string]struct {
		h      http.HandlerFunc
		want   string
		reason string
	}{
		"serving": {ok(message("\x08\x01")), "ready", ""},
		"serving, with more fields": {ok(message("\x12\x02hi\x08\x01\x1d\x00\x00\x00\x00\x21aaaaaaaa")),
			"ready", ""},
		"the last word counts":       {ok(message("\x08\x01\x08\x02")), "down", "NOT_SERVING"},
		"no word":                    {ok(message("")), "down", "UNKNOWN"},
		"a word nobody knows":        {ok(message("\x08\xff\x7f")), "down", "status 16383"},
		"no message":                 {ok(""), "down", "not one plain gRPC message"},
		"half of a frame":            {ok("\x00\x00\x00"), "down", "not one plain gRPC message"},
		"a message that is too long": {ok("\x00\xff\xff\xff\xff\x08\x01"), "down", "not one plain gRPC message"},
		"two messages": {ok(message("\x08\x01") + message("\x08\x01")), "down",
			"not one plain gRPC message"},
		"compressed":              {ok("\x01\x00\x00\x00\x02\x08\x01"), "down", "not one plain gRPC message"},
		"a number without an end": {ok(message("\x08\x80")), "down", "no protocol buffer"},
		"a length past the end":   {ok(message("\x12\x7fhi")), "down", "no protocol buffer"},
		"field 0":                 {ok(message("\x00\x01")), "down", "no protocol buffer"},
		"a group":                 {ok(message("\x0b\x0c")), "down", "no protocol buffer"},
		"without a status": {speaks("application/grpc", message("\x08\x01"), ""), "down",
			`gRPC status ""`},
		"with an error's": {speaks("application/grpc", message("\x08\x01"), "14"), "down",
			`gRPC status "14"`},
		"another type":      {speaks("text/html", message("\x08\x01"), "0"), "down", "no gRPC answer"},
		"more than is read": {ok(message(strings.Repeat("a", 65<<10))), "down", "too long"},
		"without an end":    {endless(message("\x08\x01")), "down", "probe http://"},
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, tt.h, func(s *httptest.Server) {
				s.Config.Protocols = new(http.Protocols)
				s.Config.Protocols.SetUnencryptedHTTP2(true)
				s.Start()
			})
			got, reason := asked(t, "http", s.Listener.Addr().String(), health.Probe{
				Type: health.GRPC, Timeout: 500 * time.Millisecond,
			})
			assert.Equal(t, tt.want, got, reason)
			assert.Contains(t, reason, tt.reason)
		})
	}
}

// speaks answers with a body and, unless it is empty, a gRPC status as trailer.
func speaks(kind, body, status string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", kind)
		io.WriteString(w, body)
		if status != "" {
			w.Header().Set(http.TrailerPrefix+"Grpc-Status", status)
		}
	}
}

// FuzzGRPCAnswer holds that nothing but a message with a status is taken for a good one, and that nothing panics.
func FuzzGRPCAnswer(f *testing.F) {
	for _, m := range []string{"\x08\x01", "\x08\x02", "", "\x12\x02hi\x08\x01", "\x08\x80", "\x0b",
		"\x08\x01\x08\x00"} {
		f.Add([]byte(message(m)))
	}
	f.Add([]byte("\x00\x00"))
	f.Fuzz(func(t *testing.T, frame []byte) {
		err := health.CheckAnswer(frame)
		if err == nil {
			require.GreaterOrEqual(t, len(frame), 7)
			require.Contains(t, string(frame[5:]), "\x08", "field 1 must be there")
		}
	})
}

// A backend that wants a PROXY header is told that the connection is the edge's own.
func TestProbesBeginWithAPROXYHeader(t *testing.T) {
	const local = "\r\n\r\n\x00\r\nQUIT\n\x20\x00\x00\x00"
	got := make(chan string, 64)
	address := listener(t, func(c *net.TCPConn) {
		head := make([]byte, len(local))
		if _, err := io.ReadFull(c, head); err != nil {
			return
		}
		got <- string(head)
		if _, err := http.ReadRequest(bufio.NewReader(c)); err == nil {
			io.WriteString(c, "HTTP/1.1 204 No Content\r\n\r\n")
		}
	})
	for name, kind := range map[string]health.Type{"http": health.HTTP, "tcp": health.TCP} {
		t.Run(name, func(t *testing.T) {
			state, reason := asked(t, "http", address, health.Probe{
				Type: kind, Dial: health.ProxyDial, Transport: health.NewTransport("h1", nil, health.ProxyDial),
			})
			assert.Equal(t, "ready", state, reason)
			assert.Equal(t, local, <-got)
		})
	}
}
