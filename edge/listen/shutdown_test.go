package listen_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/wedge-lb/wedge/edge/listen"
	"github.com/wedge-lb/wedge/edge/proxy"
)

func TestShutdownLetsRequestsFinish(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"h1", "h1 over TLS", "h2", "h3"} {
		t.Run(name, func(t *testing.T) {
			began, finish := make(chan struct{}), make(chan struct{})
			e := start(t, func(x *proxy.Exchange) {
				if string(x.Request.Path) == "/slow" {
					began <- struct{}{}
					<-finish
				}
				answer(x, 200, "done")
			})
			w := find(t, e.ways(), name)
			a, err := w.client.Get(w.url + "/")
			require.NoError(t, err)
			readAll(t, a)
			type result struct {
				a   *http.Response
				err error
			}
			got := make(chan result, 1)
			go func() {
				a, err := w.client.Get(w.url + "/slow")
				got <- result{a, err}
			}()
			<-began
			down := make(chan error, 1)
			go func() { down <- e.server.Shutdown(t.Context()) }()
			require.Eventually(t, func() bool { return refuses(w.url) || name == "h3" }, soon, time.Millisecond)
			select {
			case <-down:
				t.Fatal("did not wait")
			case <-time.After(700 * time.Millisecond): // more than the grace of idle h3 connections
			}
			close(finish)
			r := <-got
			require.NoError(t, r.err)
			if name != "h3" {
				assert.Equal(t, name != "h2", r.a.Close, "Connection: close")
			}
			assert.Equal(t, "done", readAll(t, r.a))
			select {
			case err := <-down:
				assert.NoError(t, err)
			case <-time.After(soon):
				t.Fatal("does not end")
			}
			e.serving.Wait()
			w.client.Timeout = 100 * time.Millisecond
			_, err = w.client.Get(w.url + "/")
			assert.Error(t, err)
		})
	}
}

func find(t *testing.T, ways []way, name string) way {
	for _, w := range ways {
		if w.name == name {
			return w
		}
	}
	t.Fatalf("no way called %s", name)
	return way{}
}

func refuses(url string) bool {
	_, address, _ := bytes.Cut([]byte(url), []byte("//"))
	c, err := net.Dial("tcp", string(address))
	if err == nil {
		c.Close()
	}
	return err != nil
}

func TestShutdownClosesIdleConnectionsAtOnce(t *testing.T) {
	e := start(t, say)
	fresh := e.dial()
	used := e.dial()
	write(t, used, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
	ur := bufio.NewReader(used)
	receive(t, ur, "GET")
	secure := e.dialTLS("http/1.1")
	write(t, secure, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
	sr := bufio.NewReader(secure)
	receive(t, sr, "GET")
	require.Eventually(t, func() bool { return e.server.Stats().OpenPlain == 2 }, soon, time.Millisecond)
	began := time.Now()
	require.NoError(t, e.server.Shutdown(t.Context()))
	assert.Less(t, time.Since(began), soon)
	closed(t, fresh)
	closed(t, ur)
	closed(t, sr)
	st := e.server.Stats()
	assert.Zero(t, st.OpenPlain+st.OpenTLS+st.OpenQUIC)
}

func TestShutdownCutsWhatDoesNotEnd(t *testing.T) {
	for _, name := range []string{"h1", "h1 over TLS", "h2", "h3"} {
		t.Run(name, func(t *testing.T) {
			began := make(chan struct{})
			e := start(t, func(x *proxy.Exchange) {
				interrupted := make(chan struct{})
				x.Abort.Attach(interrupter(func() { close(interrupted) }))
				began <- struct{}{}
				<-interrupted
				x.Abort.Detach()
			})
			w := find(t, e.ways(), name)
			failed := make(chan error, 1)
			go func() {
				_, err := w.client.Get(w.url)
				failed <- err
			}()
			<-began
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			assert.ErrorIs(t, e.server.Shutdown(ctx), context.DeadlineExceeded)
			assert.Error(t, <-failed)
			e.serving.Wait()
		})
	}
}

func TestTheEndOfItsContextCutsAListener(t *testing.T) {
	began := make(chan struct{})
	s := listen.New(listen.Options{Handler: handler(func(x *proxy.Exchange) {
		interrupted := make(chan struct{})
		x.Abort.Attach(interrupter(func() { close(interrupted) }))
		close(began)
		<-interrupted
		x.Abort.Detach()
	})})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- s.ServeTCP(ctx, l) }()
	c, err := net.Dial("tcp", l.Addr().String())
	require.NoError(t, err)
	defer c.Close()
	write(t, c, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
	<-began
	cancel()
	assert.NoError(t, <-ended)
	_, err = c.Read(make([]byte, 1))
	assert.Error(t, err)

	require.NoError(t, s.Shutdown(t.Context()))
	l, err = net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	assert.ErrorIs(t, s.ServeTCP(t.Context(), l), listen.ErrClosed)
	_, err = l.Accept()
	assert.ErrorIs(t, err, net.ErrClosed)
}

// A brokenListener fails until it is closed.
type brokenListener struct {
	net.Listener
	failed chan struct{}
}

func (b *brokenListener) Accept() (net.Conn, error) {
	select {
	case b.failed <- struct{}{}:
		return nil, errors.New("too many open files")
	default:
		return b.Listener.Accept()
	}
}

func TestAcceptGoesOnAfterAnError(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s := listen.New(listen.Options{Handler: handler(say)})
	b := &brokenListener{l, make(chan struct{}, 3)}
	ended := make(chan error)
	go func() { ended <- s.ServeTCP(t.Context(), b) }()
	c, err := net.Dial("tcp", l.Addr().String())
	require.NoError(t, err)
	defer c.Close()
	write(t, c, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
	_, body := receive(t, bufio.NewReader(c), "GET")
	assert.Equal(t, "GET / ", body)
	require.NoError(t, s.Shutdown(t.Context()))
	require.NoError(t, <-ended)
	_, err = io.ReadAll(c)
	assert.NoError(t, err)
}
