package edge_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// each runs a test over every way to the edge.
func each(t *testing.T, r *running, test func(t *testing.T, c *http.Client, url string)) {
	for _, p := range protocols {
		t.Run(p, func(t *testing.T) { test(t, r.client(p), r.url(p)) })
	}
}

func one(url string) string {
	return fmt.Sprintf("      - { id: b0, url: %q }\n", url)
}

func TestARequestReachesABackendOverEveryProtocol(t *testing.T) {
	_, yaml := named(t, 3)
	r := start(t, pool(yaml, "builtin/stateless", "{algorithm: round_robin}"))
	each(t, r, func(t *testing.T, c *http.Client, url string) {
		seen := map[string]int{}
		for range 30 {
			status, body := get(t, c, url+"/")
			require.Equal(t, 200, status)
			seen[body]++
		}
		assert.Len(t, seen, 3)
	})
}

func TestBodiesGoBothWaysUnchanged(t *testing.T) {
	echo := backend(t, func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength >= 0 {
			w.Header().Set("Content-Length", fmt.Sprint(r.ContentLength))
		}
		http.NewResponseController(w).EnableFullDuplex()
		io.Copy(w, r.Body)
	})
	r := start(t, pool(one(echo.URL), "builtin/stateless", "{}"))
	for _, size := range []int{0, 1, 1000, 70_000, 10 << 20} {
		data := make([]byte, size)
		rand.Read(data)
		for _, sized := range []bool{true, false} {
			t.Run(fmt.Sprintf("%d bytes, length known %v", size, sized), func(t *testing.T) {
				each(t, r, func(t *testing.T, c *http.Client, url string) {
					var body io.Reader = bytes.NewReader(data)
					if !sized {
						body = io.MultiReader(body)
					}
					resp, err := c.Post(url+"/", "application/octet-stream", body)
					require.NoError(t, err)
					defer resp.Body.Close()
					got, err := io.ReadAll(resp.Body)
					require.NoError(t, err)
					assert.Equal(t, sha256.Sum256(data), sha256.Sum256(got))
				})
			})
		}
	}
}

func TestTheBackendSeesWhereARequestCameFrom(t *testing.T) {
	show := backend(t, func(w http.ResponseWriter, r *http.Request) {
		r.Header.Set("Host", r.Host)
		json.NewEncoder(w).Encode(r.Header)
	})
	r := start(t, pool(one(show.URL), "builtin/stateless", "{}"))
	each(t, r, func(t *testing.T, c *http.Client, url string) {
		req, err := http.NewRequest("GET", url+"/", nil)
		require.NoError(t, err)
		for _, name := range []string{"X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Prefix",
			"X-Forwarded-Port", "Forwarded", "Via", "X-Real-Ip", "X-Request-Id"} {
			req.Header.Set(name, "spoofed")
		}
		req.Header.Set("Accept", "text/css")
		resp, err := c.Do(req)
		require.NoError(t, err)
		defer resp.Body.Close()
		var h http.Header
		require.NoError(t, json.NewDecoder(resp.Body).Decode(&h))
		scheme, host, _ := strings.Cut(url, "://")
		assert.Equal(t, host, h.Get("Host"))
		assert.Equal(t, []string{"127.0.0.1"}, h["X-Forwarded-For"])
		assert.Equal(t, []string{scheme}, h["X-Forwarded-Proto"])
		assert.Equal(t, []string{host}, h["X-Forwarded-Host"])
		assert.Equal(t, "for=127.0.0.1;host=\""+host+"\";proto="+scheme, h.Get("Forwarded"))
		assert.Regexp(t, `^(1\.1|2|3) wedge$`, h.Get("Via"))
		assert.Regexp(t, `^00-[0-9a-f]{32}-[0-9a-f]{16}-0[01]$`, h.Get("Traceparent"))
		assert.Equal(t, "text/css", h.Get("Accept"))
		assert.NotContains(t, fmt.Sprint(h), "spoofed")
	})
}

