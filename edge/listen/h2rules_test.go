package listen_test

import (
	"bufio"
	"crypto/sha1"
	"encoding/base64"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/wedge-lb/wedge/edge/http1"
	wire "github.com/wedge-lb/wedge/edge/http2"
	"github.com/wedge-lb/wedge/edge/listen"
	"github.com/wedge-lb/wedge/edge/proxy"
	"golang.org/x/net/http2"
)

func TestSlowH2ClientsAreClosed(t *testing.T) {
	t.Parallel()
	e := start(t, say, limits(func(l *listen.Limits) {
		l.HeaderTimeout, l.IdleTimeout = time.Second, 5*time.Second
	}))
	began := time.Now()
	for name, tt := range map[string]struct {
		do   func(c *h2Raw)
		code http2.ErrCode
	}{
		"half a preface": {nil, http2.ErrCodeSettingsTimeout},
		"half a frame": {func(c *h2Raw) {
			write(t, c.Conn, string(wire.AppendPing(nil, []byte("12345678"), false)[:12]))
		}, http2.ErrCodeEnhanceYourCalm},
		"half a field block": {func(c *h2Raw) {
			c.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: c.encode()})
		}, http2.ErrCodeEnhanceYourCalm},
		"nothing": {func(*h2Raw) {}, http2.ErrCodeNo},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var c *h2Raw
			if tt.do == nil {
				conn := e.dialTLS("h2")
				c = &h2Raw{t: t, Conn: conn, Framer: http2.NewFramer(conn, conn)}
				write(t, conn, http2.ClientPreface[:10])
			} else {
				c = e.h2()
				tt.do(c)
			}
			c.t = t
			end := c.over()
			assert.Equal(t, tt.code, end.goAway)
			assert.Greater(t, time.Since(began), 900*time.Millisecond)
		})
	}
}

func TestSettingsMustBeAcknowledged(t *testing.T) {
	t.Parallel()
	e := start(t, say, limits(func(l *listen.Limits) { l.HeaderTimeout = time.Second }))
	c := e.dialTLS("h2")
	write(t, c, http2.ClientPreface)
	fr := http2.NewFramer(c, c)
	require.NoError(t, fr.WriteSettings())
	raw := &h2Raw{t: t, Conn: c, Framer: fr}
	assert.Equal(t, http2.ErrCodeSettingsTimeout, raw.over().goAway)
}

func TestAnH2DrainIsToldTwice(t *testing.T) {
	began, finish := make(chan struct{}), make(chan struct{})
	e := start(t, func(x *proxy.Exchange) {
		if string(x.Request.Path) == "/slow" {
			close(began)
			<-finish
		}
		answer(x, 200, "")
	})
	c := e.h2()
	slow := c.open(true, ":path", "/slow")
	<-began
	down := make(chan error, 1)
	go func() { down <- e.server.Shutdown(t.Context()) }()
	goAway := func() uint32 {
		for {
			f, err := c.ReadFrame()
			require.NoError(t, err)
			if g, ok := f.(*http2.GoAwayFrame); ok {
				assert.Equal(t, http2.ErrCodeNo, g.ErrCode)
				return g.LastStreamID
			}
		}
	}
	assert.EqualValues(t, 1<<31-1, goAway(), "the end is near")
	assert.Equal(t, "200", c.ends(c.open(true)).status, "it was on its way")
	assert.Equal(t, slow+2, goAway())
	assert.Equal(t, http2.ErrCodeRefusedStream, c.ends(c.open(true)).reset)
	close(finish)
	assert.Equal(t, "200", c.ends(slow).status)
	assert.True(t, c.over().closed)
	require.NoError(t, <-down)
}

func TestAnEarlyH2AnswerEndsTheBody(t *testing.T) {
	e := start(t, func(x *proxy.Exchange) { answer(x, 413, "no") })
	c := e.h2()
	id := c.open(false, ":method", "POST")
	end := c.ends(id)
	assert.Equal(t, "413", end.status)
	assert.True(t, end.end)
	assert.Equal(t, http2.ErrCodeNo, c.ends(id).reset, "and nothing is wrong")
	c.WriteData(id, true, []byte("was on its way"))
	assert.Equal(t, "413", c.ends(c.open(true)).status, "which harms nothing")
}

