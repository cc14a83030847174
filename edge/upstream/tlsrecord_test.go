package upstream_test

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"io"
	"net"
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

// secureScript runs a script above TLS, with the settings that trust it. When the script returns, the TCP
// connection is closed without a word of TLS.
func secureScript(t *testing.T, s func(raw net.Conn, c *tls.Conn, r *bufio.Reader)) (
	*balance.Backend, upstream.Settings) {
	server, settings := secureBackend(t, "h1", echoHandler) // for its certificate
	b := rawBackend(t, func(c net.Conn, _ *bufio.Reader) {
		v := &valve{Conn: c}
		secure := tls.Server(v, &tls.Config{Certificates: server.TLS.Certificates})
		s(v, secure, bufio.NewReader(secure))
	})
	return backendAt(b.Address, "https"), settings
}

// valve is a connection that can be told to write one byte at a time, or to hold back what it should write.
type valve struct {
	net.Conn
	slow bool
	held *bytes.Buffer // nil = nothing is held back
}

func (v *valve) Write(p []byte) (int, error) {
	switch {
	case v.held != nil:
		return v.held.Write(p)
	case !v.slow:
		return v.Conn.Write(p)
	}
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for i := range p {
		<-tick.C
		if _, err := v.Conn.Write(p[i : i+1]); err != nil {
			return i, err
		}
	}
	return len(p), nil
}

// RFC 9112 9.8: without a close_notify a body that the end delimits may be a part.
func TestTLSBodyUntilTheEndNeedsCloseNotify(t *testing.T) {
	for name, tt := range map[string]struct {
		answer string
		notify bool
		err    error
	}{
		"a body that ends with it":     {"HTTP/1.1 200 OK\r\n\r\nbody", true, nil},
		"a body that ends without":     {"HTTP/1.1 200 OK\r\n\r\nbody", false, io.ErrUnexpectedEOF},
		"sized, and complete":          {"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody", false, nil},
		"sized, and cut":               {"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nbody", false, io.ErrUnexpectedEOF},
		"sized, and cut with the word": {"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nbody", true, io.ErrUnexpectedEOF},
		"chunks without the last": {
			"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n", true, io.ErrUnexpectedEOF,
		},
	} {
		t.Run(name, func(t *testing.T) {
			b, settings := secureScript(t, func(_ net.Conn, c *tls.Conn, r *bufio.Reader) {
				readHead(r)
				say(c, "%s", tt.answer)
				if tt.notify {
					_ = c.Close()
				}
			})
			tr := transport(t, settings)
			_, body, err := fetch(tr, b, request("GET", "/"))
			assert.ErrorIs(t, err, tt.err)
			assert.NotErrorIs(t, err, io.EOF)
			assert.Equal(t, "body", body)
		})
	}
}

func TestTLSConnectionThatEndsWithoutAnAnswerIsReset(t *testing.T) {
	var seen atomic.Int64
	b, settings := secureScript(t, func(_ net.Conn, c *tls.Conn, r *bufio.Reader) { dropping(&seen)(c, r) })
	tr := transport(t, settings)
	for range 2 { // the second is repeated
		_, _, err := fetch(tr, b, request("GET", "/"))
		require.NoError(t, err)
	}
	assert.EqualValues(t, 3, seen.Load())
	_, _, err := fetch(tr, b, request("POST", "/"))
	kind, sent := kindOf(t, err)
	assert.Equal(t, balance.Reset, kind)
	assert.True(t, sent)
	assert.ErrorIs(t, err, io.ErrUnexpectedEOF)
}

func TestTLSTunnelMayEndWithoutCloseNotify(t *testing.T) {
	b, settings := secureScript(t, func(_ net.Conn, c *tls.Conn, r *bufio.Reader) {
		readHead(r)
		say(c, "HTTP/1.1 101 S\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nhello")
	})
	var a http1.Response
	require.NoError(t, transport(t, settings).Do(b, upgrade(), &a))
	got, err := io.ReadAll(a.Conn)
	require.NoError(t, err)
	assert.Equal(t, "hello", string(got))
	require.NoError(t, a.Conn.Close())
}

// TestTLSRecordThatDrips is of records whose bytes keep coming and give nothing until the last.
func TestTLSRecordThatDrips(t *testing.T) {
	const limit = 100 * time.Millisecond
	for name, tt := range map[string]struct{ head, slow string }{
		"of the head": {"", "HTTP/1.1 200 OK\r\nA: " + strings.Repeat("a", 3000) + "\r\nContent-Length: 0\r\n\r\n"},
		"of the body": {"HTTP/1.1 200 OK\r\nContent-Length: 3000\r\n\r\n", strings.Repeat("a", 3000)},
		"of chunks":   {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "bb8\r\n" + strings.Repeat("a", 3000)},
	} {
		t.Run(name, func(t *testing.T) {
			b, settings := secureScript(t, func(raw net.Conn, c *tls.Conn, r *bufio.Reader) {
				readHead(r)
				say(c, "%s", tt.head)
				raw.(*valve).slow = true
				say(c, "%s", tt.slow)
			})
			settings.ResponseTimeout, settings.BodyTimeout = limit, limit
			start := time.Now()
			_, _, err := fetch(transport(t, settings), b, request("GET", "/"))
			require.Error(t, err)
			assert.Less(t, time.Since(start), 20*limit)
			if tt.head == "" {
				kind, _ := kindOf(t, err)
				assert.Equal(t, balance.TimedOut, kind)
			}
		})
	}
}

// TestTLSAnswerInTheSameWriteAsAnotherIsNotDelivered though a read of TLS gives the first alone.
func TestTLSAnswerInTheSameWriteAsAnotherIsNotDelivered(t *testing.T) {
	b, settings := secureScript(t, func(raw net.Conn, c *tls.Conn, r *bufio.Reader) {
		for head := readHead(r); head != ""; head = readHead(r) {
			held := new(bytes.Buffer)
			raw.(*valve).held = held
			say(c, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", 3, strings.Fields(head)[1])
			say(c, unasked)
			raw.(*valve).held = nil
			_, _ = held.WriteTo(raw)
		}
	})
	tr := transport(t, settings)
	for range 20 {
		_, body, err := fetch(tr, b, request("PUT", "/ab"))
		require.NoError(t, err)
		require.Equal(t, "/ab", body)
	}
}

func TestExchangesDoNotAllocate(t *testing.T) {
	r := request("GET", "/")
	b, tr := rawBackend(t, answering(len(http1.AppendRequest(nil, r)))), transport(t, upstream.Settings{})
	var a http1.Response
	buf := make([]byte, 4<<10)
	assert.Zero(t, testing.AllocsPerRun(200, func() {
		require.NoError(t, tr.Do(b, r, &a))
		for _, err := a.Body.Read(buf); err != io.EOF; {
			require.NoError(t, err)
			_, err = a.Body.Read(buf)
		}
		_ = a.Body.Close()
	}))
}
