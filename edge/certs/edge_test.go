package certs_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/stretchr/testify/require"

	"github.com/wedge-lb/wedge/edge/certs"
)

// edge stands for the listeners: plain, TLS and QUIC on random ports of loopback, over whichever Manager is
// set.
type edge struct {
	plain, tls net.Listener
	udp        net.PacketConn
	manager    atomic.Pointer[certs.Manager]
}

// newEdge starts the listeners; startQUIC adds h3.
func newEdge(t *testing.T) *edge {
	t.Helper()
	e := &edge{}
	var err error
	e.plain, err = net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	e.tls, err = net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	plain := &http.Server{Handler: http.HandlerFunc(e.servePlain)}
	secure := &http.Server{
		Handler:   http.HandlerFunc(e.serveTLS),
		TLSConfig: &tls.Config{GetConfigForClient: e.config},
		ErrorLog:  log.New(io.Discard, "", 0),
		// the connection of a validation ends here, as in the real listener
		TLSNextProto: map[string]func(*http.Server, *tls.Conn, http.Handler){
			certs.ChallengeProto: func(*http.Server, *tls.Conn, http.Handler) {},
		},
	}
	var wg sync.WaitGroup
	wg.Go(func() { plain.Serve(e.plain) })
	wg.Go(func() { secure.ServeTLS(e.tls, "", "") })
	t.Cleanup(func() {
		plain.Close()
		secure.Close()
		wg.Wait()
	})
	return e
}

// takePlain ends the plain listener and returns a new one on its port.
func (e *edge) takePlain(t *testing.T) net.Listener {
	t.Helper()
	e.plain.Close()
	l, err := net.Listen("tcp", e.plain.Addr().String())
	require.NoError(t, err)
	return l
}

// use puts m behind the listeners.
func (e *edge) use(m *certs.Manager) { e.manager.Store(m) }

func (e *edge) config(hello *tls.ClientHelloInfo) (*tls.Config, error) {
	m := e.manager.Load()
	if m == nil {
		return nil, errors.New("no manager")
	}
	return m.TLSConfig("http/1.1").GetConfigForClient(hello)
}

func (e *edge) servePlain(w http.ResponseWriter, r *http.Request) {
	m := e.manager.Load()
	if m == nil {
		http.NotFound(w, r)
		return
	}
	body, ok := m.HTTPChallenge(r.Host, r.URL.Path)
	if !ok {
		http.NotFound(w, r)
		return
	}
	io.WriteString(w, body)
}

func (e *edge) serveTLS(w http.ResponseWriter, r *http.Request) {
	local := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	if !e.manager.Load().Conn(r.TLS, local).Serves(r.Host) {
		w.WriteHeader(http.StatusMisdirectedRequest)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// dialTLS makes one handshake over TCP and returns its state.
func (e *edge) dialTLS(c *tls.Config) (tls.ConnectionState, error) {
	d := tls.Dialer{NetDialer: &net.Dialer{Timeout: 10 * time.Second}, Config: c}
	conn, err := d.Dial("tcp", e.tls.Addr().String())
	if err != nil {
		return tls.ConnectionState{}, err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(10 * time.Second))
	// in TLS 1.3 the server's verdict on a client certificate comes after the client's handshake
	if _, err = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"); err == nil {
		_, err = io.ReadAll(conn)
	}
	return conn.(*tls.Conn).ConnectionState(), err
}

// startQUIC opens an h3 listener that tells each client whether its own name is served: one octet on a
// stream.
func (e *edge) startQUIC(t *testing.T) {
	t.Helper()
	var err error
	e.udp, err = net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	l, err := quic.Listen(e.udp, e.manager.Load().TLSConfig("h3"), nil)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := l.Accept(ctx)
			if err != nil {
				return
			}
			wg.Go(func() { e.serveQUIC(ctx, c) })
		}
	})
	t.Cleanup(func() {
		cancel()
		l.Close()
		e.udp.Close()
		wg.Wait()
	})
}

func (e *edge) serveQUIC(ctx context.Context, c *quic.Conn) {
	state := c.ConnectionState().TLS
	verdict := []byte("n")
	if e.manager.Load().Conn(&state, c.LocalAddr()).Serves(state.ServerName) {
		verdict = []byte("y")
	}
	s, err := c.OpenUniStream()
	if err == nil {
		s.Write(verdict)
		s.Close()
	}
	select {
	case <-c.Context().Done():
	case <-ctx.Done():
		c.CloseWithError(0, "")
	}
}

// dialQUIC makes one handshake over QUIC and returns its state.
func (e *edge) dialQUIC(c *tls.Config) (tls.ConnectionState, error) {
	c = c.Clone()
	c.NextProtos = []string{"h3"}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	conn, err := quic.DialAddr(ctx, e.udp.LocalAddr().String(), c, nil)
	if err != nil {
		return tls.ConnectionState{}, err
	}
	defer conn.CloseWithError(0, "")
	s, err := conn.AcceptUniStream(ctx)
	if err != nil {
		return tls.ConnectionState{}, err
	}
	verdict, err := io.ReadAll(s)
	if err == nil && string(verdict) != "y" {
		err = errors.New("misdirected")
	}
	return conn.ConnectionState().TLS, err
}

// newManager makes a manager over dir with quick checks.
func newManager(t *testing.T, dir string, change func(*certs.Options)) *certs.Manager {
	t.Helper()
	o := certs.Options{StateDir: dir, CheckEvery: 100 * time.Millisecond, RetryAfter: 200 * time.Millisecond}
	if testing.Verbose() {
		o.Logger = slog.New(slog.NewTextHandler(t.Output(), nil))
	}
	if change != nil {
		change(&o)
	}
	m, err := certs.New(o)
	require.NoError(t, err)
	return m
}

// run runs m until the test ends or stop is called, which proves that Run returns.
func run(t *testing.T, m *certs.Manager) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- m.Run(ctx) }()
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			select {
			case err := <-done:
				require.NoError(t, err)
			case <-time.After(10 * time.Second):
				t.Error("Run does not end")
			}
		})
	}
	t.Cleanup(stop)
	return stop
}

func clientFor(roots *x509.CertPool, name string) *tls.Config {
	return &tls.Config{
		RootCAs: roots, ServerName: name, NextProtos: []string{"http/1.1"},
		CurvePreferences: []tls.CurveID{tls.X25519},
	}
}