func TestTrailersAndInterimAnswersPass(t *testing.T) {
	s := backend(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Link", "</style.css>; rel=preload")
		w.WriteHeader(http.StatusEarlyHints)
		w.Header().Set("Trailer", "X-Sum")
		io.WriteString(w, "body")
		http.NewResponseController(w).Flush()
		w.Header().Set("X-Sum", "42")
	})
	r := start(t, pool(one(s.URL), "builtin/stateless", "{}"))
	each(t, r, func(t *testing.T, c *http.Client, url string) {
		resp, err := c.Get(url + "/")
		require.NoError(t, err)
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		assert.Equal(t, "body", string(body))
		assert.Equal(t, "42", resp.Trailer.Get("X-Sum"))
	})
}

func TestWebSocketOverH1(t *testing.T) {
	s := backend(t, func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, &websocket.AcceptOptions{InsecureSkipVerify: true})
		if err != nil {
			return
		}
		defer c.CloseNow()
		c.SetReadLimit(1 << 21)
		for {
			kind, data, err := c.Read(r.Context())
			if err != nil {
				return
			}
			if c.Write(r.Context(), kind, data) != nil {
				return
			}
		}
	})
	r := start(t, pool(one(s.URL), "builtin/stateless", "{}"))
	for _, p := range []string{"plain", "h1"} {
		t.Run(p, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
			defer cancel()
			c, _, err := websocket.Dial(ctx, strings.Replace(r.url(p), "http", "ws", 1), &websocket.DialOptions{HTTPClient: r.client(p)})
			require.NoError(t, err)
			defer c.CloseNow()
			c.SetReadLimit(1 << 21)
			for _, size := range []int{0, 1, 125, 126, 65_536, 1 << 20} {
				data := make([]byte, size)
				rand.Read(data)
				require.NoError(t, c.Write(ctx, websocket.MessageBinary, data))
				_, got, err := c.Read(ctx)
				require.NoError(t, err)
				require.True(t, bytes.Equal(data, got))
			}
			require.NoError(t, c.Close(websocket.StatusNormalClosure, "bye"))
		})
	}
}

func TestUnknownHostsAndRoutes(t *testing.T) {
	_, yaml := named(t, 1)
	r := start(t, strings.Replace(pool(yaml, "builtin/stateless", "{}"),
		`routes: [{ pool: p }] }
  - { hosts: ["127.0.0.1"]`, `routes: [{ match: { path: /app/**, method: [GET] }, pool: p }] }
  - { hosts: ["127.0.0.1"]`, 1))
	ask := func(c *http.Client, method, url, host string) *http.Response {
		req, err := http.NewRequest(method, url, nil)
		require.NoError(t, err)
		req.Host = host
		req.Header.Set("Accept", "application/json")
		resp, err := c.Do(req)
		require.NoError(t, err)
		t.Cleanup(func() { resp.Body.Close() })
		return resp
	}
	plain := r.client("plain")
	assert.Equal(t, 404, ask(plain, "GET", r.url("plain"), "nobody.test").StatusCode)
	assert.Equal(t, 308, ask(plain, "GET", r.url("plain")+"/app/x?y", "localhost").StatusCode)
	for _, p := range []string{"h1", "h2", "h3"} {
		c := r.client(p)
		assert.Equal(t, 421, ask(c, "GET", r.url(p), "nobody.test").StatusCode, p)
		assert.Equal(t, 404, ask(c, "GET", r.url(p)+"/other", "").StatusCode, p)
		assert.Equal(t, 200, ask(c, "GET", r.url(p)+"/app/x", "").StatusCode, p)
		refused := ask(c, "POST", r.url(p)+"/app/x", "")
		assert.Equal(t, 405, refused.StatusCode, p)
		assert.Equal(t, "GET", refused.Header.Get("Allow"), p)
		var page struct {
			Status int
			ID     string `json:"request_id"`
		}
		require.NoError(t, json.NewDecoder(refused.Body).Decode(&page))
		assert.Equal(t, 405, page.Status)
		assert.NotEmpty(t, page.ID)
	}
}