func TestAnH2ClientThatLeavesAbortsItsRequest(t *testing.T) {
	began, aborted := make(chan struct{}), make(chan struct{})
	e := start(t, func(x *proxy.Exchange) {
		interrupted := make(chan struct{})
		x.Abort.Attach(interrupter(func() { close(interrupted) }))
		began <- struct{}{}
		<-interrupted
		x.Abort.Detach()
		aborted <- struct{}{}
	})
	for name, leave := range map[string]func(c *h2Raw, id uint32){
		"by a reset":        func(c *h2Raw, id uint32) { c.WriteRSTStream(id, http2.ErrCodeCancel) },
		"by closing":        func(c *h2Raw, id uint32) { c.Close() },
		"by a broken frame": func(c *h2Raw, id uint32) { c.WriteRawFrame(http2.FramePing, 0, 0, []byte("1")) },
	} {
		t.Run(name, func(t *testing.T) {
			c := e.h2()
			id := c.open(true)
			<-began
			leave(c, id)
			select {
			case <-aborted:
			case <-time.After(soon):
				t.Fatal("not aborted")
			}
		})
	}
}

// A stream that nobody reads holds its share of the connection's window, and no other stream.
func TestAStalledStreamDelaysNoOther(t *testing.T) {
	const size = 100 << 20
	e := start(t, func(x *proxy.Exchange) {
		if string(x.Request.Path) != "/big" {
			say(x)
			return
		}
		x.Reply.Head(200, nil, size)
		for p := make([]byte, 256<<10); ; {
			if _, err := x.Reply.Write(p); err != nil {
				return
			}
		}
	})
	times := func(c *h2Raw) time.Duration {
		var all []time.Duration
		for range 200 {
			began := time.Now()
			assert.Equal(t, "200", c.ends(c.open(true)).status)
			all = append(all, time.Since(began))
			c.WriteWindowUpdate(0, 16)
		}
		slices.Sort(all)
		return all[len(all)*9/10]
	}
	c := e.h2()
	c.WriteWindowUpdate(0, 1<<20)
	times(c)
	quiet := times(c)
	c.open(true, ":path", "/big")
	for got := 0; got < wire.DefaultWindow; {
		f, err := c.ReadFrame()
		require.NoError(t, err)
		if d, ok := f.(*http2.DataFrame); ok {
			got += len(d.Data())
		}
	}
	stalled := times(c)
	t.Log("quiet", quiet, "beside a stalled stream", stalled)
	assert.Less(t, stalled, 2*quiet+10*time.Millisecond)
}

func TestTheMoreUrgentH2AnswerComesFirst(t *testing.T) {
	const size = 256 << 10
	began, release := make(chan struct{}), make(chan struct{})
	e := start(t, func(x *proxy.Exchange) {
		began <- struct{}{}
		<-release
		x.Reply.Head(200, nil, size)
		x.Reply.Write(make([]byte, size))
		x.Reply.End(nil)
	})
	for name, tt := range map[string]struct {
		first, second string
		update        string // of the first
		inTurn        bool
	}{
		"by the field":     {"u=0", "u=5", "", false},
		"by an update":     {"u=6", "u=5", "u=1", false},
		"one by one":       {"u=3", "u=3", "", false},
		"both, in parts":   {"u=3, i", "u=3, i", "", true},
		"no one tells":     {"", "", "", true},
		"urgent, in parts": {"u=1, i", "u=2, i", "", false},
	} {
		t.Run(name, func(t *testing.T) {
			c := e.h2(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1 << 20})
			c.t = t
			ask := func(priority string) uint32 {
				if priority == "" {
					return c.open(true)
				}
				return c.open(true, "priority", priority)
			}
			ids := [2]uint32{ask(tt.first), ask(tt.second)}
			<-began
			<-began
			if tt.update != "" {
				c.WriteRawFrame(0x10, 0, 0, append([]byte{0, 0, 0, byte(ids[0])}, tt.update...))
			}
			c.drained() // the connection's window is used up: both wait
			release <- struct{}{}
			release <- struct{}{}
			got := c.shares(ids, size)
			if tt.inTurn {
				assert.Greater(t, got, size/4)
			} else {
				assert.Less(t, got, size/2)
			}
		})
	}
}

