package listen_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/quic-go/qpack"
	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
	"github.com/quic-go/quic-go/quicvarint"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/wedge-lb/wedge/edge/proxy"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// A message is a request as lists of fields and bytes, which need not make sense.
type message struct {
	head    [][2]string
	body    string
	more    bool // the stream is left open
	trailer [][2]string
}

// get is a good request with changes: a name that begins with a dash is left out, others are appended or, if
// they are pseudo-fields, replaced.
func get(changes ...string) message {
	m := message{head: [][2]string{{":method", "GET"}, {":scheme", "https"}}}
	m.head = append(m.head, [][2]string{{":authority", "edge.test"}, {":path", "/"}}...)
	for i := 0; i < len(changes); i += 2 {
		m = m.with(changes[i], changes[i+1])
	}
	return m
}

func (m message) with(name, value string) message {
	for i, f := range m.head {
		if f[0] == strings.TrimPrefix(name, "-") && name != f[0]+"+" {
			if name[0] == '-' {
				m.head = append(m.head[:i:i], m.head[i+1:]...)
			} else {
				m.head[i][1] = value
			}
			return m
		}
	}
	m.head = append(m.head, [2]string{strings.TrimSuffix(name, "+"), value})
	return m
}

// reset is the status of a request that was answered by a reset.
const reset = "reset"

// h2Do sends m on a connection of its own and gives the status.
func (e *edge) h2Do(t *testing.T, m message) string {
	c := e.dialTLS("h2")
	defer c.Close()
	write(t, c, http2.ClientPreface)
	fr := http2.NewFramer(c, c)
	require.NoError(t, fr.WriteSettings())
	var block bytes.Buffer
	enc := hpack.NewEncoder(&block)
	encode := func(fields [][2]string) []byte {
		block.Reset()
		for _, f := range fields {
			require.NoError(t, enc.WriteField(hpack.HeaderField{Name: f[0], Value: f[1]}))
		}
		return block.Bytes()
	}
	ends := m.body == "" && !m.more && m.trailer == nil
	require.NoError(t, fr.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: encode(m.head),
		EndHeaders: true, EndStream: ends}))
	if !ends {
		require.NoError(t, fr.WriteData(1, !m.more && m.trailer == nil, []byte(m.body)))
	}
	if m.trailer != nil {
		require.NoError(t, fr.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: encode(m.trailer),
			EndHeaders: true, EndStream: true}))
	}
	return h2Status(t, fr)
}

func h2Status(t *testing.T, fr *http2.Framer) string {
	dec := hpack.NewDecoder(4096, nil)
	for {
		f, err := fr.ReadFrame()
		if errors.Is(err, io.EOF) {
			return reset
		}
		require.NoError(t, err)
		switch f := f.(type) {
		case *http2.RSTStreamFrame, *http2.GoAwayFrame:
			return reset
		case *http2.HeadersFrame:
			fields, err := dec.DecodeFull(f.HeaderBlockFragment())
			require.NoError(t, err)
			return fields[0].Value
		}
	}
}

// h3Do sends m on a connection of its own and gives the status.
func (e *edge) h3Do(t *testing.T, m message) string {
	ctx, cancel := context.WithTimeout(t.Context(), soon)
	defer cancel()
	c, err := e.quic(ctx)
	require.NoError(t, err)
	defer c.CloseWithError(0, "")
	control, err := c.OpenUniStreamSync(ctx)
	require.NoError(t, err)
	_, err = control.Write([]byte{0, 4, 0}) // a control stream with empty SETTINGS
	require.NoError(t, err)
	s, err := c.OpenStreamSync(ctx)
	require.NoError(t, err)
	out := h3Headers(t, m.head)
	if m.body != "" {
		out = append(quicvarint.Append(append(out, 0), uint64(len(m.body))), m.body...)
	}
	if m.trailer != nil {
		out = append(out, h3Headers(t, m.trailer)...)
	}
	_, err = s.Write(out)
	require.NoError(t, err)
	if !m.more {
		_ = s.Close() // it fails if the edge has refused the stream already
	}
	return h3Status(t, s)
}

func h3Headers(t *testing.T, fields [][2]string) []byte {
	var block bytes.Buffer
	enc := qpack.NewEncoder(&block)
	for _, f := range fields {
		require.NoError(t, enc.WriteField(qpack.HeaderField{Name: f[0], Value: f[1]}))
	}
	return append(quicvarint.Append([]byte{1}, uint64(block.Len())), block.Bytes()...)
}

