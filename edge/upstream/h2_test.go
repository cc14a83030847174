package upstream_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/wedge-lb/wedge/edge/balance"
	"github.com/wedge-lb/wedge/edge/http1"
	"github.com/wedge-lb/wedge/edge/upstream"
)

func quietLog() *log.Logger { return log.New(io.Discard, "", 0) }

// plainH2 serves h by HTTP/2 with prior knowledge.
func plainH2(t *testing.T, h http.HandlerFunc) (*balance.Backend, *httptest.Server) {
	s := httptest.NewUnstartedServer(h)
	s.Config.Protocols = new(http.Protocols)
	s.Config.Protocols.SetUnencryptedHTTP2(true)
	s.Config.DisableGeneralOptionsHandler = true
	s.Config.ErrorLog = quietLog()
	s.Start()
	t.Cleanup(s.Close)
	return backendAt(s.Listener.Addr().String(), "http"), s
}

func TestH2(t *testing.T) {
	plain, _ := plainH2(t, echoHandler)
	s, settings := secureBackend(t, "h2", echoHandler)
	for name, tt := range map[string]struct {
		b *balance.Backend
		s upstream.Settings
	}{
		"h2c": {plain, upstream.Settings{Protocol: "h2c"}},
		"h2":  {backendAt(s.Listener.Addr().String(), "https"), settings},
	} {
		t.Run(name, func(t *testing.T) {
			tr := transport(t, tt.s)
			for _, prepare := range []func(*http1.Request){
				func(r *http1.Request) { r.Length, r.Body = 5, strings.NewReader("hello") },
				func(r *http1.Request) {
					r.Length, r.Body = http1.Unknown, iotest.HalfReader(strings.NewReader("hello"))
				},
				func(r *http1.Request) { r.Length, r.Buffered = 5, []byte("hello") },
			} {
				r := request("POST", "/x")
				prepare(r)
				var a http1.Response
				require.NoError(t, tr.Do(tt.b, r, &a))
				proto, _ := a.Fields.Get("x-proto")
				assert.Equal(t, "HTTP/2.0", string(proto))
				got, err := io.ReadAll(a.Body)
				require.NoError(t, err)
				assert.Equal(t, "hello/x", string(got))
				require.NoError(t, a.Body.Close())
			}
			assert.Equal(t, uint64(1), stat(t, tr).Dialed)
		})
	}
}

func TestH2RequestIsForwardedAsItIs(t *testing.T) {
	got := make(chan *http.Request, 1)
	b, _ := plainH2(t, func(_ http.ResponseWriter, r *http.Request) { got <- r })
	tr := transport(t, upstream.Settings{Protocol: "h2c"})
	for _, target := range []string{"/a|b%2F%7B?c=d|e", "//evil.test/x", "/?", "/%3A//x"} {
		r := request("GET", "")
		require.NoError(t, r.SetTarget([]byte(target)))
		r.Fields.Add([]byte("X"), []byte("1"))
		r.Fields.Add([]byte("x"), []byte("2"))
		_, _, err := fetch(tr, b, r)
		require.NoError(t, err)
		q := <-got
		assert.Equal(t, target, q.RequestURI)
		assert.Equal(t, "x.test", q.Host)
		assert.Equal(t, http.Header{"X": {"1", "2"}}, q.Header)
	}
	r := request("OPTIONS", "")
	require.NoError(t, r.SetTarget([]byte("*")))
	_, _, err := fetch(tr, b, r)
	require.NoError(t, err)
	assert.Equal(t, "*", (<-got).RequestURI)
}

func TestGRPCLikeStream(t *testing.T) {
	b, _ := plainH2(t, func(w http.ResponseWriter, r *http.Request) {
		assert.Equal(t, "trailers", r.Header.Get("Te"))
		w.Header().Set("Content-Type", "application/grpc")
		flush := http.NewResponseController(w)
		_ = flush.Flush() // the head before the first message
		buf := make([]byte, 64)
		for {
			n, err := r.Body.Read(buf)
			_, _ = w.Write(buf[:n])
			_ = flush.Flush()
			if err != nil {
				break
			}
		}
		w.Header().Set(http.TrailerPrefix+"Grpc-Status", "0")
	})
	body, w := newHeldBody()
	r := request("POST", "/service/Method")
	r.Fields.Add([]byte("content-type"), []byte("application/grpc+proto"))
	r.Length, r.Body = http1.Unknown, body
	var a http1.Response
	require.NoError(t, transport(t, upstream.Settings{Protocol: "h2c"}).Do(b, r, &a))
	buf := make([]byte, 64)
	for _, word := range []string{"ping", "pong"} {
		_, err := io.WriteString(w, word)
		require.NoError(t, err)
		n, err := a.Body.Read(buf)
		require.NoError(t, err)
		assert.Equal(t, word, string(buf[:n]))
	}
	require.NoError(t, w.Close())
	rest, err := io.ReadAll(a.Body)
	require.NoError(t, err)
	assert.Empty(t, rest)
	status, _ := a.Trailers.Get("grpc-status")
	assert.Equal(t, "0", string(status))
	require.NoError(t, a.Body.Close())
	assert.Empty(t, body.closed, "a body that ended is not closed")
}