// drained has the edge answer a ping.
func (c *h2Raw) drained() {
	require.NoError(c.t, c.WritePing(false, [8]byte{}))
	for {
		f, err := c.ReadFrame()
		require.NoError(c.t, err)
		if p, ok := f.(*http2.PingFrame); ok && p.IsAck() {
			return
		}
	}
}

// shares opens the connection's window bit by bit, and tells how much of the second stream had come when the
// first was whole. The order of what the window let through before both waited says nothing.
func (c *h2Raw) shares(ids [2]uint32, size int) int {
	got := map[uint32]int{}
	sum := func() int { return got[ids[0]] + got[ids[1]] }
	for budget := wire.DefaultWindow; got[ids[0]] < size; {
		if sum() == budget {
			<-time.After(20 * time.Millisecond) // the other is sure to wait as well
			require.NoError(c.t, c.WriteWindowUpdate(0, 32<<10))
			budget += 32 << 10
		}
		f, err := c.ReadFrame()
		require.NoError(c.t, err)
		if d, ok := f.(*http2.DataFrame); ok {
			got[d.StreamID] += len(d.Data())
		}
	}
	return got[ids[1]]
}

// webSocket is the answer of a backend that takes the key.
func webSocket(x *proxy.Exchange) (io.ReadWriteCloser, error) {
	key, _ := x.Request.Fields.Get("Sec-WebSocket-Key")
	sum := sha1.Sum([]byte(string(key) + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return x.Reply.Switch(x.Request.Upgrade, fields("Sec-WebSocket-Accept",
		base64.StdEncoding.EncodeToString(sum[:]), "Sec-WebSocket-Protocol", "chat"))
}

func TestAWebSocketOverH2(t *testing.T) {
	e := start(t, func(x *proxy.Exchange) {
		q := &x.Request
		version, _ := q.Fields.Get("Sec-WebSocket-Version")
		assert.Equal(t, "GET websocket 13 0", string(q.Method)+" "+string(q.Upgrade)+" "+string(version)+" "+
			string(rune('0'+q.Length)))
		tunnel, err := webSocket(x)
		if !assert.NoError(t, err) {
			return
		}
		in := bufio.NewReader(tunnel)
		for {
			line, err := in.ReadString('\n')
			if err != nil {
				tunnel.(interface{ CloseWrite() error }).CloseWrite()
				tunnel.Close()
				return
			}
			io.WriteString(tunnel, strings.ToUpper(line))
		}
	})
	c := e.h2()
	id := c.open(false, ":method", "CONNECT", ":protocol", "websocket", "sec-websocket-version", "13",
		"sec-websocket-key", "the client's")
	f := c.headOf(id)
	assert.Equal(t, "200", f.PseudoValue("status"))
	assert.False(t, f.StreamEnded())
	var names []string
	for _, field := range f.RegularFields() {
		names = append(names, field.Name)
	}
	assert.Equal(t, []string{"sec-websocket-protocol"}, names)
	for _, word := range []string{"one\n", "two\n"} {
		require.NoError(t, c.WriteData(id, false, []byte(word)))
		assert.Equal(t, strings.ToUpper(word), c.dataOf(id))
	}
	require.NoError(t, c.WriteData(id, true, nil))
	end := c.ends(id)
	assert.True(t, end.end)
	assert.Equal(t, none, end.reset)
	assert.Equal(t, "501", c.ends(c.open(true, ":method", "CONNECT", ":protocol", "smoke")).status)
}

// headOf reads to the head of an answer.
func (c *h2Raw) headOf(id uint32) *http2.MetaHeadersFrame {
	for {
		f, err := c.ReadFrame()
		require.NoError(c.t, err)
		if h, ok := f.(*http2.MetaHeadersFrame); ok && h.StreamID == id {
			return h
		}
	}
}

// dataOf reads to the next data of a stream.
func (c *h2Raw) dataOf(id uint32) string {
	for {
		f, err := c.ReadFrame()
		require.NoError(c.t, err)
		if d, ok := f.(*http2.DataFrame); ok && d.StreamID == id {
			return string(d.Data())
		}
	}
}

func TestAWebSocketThatIsNoneIsRefused(t *testing.T) {
	e := start(t, func(x *proxy.Exchange) {
		switch string(x.Request.Path) {
		case "/wrong":
			_, err := x.Reply.Switch(x.Request.Upgrade, fields("Sec-WebSocket-Accept", "a guess"))
			assert.Error(t, err)
		case "/200":
			answer(x, 200, "a page")
		case "/403":
			answer(x, 403, "a page")
		}
	})
	for path, status := range map[string]string{"/wrong": "502", "/200": "502", "/403": "403"} {
		c := e.h2()
		end := c.ends(c.open(false, ":method", "CONNECT", ":protocol", "websocket", ":path", path))
		assert.Equal(t, status, end.status, path)
		assert.True(t, end.end, path)
	}
}

func TestAQuietTunnelOverH2Ends(t *testing.T) {
	t.Parallel()
	ended := make(chan struct{})
	e := start(t, func(x *proxy.Exchange) {
		defer close(ended)
		tunnel, err := webSocket(x)
		if assert.NoError(t, err) {
			_, err = io.Copy(io.Discard, tunnel)
			assert.Error(t, err)
			tunnel.Close()
		}
	}, limits(func(l *listen.Limits) { l.TunnelTimeout, l.BodyTimeout = time.Second, 100*time.Millisecond }))
	c := e.h2()
	began := time.Now()
	end := c.ends(c.open(false, ":method", "CONNECT", ":protocol", "websocket"))
	assert.Equal(t, http2.ErrCodeCancel, end.reset)
	assert.Greater(t, time.Since(began), 900*time.Millisecond)
	<-ended
}

func TestBodiesStayWithinTheirWindow(t *testing.T) {
	var read atomic.Int64
	hold := make(chan struct{})
	e := start(t, func(x *proxy.Exchange) {
		if string(x.Request.Path) == "/never" {
			interrupted := make(chan struct{})
			if x.Abort.Attach(interrupter(func() { close(interrupted) })) {
				<-interrupted
			}
			x.Abort.Detach()
			return
		}
		<-hold
		if x.Request.Body == nil {
			answer(x, 200, "")
			return
		}
		n, err := io.Copy(io.Discard, x.Request.Body)
		read.Store(n)
		if err != nil {
			x.Reply.Cut()
			return
		}
		answer(x, 200, "")
	})
	c := e.h2()
	id := c.open(false, ":method", "POST")
	for range 4 {
		require.NoError(t, c.WriteData(id, false, make([]byte, 16<<10-1)))
	}
	require.NoError(t, c.WriteDataPadded(id, false, nil, make([]byte, 2)))
	close(hold)
	c.granted(id)
	require.NoError(t, c.WriteData(id, true, []byte("x")))
	assert.Equal(t, "200", c.ends(id).status)
	assert.EqualValues(t, 4*(16<<10-1)+1, read.Load())

	over := c.open(false, ":method", "POST", ":path", "/never")
	for range 5 {
		c.WriteData(over, false, make([]byte, 16<<10-1))
	}
	assert.Equal(t, http2.ErrCodeFlowControl, c.ends(over).reset)
	assert.Equal(t, "200", c.ends(c.open(true)).status, "the connection goes on")
}

// granted reads to a window update of a stream.
func (c *h2Raw) granted(id uint32) {
	for {
		f, err := c.ReadFrame()
		require.NoError(c.t, err)
		if _, ok := f.(*http2.WindowUpdateFrame); ok && f.Header().StreamID == id {
			return
		}
	}
}

func TestAnswersWithoutLengthAndLargeHeads(t *testing.T) {
	long := strings.Repeat("long-", 5000)
	e := start(t, func(x *proxy.Exchange) {
		x.Reply.Head(200, fields("X-Long", long, "X-More", long), http1.Unknown)
		x.Reply.Write([]byte("body"))
		x.Reply.End(fields("x-sum", long, "x-end", "yes"))
	})
	for range 3 {
		a, err := find(t, e.ways(), "h2").client.Get("https://" + e.secure)
		require.NoError(t, err)
		assert.Equal(t, long, a.Header.Get("X-Long"))
		assert.Equal(t, "body", readAll(t, a))
		assert.Equal(t, http.Header{"X-Sum": {long}, "X-End": {"yes"}}, a.Trailer)
	}
}
