package listen_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/wedge-lb/wedge/edge/proxy"
)

const getSlash = "GET / HTTP/1.1\r\nHost: h\r\n\r\n"

// A client that has said all it will is told so too, however its end arrives.
func TestTheEndBehindARequestIsNoticed(t *testing.T) {
	t.Parallel()
	e := start(t, say)
	for name, dial := range map[string]func() net.Conn{
		"plain": func() net.Conn { return e.dial() },
		"TLS":   func() net.Conn { return e.dialTLS("http/1.1") },
	} {
		for _, before := range []int{0, 1, 3} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				c := dial()
				r := bufio.NewReader(c)
				for range before {
					write(t, c, getSlash)
					receive(t, r, "GET")
				}
				began := time.Now()
				write(t, c, getSlash)
				require.NoError(t, c.(interface{ CloseWrite() error }).CloseWrite())
				_, body := receive(t, r, "GET")
				assert.Equal(t, "GET / ", body)
				assert.Less(t, time.Since(began), time.Second)
				closed(t, r)
				if before == 0 {
					assert.Less(t, time.Since(began), time.Second, "as clients do that ask once")
				}
				assert.Less(t, time.Since(began), asleep+time.Second, "when the connection is put to rest")
			})
		}
	}
}

func TestAPanicCostsOneConnection(t *testing.T) {
	e := start(t, func(x *proxy.Exchange) {
		switch string(x.Request.Path) {
		case "/panic":
			panic("of the handler")
		case "/late":
			x.Reply.Head(200, nil, 100)
			x.Reply.Write([]byte("part"))
			x.Reply.Flush()
			panic("of the handler")
		}
		say(x)
	})
	other := e.dial()
	or := bufio.NewReader(other)
	for i, path := range []string{"/panic", "/late", "/panic"} {
		c := e.dial()
		r := bufio.NewReader(c)
		for range i {
			write(t, c, getSlash)
			receive(t, r, "GET")
		}
		write(t, c, "GET "+path+" HTTP/1.1\r\nHost: h\r\n\r\n"+getSlash)
		all, _ := io.ReadAll(r)
		assert.NotContains(t, string(all), "GET / ", "nothing behind it is served")
		write(t, other, getSlash)
		_, body := receive(t, or, "GET")
		assert.Equal(t, "GET / ", body)
	}
	require.Eventually(t, func() bool { return e.server.Stats().OpenPlain == 1 }, soon, time.Millisecond)
	assert.EqualValues(t, 3, e.server.Stats().Panics)
}

func TestACutIsAReset(t *testing.T) {
	e := start(t, func(x *proxy.Exchange) {
		if string(x.Request.Path) == "/" {
			say(x)
			return
		}
		x.Reply.Head(200, nil, -1)
		x.Reply.Write([]byte("part"))
		x.Reply.Flush()
		x.Reply.Cut()
	})
	for _, before := range []int{0, 2} {
		c := e.dial()
		r := bufio.NewReader(c)
		for range before {
			write(t, c, getSlash)
			receive(t, r, "GET")
		}
		write(t, c, "GET /cut HTTP/1.1\r\nHost: h\r\n\r\n")
		_, err := io.ReadAll(r)
		assert.ErrorIs(t, err, syscall.ECONNRESET)
	}
	require.Eventually(t, func() bool { return e.server.Stats().OpenPlain == 0 }, soon, time.Millisecond)
}

// At its deadline Shutdown ends what hangs: one exchange that waits for its backend, one whose client does not
// read, and one whose connection has served before.
func TestShutdownSeversEveryExchangeThatHangs(t *testing.T) {
	began := make(chan struct{}, 3)
	e := start(t, func(x *proxy.Exchange) {
		switch string(x.Request.Path) {
		case "/wait":
			interrupted := make(chan struct{})
			x.Abort.Attach(interrupter(func() { close(interrupted) }))
			began <- struct{}{}
			<-interrupted
			x.Abort.Detach()
		case "/write":
			began <- struct{}{}
			x.Reply.Head(200, nil, -1)
			for p := make([]byte, 64<<10); ; {
				if _, err := x.Reply.Write(p); err != nil {
					return
				}
			}
		default:
			say(x)
		}
	})
	var conns []net.Conn
	for i, path := range []string{"/wait", "/write", "/wait"} {
		c := e.dial()
		r := bufio.NewReader(c)
		if i == 2 {
			write(t, c, getSlash)
			receive(t, r, "GET")
		}
		write(t, c, "GET "+path+" HTTP/1.1\r\nHost: h\r\n\r\n")
		<-began
		conns = append(conns, c)
	}
	<-time.After(100 * time.Millisecond) // until the writer is stuck
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	at := time.Now()
	assert.ErrorIs(t, e.server.Shutdown(ctx), context.DeadlineExceeded)
	assert.Less(t, time.Since(at), soon)
	e.serving.Wait()
	for _, c := range conns {
		_, err := io.Copy(io.Discard, c)
		if err == nil { // the end of what was never an answer, or of one that is not complete
			continue
		}
		assert.ErrorIs(t, err, syscall.ECONNRESET)
	}
	st := e.server.Stats()
	assert.Zero(t, st.OpenPlain+st.Panics)
	_, err := http.Get("http://" + e.plain)
	assert.Error(t, err, "nobody listens any more")
}
