package listen_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/wedge-lb/wedge/edge/listen"
	"github.com/wedge-lb/wedge/edge/proxy"
)

func limits(change func(*listen.Limits)) func(*listen.Options) {
	return func(o *listen.Options) { change(&o.Limits) }
}

// soon is what nothing that is bound to happen at once or at a short deadline takes longer than, however
// loaded the machine is. The deadlines that must not be what ended it are longer, or none.
const soon = 20 * time.Second

// within asserts that c is closed by the edge, soon but not before least from now.
func within(t *testing.T, c net.Conn, least time.Duration) string {
	t.Helper()
	began := time.Now()
	require.NoError(t, c.SetReadDeadline(began.Add(soon)))
	b, err := io.ReadAll(c) // a reset is as good
	assert.NotErrorIs(t, err, os.ErrDeadlineExceeded, "still open")
	passed := time.Since(began)
	assert.GreaterOrEqual(t, passed, least)
	return string(b)
}

func TestAnIdleConnectionIsClosed(t *testing.T) {
	t.Parallel()
	e := start(t, say, limits(func(l *listen.Limits) { l.IdleTimeout = time.Second }))
	assert.Empty(t, within(t, e.dial(), 200*time.Millisecond), "before the first request")
	c := e.dial()
	write(t, c, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
	assert.Contains(t, within(t, c, 200*time.Millisecond), "200 OK", "after the first request")
	assert.Empty(t, within(t, e.dialTLS("http/1.1"), 200*time.Millisecond))
	assert.Zero(t, e.server.Stats().TimedOut)
}

func TestASlowHeadIsAnsweredAndClosed(t *testing.T) {
	t.Parallel()
	e := start(t, say, limits(func(l *listen.Limits) { l.HeaderTimeout = 500 * time.Millisecond }))
	slow := func(c net.Conn) {
		for i := 0; ; i++ {
			if _, err := fmt.Fprintf(c, "A%d: b\r\n", i); err != nil {
				return
			}
			<-time.After(50 * time.Millisecond) // each byte within any idle time
		}
	}
	conns := map[string]net.Conn{"plain": e.dial(), "TLS": e.dialTLS("http/1.1"), "one byte": e.dial()}
	for name, c := range conns {
		t.Run(name, func(t *testing.T) {
			began := time.Now()
			write(t, c, "G")
			if name != "one byte" {
				write(t, c, "ET / HTTP/1.1\r\nHost: h\r\n")
				go slow(c)
			}
			a, err := http.ReadResponse(bufio.NewReader(c), nil)
			require.NoError(t, err)
			assert.Equal(t, 408, a.StatusCode)
			assert.Greater(t, time.Since(began), 400*time.Millisecond)
			assert.Less(t, time.Since(began), soon)
			c.Close()
		})
	}
	assert.EqualValues(t, 3, e.server.Stats().TimedOut)
}

func TestASlowHandlerDoesNotCountAsASlowHead(t *testing.T) {
	t.Parallel()
	e := start(t, func(x *proxy.Exchange) {
		<-time.After(700 * time.Millisecond)
		say(x)
	}, limits(func(l *listen.Limits) {
		l.HeaderTimeout, l.IdleTimeout = 100*time.Millisecond, 100*time.Millisecond
	}))
	c := e.dial()
	write(t, c, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
	_, body := receive(t, bufio.NewReader(c), "GET")
	assert.Equal(t, "GET / ", body)
}

func TestASlowBodyIsGivenUp(t *testing.T) {
	t.Parallel()
	e := start(t, say, limits(func(l *listen.Limits) { l.BodyTimeout, l.MinRate = time.Second, 1000 }))
	drips := map[string]time.Duration{"silent": time.Hour, "a byte now and then": 50 * time.Millisecond}
	for name, drip := range drips {
		t.Run(name, func(t *testing.T) {
			c := e.dial()
			write(t, c, "PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\n")
			gone, stop := context.WithCancel(t.Context())
			defer stop()
			go func() {
				for {
					select {
					case <-time.After(drip):
						c.Write([]byte("x"))
					case <-gone.Done():
						return
					}
				}
			}()
			within(t, c, 250*time.Millisecond)
		})
	}
	assert.EqualValues(t, 2, e.server.Stats().TimedOut)
}

func TestABodyAtTheMinimumRateIsTaken(t *testing.T) {
	t.Parallel()
	e := start(t, say, limits(func(l *listen.Limits) { l.BodyTimeout, l.MinRate = 2*time.Second, 100 }))
	c := e.dial()
	write(t, c, "PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 2000\r\n\r\n")
	go func() {
		for range 10 {
			<-time.After(300 * time.Millisecond)
			io.WriteString(c, strings.Repeat("x", 200))
		}
	}()
	_, body := receive(t, bufio.NewReader(c), "PUT")
	assert.Len(t, body, len("PUT / ")+2000)
}

func TestAClientThatDoesNotReadIsGivenUp(t *testing.T) {
	t.Parallel()
	failed := make(chan error, 1)
	e := start(t, func(x *proxy.Exchange) {
		x.Reply.Head(200, nil, -1)
		for {
			if _, err := x.Reply.Write(make([]byte, 64<<10)); err != nil {
				failed <- err
				return
			}
		}
	}, limits(func(l *listen.Limits) { l.BodyTimeout = 300 * time.Millisecond }))
	e.each(t, func(t *testing.T, w way) {
		began := time.Now()
		a, err := w.client.Get(w.url)
		require.NoError(t, err)
		defer a.Body.Close()
		select {
		case err := <-failed:
			assert.Error(t, err)
			assert.Greater(t, time.Since(began), 250*time.Millisecond)
		case <-time.After(soon):
			t.Fatal("still writing")
		}
		_, err = io.Copy(io.Discard, a.Body)
		assert.Error(t, err)
	})
}

func TestASilentBodyIsGivenUpOnStreams(t *testing.T) {
	t.Parallel()
	failed := make(chan error, 1)
	e := start(t, func(x *proxy.Exchange) {
		_, err := io.Copy(io.Discard, x.Request.Body)
		failed <- err
		answer(x, 408, "")
	}, limits(func(l *listen.Limits) { l.BodyTimeout = 300 * time.Millisecond }))
	e.each(t, func(t *testing.T, w way) {
		body, end := io.Pipe()
		defer end.Close()
		go io.WriteString(end, "first")
		r, err := http.NewRequest("POST", w.url, body)
		require.NoError(t, err)
		go func() {
			if a, err := w.client.Do(r); err == nil {
				a.Body.Close()
			}
		}()
		select {
		case err := <-failed:
			assert.Error(t, err)
		case <-time.After(soon):
			t.Fatal("still reading")
		}
	})
}

func TestAConversationMayBeQuiet(t *testing.T) {
	t.Parallel()
	e := start(t, echoParts, limits(func(l *listen.Limits) { l.BodyTimeout = 200 * time.Millisecond }))
	e.each(t, func(t *testing.T, w way) {
		body, end := io.Pipe()
		r, err := http.NewRequest("POST", w.url, body)
		require.NoError(t, err)
		a, err := w.client.Do(r)
		require.NoError(t, err)
		got := make([]byte, 4)
		for range 3 {
			<-time.After(500 * time.Millisecond)
			write(t, end, "part")
			_, err = io.ReadFull(a.Body, got)
			require.NoError(t, err)
			assert.Equal(t, "part", string(got))
		}
		end.Close()
		assert.Empty(t, readAll(t, a))
	})
}

// echoParts sends each part of the body back at once.
func echoParts(x *proxy.Exchange) {
	x.Reply.Head(200, nil, -1)
	x.Reply.Flush()
	var buf [512]byte
	for {
		n, err := x.Request.Body.Read(buf[:])
		if n > 0 {
			x.Reply.Write(buf[:n])
			x.Reply.Flush()
		}
		if err == io.EOF {
			x.Reply.End(nil)
			return
		}
		if err != nil {
			x.Reply.Cut()
			return
		}
	}
}

func TestAQuietAnswerIsNotCut(t *testing.T) {
	t.Parallel()
	e := start(t, func(x *proxy.Exchange) {
		x.Reply.Head(200, nil, -1)
		for range 3 {
			x.Reply.Write([]byte("event"))
			x.Reply.Flush()
			<-time.After(1300 * time.Millisecond)
		}
		x.Reply.End(nil)
	}, limits(func(l *listen.Limits) {
		l.BodyTimeout, l.HeaderTimeout = time.Second, time.Second
		l.IdleTimeout = time.Second
	}))
	e.each(t, func(t *testing.T, w way) {
		a, err := w.client.Get(w.url)
		require.NoError(t, err)
		assert.Equal(t, "eventeventevent", readAll(t, a))
	})
}

const halfHello = "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"

func TestAStalledHandshakeIsGivenUp(t *testing.T) {
	e := start(t, say, limits(func(l *listen.Limits) { l.HandshakeTimeout = time.Second }))
	for name, hello := range map[string]string{"silent": "", "half a hello": halfHello} {
		t.Run(name, func(t *testing.T) {
			c, err := net.Dial("tcp", e.secure)
			require.NoError(t, err)
			defer c.Close()
			write(t, c, hello)
			within(t, c, 200*time.Millisecond)
		})
	}
	assert.EqualValues(t, 2, e.server.Stats().HandshakeErrors)
}

func TestDeadlinesEndWithWhatTheyAreFor(t *testing.T) {
	t.Parallel()
	e := start(t, say, limits(func(l *listen.Limits) {
		const short = 700 * time.Millisecond
		l.HandshakeTimeout, l.HeaderTimeout, l.BodyTimeout = short, short, short
	}))
	e.each(t, func(t *testing.T, w way) {
		for range 2 {
			a, err := w.client.Post(w.url, "", onlyReader{strings.NewReader("body")})
			require.NoError(t, err)
			assert.Equal(t, "POST / body", readAll(t, a))
			<-time.After(900 * time.Millisecond)
		}
	})
	st := e.server.Stats()
	assert.EqualValues(t, []int64{2, 1, 1}, []int64{st.H1, st.H2, st.H3}, "no connection was lost")
}

func TestTheOldestHandshakeGivesWay(t *testing.T) {
	e := start(t, say, limits(func(l *listen.Limits) { l.Handshakes, l.HandshakeTimeout = 3, time.Minute }))
	var stalled []net.Conn
	for range 5 {
		c, err := net.Dial("tcp", e.secure)
		require.NoError(t, err)
		defer c.Close()
		stalled = append(stalled, c)
	}
	for _, c := range stalled[:2] {
		within(t, c, 0)
	}
	c := e.dialTLS("http/1.1")
	write(t, c, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
	_, body := receive(t, bufio.NewReader(c), "GET")
	assert.Equal(t, "GET / ", body)
	within(t, stalled[2], 0)
}

func TestConnectionsOverTheLimitAreRefused(t *testing.T) {
	e := start(t, say, limits(func(l *listen.Limits) { l.ConnectionsPerAddress = 3 }))
	from := func(ip string) net.Conn {
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(ip)}}
		c, err := d.Dial("tcp", e.plain)
		require.NoError(t, err)
		t.Cleanup(func() { c.Close() })
		return c
	}
	served := func(c net.Conn) bool {
		io.WriteString(c, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
		_, err := http.ReadResponse(bufio.NewReader(c), nil)
		return err == nil
	}
	var kept []net.Conn
	for range 3 {
		kept = append(kept, from("127.0.0.2"))
		require.True(t, served(kept[len(kept)-1]))
	}
	assert.False(t, served(from("127.0.0.2")), "the address has its share")
	assert.True(t, served(from("127.0.0.3")), "others are not touched")
	kept[0].Close()
	require.Eventually(t, func() bool { return served(from("127.0.0.2")) }, soon, 5*time.Millisecond)

	e.server.SetLimits(listen.Limits{Connections: 4})
	assert.False(t, served(from("127.0.0.4")), "all together")
	assert.True(t, served(kept[1]), "those that are in stay")
	assert.GreaterOrEqual(t, e.server.Stats().Refused, int64(2))
}

func (e *edge) quic(ctx context.Context) (*quic.Conn, error) {
	return quic.DialAddr(ctx, e.quick, e.clientTLS("h3"), nil)
}

func TestQUICConnectionsOverTheLimitAreRefused(t *testing.T) {
	e := start(t, say, limits(func(l *listen.Limits) { l.ConnectionsPerAddress = 2 }))
	for range 2 {
		c, err := e.quic(t.Context())
		require.NoError(t, err)
		defer c.CloseWithError(0, "")
	}
	_, err := e.quic(t.Context())
	assert.Error(t, err)
	require.Eventually(t, func() bool { return e.server.Stats().OpenQUIC == 2 }, soon, time.Millisecond)
	assert.Positive(t, e.server.Stats().Refused)
	c := e.dial() // of the same address, which has spent its share
	within(t, c, 0)
}

func TestManyQUICHandshakesMustProveTheirAddress(t *testing.T) {
	e := start(t, say, limits(func(l *listen.Limits) {
		l.RetryAbove, l.HandshakeTimeout = 1, 3*time.Second
	}))
	// A client that sends its first packet and nothing else.
	silent, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	half := &halfPackets{PacketConn: silent}
	tr := &quic.Transport{Conn: half}
	to, err := net.ResolveUDPAddr("udp", e.quick)
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	var wg sync.WaitGroup
	wg.Go(func() { tr.Dial(ctx, to, e.clientTLS("h3"), nil) })
	require.Eventually(t, func() bool { return e.server.Stats().OpenQUIC == 1 }, soon, time.Millisecond)

	c, err := e.quic(t.Context())
	require.NoError(t, err, "an honest client answers the Retry")
	c.CloseWithError(0, "")
	wg.Wait()
	tr.Close()
	silent.Close()
	require.Eventually(t, func() bool { return e.server.Stats().HandshakeErrors == 1 },
		soon, 10*time.Millisecond)
}

// halfPackets lets the first flight out and drops the rest.
type halfPackets struct {
	net.PacketConn
	mu   sync.Mutex
	sent int
}

func (h *halfPackets) WriteTo(p []byte, a net.Addr) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.sent++; h.sent > 2 {
		return len(p), nil
	}
	return h.PacketConn.WriteTo(p, a)
}

func TestTheACMEProtocolIsAHandshakeAndNoMore(t *testing.T) {
	e := start(t, say)
	c := e.dialTLS("acme-tls/1")
	assert.Equal(t, "acme-tls/1", c.ConnectionState().NegotiatedProtocol)
	closed(t, c)
}

func TestProtocolsThatAreOffAreNotNegotiated(t *testing.T) {
	e := start(t, say, func(o *listen.Options) { o.Protocols = listen.H2 })
	closed(t, e.dialTLS("http/1.1"))
	closed(t, e.dialTLS())
	assert.Equal(t, "h2", e.dialTLS("h2", "http/1.1").ConnectionState().NegotiatedProtocol)
}