// frames is a backend that speaks HTTP/2 frame by frame: it tells the fields of each HEADERS frame and
// answers 204 when the stream has ended.
func frames(heads chan<- string) script {
	return func(c net.Conn, r *bufio.Reader) {
		_, _ = r.Discard(len(http2.ClientPreface))
		f := http2.NewFramer(c, r)
		f.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
		_ = f.WriteSettings()
		for {
			frame, err := f.ReadFrame()
			if err != nil {
				return
			}
			if h, ok := frame.(*http2.MetaHeadersFrame); ok {
				var list []string
				for _, x := range h.Fields {
					list = append(list, x.Name+": "+x.Value)
				}
				heads <- strings.Join(list, "\n")
			}
			if frame.Header().Flags.Has(http2.FlagDataEndStream) && frame.Header().StreamID > 0 {
				var head bytes.Buffer
				_ = hpack.NewEncoder(&head).WriteField(hpack.HeaderField{Name: ":status", Value: "204"})
				_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: frame.Header().StreamID,
					BlockFragment: head.Bytes(), EndStream: true, EndHeaders: true})
			}
		}
	}
}

func TestH2TrailersOfARequest(t *testing.T) {
	heads := make(chan string, 4)
	b := rawBackend(t, frames(heads))
	r := request("POST", "/")
	body, w := newHeldBody()
	r.Length, r.Body, r.Trailers = http1.Unknown, body, new(http1.Fields)
	go func() {
		_, _ = io.WriteString(w, "hello")
		r.Trailers.Add([]byte("X-Sum"), []byte("7"))
		r.Trailers.Add([]byte("Authorization"), []byte("evil"))
		_ = w.Close()
	}()
	status, _, err := fetch(transport(t, upstream.Settings{Protocol: "h2c"}), b, r)
	require.NoError(t, err)
	assert.Equal(t, 204, status)
	assert.Equal(t, ":authority: x.test\n:method: POST\n:path: /\n:scheme: http\nte: trailers", <-heads)
	assert.Equal(t, "x-sum: 7", <-heads)
}

func TestH2Hints(t *testing.T) {
	b, _ := plainH2(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Link", "a")
		w.WriteHeader(http.StatusEarlyHints)
		w.WriteHeader(http.StatusNoContent)
	})
	r := request("GET", "/")
	var informed []string
	r.Informed = func(status int, f http1.Fields) error {
		informed = append(informed, fmt.Sprint(status, " ", string(http1.AppendFields(nil, f))))
		return nil
	}
	status, _, err := fetch(transport(t, upstream.Settings{Protocol: "h2c"}), b, r)
	require.NoError(t, err)
	assert.Equal(t, 204, status)
	assert.Equal(t, []string{"103 Link: a\r\n"}, informed)
}