func h3Status(t *testing.T, s *quic.Stream) string {
	r := quicvarint.NewReader(s)
	kind, err := quicvarint.Read(r)
	if err != nil {
		return reset
	}
	require.EqualValues(t, 1, kind)
	n, err := quicvarint.Read(r)
	require.NoError(t, err)
	block := make([]byte, n)
	_, err = io.ReadFull(r, block)
	require.NoError(t, err)
	field, err := qpack.NewDecoder().Decode(block)()
	require.NoError(t, err)
	return field.Value
}

func TestBadStreamsAreRefused(t *testing.T) {
	seen := make(chan string, 1)
	e := start(t, func(x *proxy.Exchange) {
		if x.Request.Body != nil {
			if _, err := io.Copy(io.Discard, x.Request.Body); err != nil {
				x.Reply.Cut() // as the proxy does when the request cannot be completed
				return
			}
		}
		seen <- fmt.Sprintf("%s %s %s", x.Request.Method, x.Request.Path, x.Request.Fields)
		answer(x, 200, "")
	})
	body := func(m message, b string) message { m.body = b; return m }
	trailer := func(m message, name, value string) message { m.trailer = [][2]string{{name, value}}; return m }
	many := get()
	for range 101 {
		many = many.with("a+", "b")
	}
	for name, m := range map[string]message{
		"CR in a value":                  get("a", "b\rc"),
		"LF in a value":                  get("a", "b\nc: d"),
		"NUL in a value":                 get("a", "b\x00c"),
		"space around a value":           get("a", " b"),
		"LF in a name":                   get("a\nb", "c"),
		"space in a name":                get("a b", "c"),
		"colon in a name":                get("a:b", "c"),
		"an upper-case name":             get("Abc", "d"),
		"an empty name":                  get("", "d"),
		"LF in the path":                 get(":path", "/a\r\nX: y"),
		"NUL in the path":                get(":path", "/a\x00"),
		"encoded NUL in the path":        get(":path", "/a%00"),
		"space in the path":              get(":path", "/a b"),
		"a fragment in the path":         get(":path", "/a#b"),
		"dots in the path":               get(":path", "/a/../b"),
		"encoded dots in the path":       get(":path", "/a/%2e%2e/b"),
		"a backslash in the path":        get(":path", `/a\b`),
		"an absolute path":               get(":path", "https://edge.test/"),
		"a path without a slash":         get(":path", "a"),
		"an empty path":                  get(":path", ""),
		"an asterisk":                    get(":path", "*"),
		"no path":                        get("-:path", ""),
		"two paths":                      get(":path+", "/b"),
		"no method":                      get("-:method", ""),
		"two methods":                    get(":method+", "POST"),
		"a method with a space":          get(":method", "GET /x HTTP/1.1\r\n"),
		"CONNECT":                        {head: [][2]string{{":method", "CONNECT"}, {":authority", "edge.test:443"}}},
		"TRACE":                          get(":method", "TRACE"),
		"two schemes":                    get(":scheme+", "https"),
		"two authorities":                get(":authority+", "other.test"),
		"a user in the authority":        get(":authority", "u@edge.test"),
		"a path in the authority":        get(":authority", "edge.test/x"),
		"a space in the authority":       get(":authority", "edge test"),
		"another host":                   get("host", "other.test"),
		"two hosts":                      get("host+", "edge.test", "host+", "edge.test"),
		"no authority":                   get("-:authority", ""),
		"an unknown pseudo-field":        get(":secret", "1"),
		"a response pseudo-field":        get(":status", "200"),
		"connection":                     get("connection", "close"),
		"keep-alive":                     get("keep-alive", "1"),
		"proxy-connection":               get("proxy-connection", "close"),
		"transfer-encoding":              get("transfer-encoding", "chunked"),
		"upgrade":                        get("upgrade", "websocket"),
		"te: gzip":                       get("te", "gzip"),
		"te: trailers, gzip":             get("te", "trailers, gzip"),
		"an alias of content-length":     get("content_length", "5"),
		"an alias of a forwarding field": get("x_forwarded_for", "1.2.3.4"),
		"a length that is none":          get("content-length", "a"),
		"a signed length":                get("content-length", "+4"),
		"a negative length":              get("content-length", "-1"),
		"two lengths":                    get("content-length+", "4", "content-length+", "5"),
		"a length without a body":        get(":method", "POST", "content-length", "4"),
		"a body that is too short":       body(get(":method", "POST", "content-length", "4"), "abc"),
		"a body that is too long":        body(get(":method", "POST", "content-length", "2"), "abc"),
		"a pseudo-field in a trailer":    trailer(body(get(":method", "POST"), "abc"), ":path", "/x"),
		"a bad value in a trailer":       trailer(body(get(":method", "POST"), "abc"), "a", "b\r\nc"),
		"too many fields":                many,
		"a large field":                  get("a", strings.Repeat("b", 40<<10)),
	} {
		t.Run(name, func(t *testing.T) {
			for protocol, do := range map[string]func(*testing.T, message) string{"h2": e.h2Do, "h3": e.h3Do} {
				status := do(t, m)
				assert.True(t, status == reset || status[0] == '4', "%s: %s", protocol, status)
				select {
				case s := <-seen:
					t.Errorf("%s: served: %s", protocol, s)
				default:
				}
			}
		})
	}
	assert.Equal(t, "200", e.h2Do(t, body(get(":method", "POST", "content-length", "3"), "abc")), "the control")
	assert.Equal(t, "POST / []", <-seen)
	assert.Equal(t, "200", e.h3Do(t, body(get(":method", "POST", "te", "trailers"), "abc")), "the control")
	assert.Equal(t, "POST / []", <-seen)
	connect := message{head: [][2]string{{":method", "CONNECT"}, {":authority", "edge.test:443"}}}
	assert.Equal(t, "405", e.h3Do(t, connect))
}

