package edge_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// shoutSocket is a backend of HTTP/1.1 that answers messages of a WebSocket in upper case, and else with a page
// that opens one.
func shoutSocket(t *testing.T) string {
	return backend(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/page" {
			w.Header().Set("Content-Type", "text/html")
			io.WriteString(w, socketPage)
			return
		}
		c, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{"chat"}})
		if err != nil {
			return
		}
		defer c.CloseNow()
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		for {
			kind, text, err := c.Read(ctx)
			if err != nil || c.Write(ctx, kind, bytes.ToUpper(text)) != nil {
				return
			}
		}
	}).URL
}

// socketPage shows what a WebSocket answered, and by which protocol the page came.
const socketPage = `<p id=got>nothing</p><p id=by></p><script>
const s = new WebSocket("wss://" + location.host + "/chat", "chat");
s.onopen = () => s.send("hello");
s.onmessage = e => { document.getElementById("got").textContent = e.data + " " + s.protocol; };
document.getElementById("by").textContent = performance.getEntriesByType("navigation")[0].nextHopProtocol;
</script>`

var connectSocket = pairs{{":method", "CONNECT"}, {":protocol", "websocket"}, {":scheme", "https"},
	{":authority", "lb.test"}, {":path", "/chat"}, {"sec-websocket-version", "13"},
	{"sec-websocket-protocol", "chat"}}

func TestAWebSocketOverH2ReachesAnH1Backend(t *testing.T) {
	r := start(t, pool(one(shoutSocket(t)), "builtin/stateless", "{}")+
		"  - { hosts: [lb.test], routes: [{ pool: p }] }\n")
	c := dialH2(t, r)
	var b bytes.Buffer
	c.block(hpack.NewEncoder(&b), &b, connectSocket, false)
	head := c.until(func(f http2.Frame) bool { _, ok := f.(*http2.MetaHeadersFrame); return ok })
	assert.Equal(t, "200", head.(*http2.MetaHeadersFrame).PseudoValue("status"))
	// a text of 5 bytes, masked with 0
	require.NoError(t, c.WriteData(1, false, []byte("\x81\x85\x00\x00\x00\x00hello")))
	assert.Equal(t, "\x81\x05HELLO", c.bytes(7))
	require.NoError(t, c.WriteData(1, false, []byte("\x88\x82\x00\x00\x00\x00\x03\xe8"))) // close: 1000
	assert.Equal(t, "\x88\x02\x03\xe8", c.bytes(4))
	require.NoError(t, c.WriteData(1, true, nil))
	c.ended()
}

// until reads to a frame.
func (c *h2Conn) until(found func(http2.Frame) bool) http2.Frame {
	c.t.Helper()
	for {
		f, err := c.ReadFrame()
		require.NoError(c.t, err)
		if found(f) {
			return f
		}
	}
}

// bytes reads n bytes of data.
func (c *h2Conn) bytes(n int) (got string) {
	c.t.Helper()
	for len(got) < n {
		c.until(func(f http2.Frame) bool {
			d, ok := f.(*http2.DataFrame)
			if ok {
				got += string(d.Data())
			}
			return ok
		})
	}
	return got
}

func TestAWebSocketOverH2ThatABackendRefuses(t *testing.T) {
	s := backend(t, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "a page") })
	r := start(t, pool(one(s.URL), "builtin/stateless", "{}")+"  - { hosts: [lb.test], routes: [{ pool: p }] }\n")
	c := dialH2(t, r)
	var b bytes.Buffer
	c.block(hpack.NewEncoder(&b), &b, connectSocket, false)
	assert.Equal(t, "502", c.ended())
}