func TestH2Failures(t *testing.T) {
	stop := make(chan struct{})
	silent, _ := plainH2(t, func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-stop:
		case <-r.Context().Done():
		}
	})
	defer close(stop)
	resets, _ := plainH2(t, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	storm, _ := plainH2(t, func(w http.ResponseWriter, _ *http.Request) {
		for range 20 {
			w.WriteHeader(http.StatusEarlyHints)
		}
	})
	old := rawBackend(t, func(c net.Conn, r *bufio.Reader) { // speaks HTTP/1.1 only
		say(c, "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
	})
	for name, tt := range map[string]struct {
		b    *balance.Backend
		kind balance.Kind
		sent bool
	}{
		"a black hole":   {silent, balance.TimedOut, true},
		"a reset":        {resets, balance.Reset, true},
		"a storm of 1xx": {storm, balance.BadAnswer, true},
		"refused":        {backendAt("127.0.0.1:1", "http"), balance.ConnectFailed, false},
		"not HTTP/2":     {old, balance.Reset, true},
	} {
		t.Run(name, func(t *testing.T) {
			limit := time.Duration(0)
			if tt.kind == balance.TimedOut {
				limit = 50 * time.Millisecond
			}
			tr := transport(t, upstream.Settings{Protocol: "h2c", ResponseTimeout: limit})
			_, _, err := fetch(tr, tt.b, request("GET", "/"))
			kind, sent := kindOf(t, err)
			assert.Equal(t, tt.kind, kind, "%v", err)
			assert.Equal(t, tt.sent, sent)
		})
	}
}

func TestH2OverTLSNeedsH2(t *testing.T) {
	s, settings := secureBackend(t, "h1", echoHandler)
	settings.Protocol = "h2"
	b := backendAt(s.Listener.Addr().String(), "https")
	_, _, err := fetch(transport(t, settings), b, request("GET", "/"))
	var f *balance.Failure
	require.ErrorAs(t, err, &f)
}

func TestH2AbortAndBadBody(t *testing.T) {
	arrived := make(chan struct{}, 1)
	b, _ := plainH2(t, func(_ http.ResponseWriter, r *http.Request) {
		arrived <- struct{}{}
		_, _ = io.Copy(io.Discard, r.Body)
	})
	tr := transport(t, upstream.Settings{Protocol: "h2c"})
	body, w := newHeldBody()
	defer func() { _ = w.Close() }()
	r := request("POST", "/")
	r.Length, r.Body = http1.Unknown, body
	go func() {
		<-arrived
		_, _ = w.Write([]byte("x")) // so that it is being read
		r.Abort.Abort()
	}()
	_, _, err := fetch(tr, b, r)
	kind, _ := kindOf(t, err)
	assert.Equal(t, balance.ClientGone, kind)
	assert.NotEmpty(t, body.closed, "the wait for the client was ended")

	refused := errors.New("malformed")
	r = request("POST", "/")
	r.Length, r.Body = http1.Unknown, io.MultiReader(strings.NewReader("abc"), iotest.ErrReader(refused))
	_, _, err = fetch(tr, b, r)
	kind, _ = kindOf(t, err)
	assert.Equal(t, balance.BadRequestBody, kind)
	assert.ErrorIs(t, err, refused)
}

func TestAnH2StatusThatIsNone(t *testing.T) {
	b, _ := plainH2(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(600) })
	_, _, err := fetch(transport(t, upstream.Settings{Protocol: "h2c"}), b, request("GET", "/"))
	kind, _ := kindOf(t, err)
	assert.Equal(t, balance.BadAnswer, kind)
}

func TestH2AnswerCutShort(t *testing.T) {
	b, _ := plainH2(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "part")
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	})
	_, body, err := fetch(transport(t, upstream.Settings{Protocol: "h2c"}), b, request("GET", "/"))
	assert.Error(t, err)
	assert.Equal(t, "part", body)
}

func TestH2ManyAtOnce(t *testing.T) {
	b, _ := plainH2(t, echoHandler)
	tr := transport(t, upstream.Settings{Protocol: "h2c"})
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() {
			want := bytes.Repeat([]byte{byte('a' + i%26)}, 100_000)
			r := request("POST", "/")
			r.Length, r.Body = http1.Unknown, bytes.NewReader(want)
			_, got, err := fetch(tr, b, r)
			assert.NoError(t, err)
			assert.True(t, string(want)+"/" == got)
		})
	}
	wg.Wait()
}

func TestCloseLetsStreamsEnd(t *testing.T) {
	proceed := make(chan struct{})
	b, _ := plainH2(t, func(w http.ResponseWriter, _ *http.Request) {
		_ = http.NewResponseController(w).Flush()
		<-proceed
		_, _ = io.WriteString(w, "done")
	})
	tr := upstream.New(upstream.Options{Defaults: upstream.Settings{Protocol: "h2c"}})
	var a http1.Response
	require.NoError(t, tr.Do(b, request("GET", "/"), &a))
	tr.Close()
	close(proceed)
	got, err := io.ReadAll(a.Body)
	require.NoError(t, err)
	assert.Equal(t, "done", string(got))
	require.NoError(t, a.Body.Close())
	_, _, err = fetch(tr, b, request("GET", "/"))
	kind, _ := kindOf(t, err)
	assert.Equal(t, balance.ConnectFailed, kind)
}