func TestABackendThatIsGoneCostsNoRequest(t *testing.T) {
	list, yaml := named(t, 2)
	gone := freeAddress(t)
	yaml += fmt.Sprintf("      - { id: gone, url: %q }\n", "http://"+gone)
	r := start(t, pool(yaml, "builtin/stateless", "{algorithm: round_robin}"))
	each(t, r, func(t *testing.T, c *http.Client, url string) {
		for range 20 {
			resp, err := c.Post(url+"/", "text/plain", strings.NewReader("body"))
			require.NoError(t, err)
			resp.Body.Close()
			require.Equal(t, 200, resp.StatusCode)
		}
	})
	for _, s := range list {
		s.Close()
	}
	status, body := get(t, r.client("h1"), r.url("h1"))
	assert.Contains(t, []int{502, 503}, status)
	assert.Contains(t, body, "request id: ")
	assert.NotContains(t, body, "127.0.0.1")
}

func TestAnAnswerCutShortDoesNotLookWhole(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this")
			c.(*net.TCPConn).CloseWrite()
			io.Copy(io.Discard, c)
			c.Close()
		}
	}()
	r := start(t, pool(fmt.Sprintf("      - { id: b0, url: \"http://%s\" }\n", l.Addr()), "builtin/stateless", "{}"))
	each(t, r, func(t *testing.T, c *http.Client, url string) {
		resp, err := c.Get(url)
		if err != nil {
			return
		}
		defer resp.Body.Close()
		_, err = io.ReadAll(resp.Body)
		assert.Error(t, err)
	})
}

func TestPathsAreTheSameForRouteAndBackend(t *testing.T) {
	show := backend(t, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.RequestURI) })
	r := start(t, pool(one(show.URL), "builtin/stateless", "{}"))
	for raw, want := range map[string]string{
		"/a/b?c=d&e=%20":  "/a/b?c=d&e=%20",
		"/%61pp?":         "/app?",
		"/a%2fb":          "/a%2Fb",
		"/a/../b":         "",
		"/a/%2e%2e/b":     "",
		"/a/..%2fb":       "",
		"/a%00b":          "",
		"/caf%C3%A9/%7Ex": "/caf%C3%A9/~x",
	} {
		t.Run(raw, func(t *testing.T) {
			each(t, r, func(t *testing.T, c *http.Client, base string) {
				req, err := http.NewRequest("GET", base, nil)
				require.NoError(t, err)
				req.URL = &url.URL{Scheme: req.URL.Scheme, Host: req.URL.Host, Opaque: raw}
				resp, err := c.Do(req)
				require.NoError(t, err)
				defer resp.Body.Close()
				got, _ := io.ReadAll(resp.Body)
				if want == "" {
					assert.Equal(t, 400, resp.StatusCode)
					return
				}
				assert.Equal(t, want, string(got))
			})
		})
	}
}

// A stream's head does not wait for its first event.
func TestTheHeadOfAStreamIsSentAtOnce(t *testing.T) {
	release := make(chan struct{})
	b := backend(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		w.(http.Flusher).Flush()
		<-release
		io.WriteString(w, "data: 1\n\n")
	})
	r := start(t, pool(fmt.Sprintf("      - { url: %q }\n", b.URL), "builtin/stateless", "{}"))
	var bodies []io.ReadCloser
	for _, p := range protocols {
		a, err := r.client(p).Get(r.url(p))
		require.NoError(t, err, p)
		assert.Equal(t, "text/event-stream", a.Header.Get("Content-Type"), p)
		bodies = append(bodies, a.Body)
	}
	close(release)
	for _, body := range bodies {
		text, err := io.ReadAll(body)
		require.NoError(t, err)
		assert.Equal(t, "data: 1\n\n", string(text))
		body.Close()
	}
}