func TestFieldsOfStreamsAreAsReceived(t *testing.T) {
	seen := make(chan string, 1)
	e := start(t, func(x *proxy.Exchange) {
		var b strings.Builder
		for _, f := range x.Request.Fields {
			fmt.Fprintf(&b, "%s=%s;", f.Name, f.Value)
		}
		q := &x.Request
		seen <- fmt.Sprintf("%s %s?%s %v %s", q.Authority, q.Path, q.Query, q.HasQuery, &b)
		answer(x, 200, "")
	})
	m := get(":path", "/%61%2fb?c=%20&d", "b-field", "2", "a-field", "1", "cookie+", "x=1", "cookie+", "y=2",
		"b-field+", "3", "empty", "", "host", "edge.test")
	const start = "edge.test /a%2Fb?c=%20&d true "
	assert.Equal(t, "200", e.h2Do(t, m))
	assert.Equal(t, start+"b-field=2;a-field=1;cookie=x=1; y=2;b-field=3;empty=;", <-seen)
	assert.Equal(t, "200", e.h3Do(t, m))
	assert.Equal(t, start+"b-field=2;a-field=1;cookie=x=1; y=2;b-field=3;empty=;", <-seen)
}

func TestARequestCutShortNeverCompletes(t *testing.T) {
	failed := make(chan error, 1)
	e := start(t, func(x *proxy.Exchange) {
		_, err := io.Copy(io.Discard, x.Request.Body)
		failed <- err
		x.Reply.Cut()
	})
	c, err := e.quic(t.Context())
	require.NoError(t, err)
	defer c.CloseWithError(0, "")
	s, err := c.OpenStream()
	require.NoError(t, err)
	// DATA says 100, and 10 come before the end.
	out := append(h3Headers(t, get(":method", "POST").head), 0, 0x40, 100)
	_, err = s.Write(append(out, "0123456789"...))
	require.NoError(t, err)
	require.NoError(t, s.Close())
	assert.Error(t, <-failed)

	c, err = e.quic(t.Context()) // the other is closed for that
	require.NoError(t, err)
	defer c.CloseWithError(0, "")
	s, err = c.OpenStream()
	require.NoError(t, err)
	_, err = s.Write(append(out, "0123456789"...))
	require.NoError(t, err)
	s.CancelWrite(quic.StreamErrorCode(http3.ErrCodeRequestCanceled))
	select {
	case err := <-failed:
		assert.Error(t, err)
	case <-time.After(200 * time.Millisecond): // the reset came before the head was taken: never served
	}
}
