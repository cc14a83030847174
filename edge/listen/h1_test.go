package listen_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/wedge-lb/wedge/edge/listen"
	"github.com/wedge-lb/wedge/edge/proxy"
)

// say answers with the method, the path and the body of the request.
func say(x *proxy.Exchange) {
	body := ""
	if x.Request.Body != nil {
		b, err := io.ReadAll(x.Request.Body)
		if err != nil {
			x.Reply.Cut()
			return
		}
		body = string(b)
	}
	answer(x, 200, fmt.Sprintf("%s %s %s", x.Request.Method, x.Request.Path, body))
}

const chunks = "Transfer-Encoding: chunked\r\n"

func write(t testing.TB, c io.Writer, s string) {
	t.Helper()
	_, err := io.WriteString(c, s)
	require.NoError(t, err)
}

// receive reads one answer.
func receive(t testing.TB, r *bufio.Reader, method string) (*http.Response, string) {
	t.Helper()
	a, err := http.ReadResponse(r, &http.Request{Method: method})
	require.NoError(t, err)
	b, err := io.ReadAll(a.Body)
	require.NoError(t, err)
	return a, string(b)
}

// closed asserts that the edge closes the connection without another byte.
func closed(t testing.TB, r io.Reader) {
	t.Helper()
	b, err := io.ReadAll(r)
	require.NoError(t, err)
	assert.Empty(t, string(b))
}

func TestTheWireOfAnAnswer(t *testing.T) {
	e := start(t, func(x *proxy.Exchange) {
		switch string(x.Request.Path) {
		case "/unsized":
			x.Reply.Head(200, fields("A", "b"), -1)
			x.Reply.Write([]byte("part"))
			x.Reply.Flush()
			x.Reply.Write([]byte("and more"))
			x.Reply.End(fields("Sum", "1", "Content-Length", "5"))
		case "/early":
			x.Reply.Inform(103, fields("Link", "x"))
			answer(x, 200, "ok")
		case "/head":
			x.Reply.Head(200, nil, -1)
			x.Reply.End(nil)
		default:
			answer(x, 200, "ok", "A", "b", "A", "c")
		}
	})
	const sized = "Content-Length: 2\r\n\r\nok"
	for name, tt := range map[string]struct{ request, want string }{
		"sized, fields in order": {"GET / HTTP/1.1\r\nHost: h\r\n\r\n",
			"HTTP/1.1 200 OK\r\nA: b\r\nA: c\r\n" + sized},
		"chunked": {"GET /unsized HTTP/1.1\r\nHost: h\r\n\r\n", "HTTP/1.1 200 OK\r\nA: b\r\n" +
			"Transfer-Encoding: chunked\r\n\r\n4\r\npart\r\n8\r\nand more\r\n0\r\nSum: 1\r\n\r\n"},
		"the client closes": {"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", "HTTP/1.1 200 OK\r\n" +
			"A: b\r\nA: c\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"},
		"HTTP/1.0": {"GET / HTTP/1.0\r\nHost: h\r\n\r\n", "HTTP/1.1 200 OK\r\n" +
			"A: b\r\nA: c\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"},
		"HTTP/1.0 kept alive": {"GET / HTTP/1.0\r\nHost: h\r\nConnection: keep-alive\r\n\r\n", "HTTP/1.1 200 OK\r\n" +
			"A: b\r\nA: c\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\nok"},
		"HTTP/1.0 unsized": {"GET /unsized HTTP/1.0\r\nHost: h\r\nConnection: keep-alive\r\n\r\n",
			"HTTP/1.1 200 OK\r\nA: b\r\nConnection: close\r\n\r\npartand more"},
		"HTTP/1.0 knows no interim answers": {"GET /early HTTP/1.0\r\nHost: h\r\n\r\n",
			"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"},
		"interim": {"GET /early HTTP/1.1\r\nHost: h\r\n\r\n",
			"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\n" + sized},
		"HEAD of unknown length": {"HEAD /head HTTP/1.1\r\nHost: h\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n"},
	} {
		t.Run(name, func(t *testing.T) {
			c := e.dial()
			write(t, c, tt.request)
			require.NoError(t, c.CloseWrite())
			got, err := io.ReadAll(c)
			require.NoError(t, err)
			assert.Equal(t, tt.want, string(got))
		})
	}
}

func TestPipelinedRequestsAreAnsweredInOrder(t *testing.T) {
	e := start(t, say)
	for name, c := range map[string]net.Conn{"plain": e.dial(), "TLS": e.dialTLS("http/1.1")} {
		t.Run(name, func(t *testing.T) {
			var all, want strings.Builder
			for i := range 200 {
				body := strings.Repeat("x", i*20)
				switch i % 3 {
				case 0:
					fmt.Fprintf(&all, "GET /%d HTTP/1.1\r\nHost: h\r\n\r\n", i)
					fmt.Fprintf(&want, "GET /%d ", i)
				case 1:
					fmt.Fprintf(&all, "PUT /%d HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n%s", i, len(body), body)
					fmt.Fprintf(&want, "PUT /%d %s", i, body)
				case 2:
					fmt.Fprintf(&all, "PUT /%d HTTP/1.1\r\nHost: h\r\n"+chunks+"\r\n%x\r\n%s\r\n0\r\n\r\n",
						i, len(body), body)
					fmt.Fprintf(&want, "PUT /%d %s", i, body)
				}
			}
			go io.WriteString(c, all.String())
			r := bufio.NewReader(c)
			var got strings.Builder
			for range 200 {
				_, body := receive(t, r, "GET")
				got.WriteString(body)
			}
			assert.Equal(t, want.String(), got.String())
		})
	}
}

func TestRequestsThatArriveByteByByte(t *testing.T) {
	e := start(t, say)
	c := e.dial()
	r := bufio.NewReader(c)
	for range 3 {
		for _, b := range []byte("PUT /a HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc") {
			_, err := c.Write([]byte{b})
			require.NoError(t, err)
		}
		_, body := receive(t, r, "PUT")
		assert.Equal(t, "PUT /a abc", body)
	}
}

func TestTheBodyThatCameWithTheHeadIsBuffered(t *testing.T) {
	e := start(t, func(x *proxy.Exchange) {
		b := string(x.Request.Buffered)
		read, _ := io.ReadAll(x.Request.Body)
		answer(x, 200, b+"|"+string(read))
	})
	c := e.dial()
	write(t, c, "PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nbodyGET")
	_, body := receive(t, bufio.NewReader(c), "PUT")
	assert.Equal(t, "body|body", body)
}

func TestBodiesInPiecesOfAnySizeArrive(t *testing.T) {
	e := start(t, func(x *proxy.Exchange) {
		var all []byte
		if x.Request.Body != nil {
			var err error
			all, err = io.ReadAll(x.Request.Body)
			assert.NoError(t, err)
		}
		answer(x, 200, string(all))
	})
	body := make([]byte, 80<<10)
	for i := range body {
		body[i] = byte(i * 7 / 3)
	}
	for name, c := range map[string]net.Conn{"plain": e.dial(), "TLS": e.dialTLS("http/1.1")} {
		t.Run(name, func(t *testing.T) {
			r := bufio.NewReader(c)
			for _, size := range []int{1, 3000, 4096, 5000, 20000, 32 << 10, 32<<10 + 1, 80 << 10} {
				for _, piece := range []int{7000, 40000} {
					head := fmt.Sprintf("PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n", size)
					all := append([]byte(head), body[:size]...)
					all = append(all, "GET / HTTP/1.1\r\nHost: h\r\n\r\n"...)
					go func() {
						for ; len(all) > 0; all = all[min(piece, len(all)):] {
							c.Write(all[:min(piece, len(all))])
							<-time.After(time.Millisecond)
						}
					}()
					_, got := receive(t, r, "PUT")
					assert.True(t, got == string(body[:size]), "%d in pieces of %d", size, piece)
					_, got = receive(t, r, "GET")
					assert.Empty(t, got)
				}
			}
		})
	}
}

func TestBadRequestsAreAnsweredAndTheConnectionClosed(t *testing.T) {
	served := make(chan string, 1)
	e := start(t, func(x *proxy.Exchange) {
		served <- string(x.Request.Method)
		answer(x, 200, "")
	})
	long := strings.Repeat("a", 20<<10)
	for name, tt := range map[string]struct {
		request string
		status  int
	}{
		"an h2 preface":           {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
		"no HTTP":                 {"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400},
		"both lengths":            {"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n" + chunks + "\r\n0\r\n\r\n", 400},
		"no host":                 {"GET / HTTP/1.1\r\n\r\n", 400},
		"a bare LF":               {"GET / HTTP/1.1\nHost: h\n\n", 400},
		"a space before a colon":  {"GET / HTTP/1.1\r\nHost : h\r\n\r\n", 400},
		"CONNECT":                 {"CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\n\r\n", 405},
		"a long request line":     {"GET /" + long + " HTTP/1.1\r\nHost: h\r\n\r\n", 414},
		"a long head":             {"GET / HTTP/1.1\r\nHost: h\r\nA: " + long + "\r\nB: " + long + "\r\n\r\n", 431},
		"an endless field":        {"GET / HTTP/1.1\r\nHost: h\r\nA: " + long + long, 431},
		"an endless request line": {"GET /" + long + long, 414},
		"many fields":             {"GET / HTTP/1.1\r\nHost: h\r\n" + strings.Repeat("A: b\r\n", 101) + "\r\n", 431},
		"an unknown coding":       {"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501},
		"another version":         {"GET / HTTP/3.0\r\nHost: h\r\n\r\n", 505},
		"an unknown expectation":  {"PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nExpect: 200\r\n\r\nx", 417},
	} {
		t.Run(name, func(t *testing.T) {
			c := e.dial()
			write(t, c, tt.request)
			r := bufio.NewReader(c)
			a, body := receive(t, r, "GET")
			assert.Equal(t, tt.status, a.StatusCode)
			assert.True(t, a.Close)
			assert.Empty(t, body)
			closed(t, r)
		})
	}
	assert.Empty(t, served)
	assert.EqualValues(t, 15, e.server.Stats().BadRequests)
}

func TestABadRequestBehindGoodOnesDoesNotSpoilThem(t *testing.T) {
	e := start(t, say)
	c := e.dial()
	write(t, c, "GET /1 HTTP/1.1\r\nHost: h\r\n\r\nGET /2 HTTP/1.1\r\nHost: h\r\n\r\nGET /3\r\n\r\n")
	r := bufio.NewReader(c)
	for _, want := range []string{"GET /1 ", "GET /2 "} {
		_, body := receive(t, r, "GET")
		assert.Equal(t, want, body)
	}
	a, _ := receive(t, r, "GET")
	assert.Equal(t, 400, a.StatusCode)
	closed(t, r)
}

func TestAMalformedBodyIsAnErrorAndTheEnd(t *testing.T) {
	failed := make(chan error, 1)
	e := start(t, func(x *proxy.Exchange) {
		_, err := io.ReadAll(x.Request.Body)
		failed <- err
		answer(x, 400, "bad body")
	})
	for name, tt := range map[string]struct{ request, says string }{
		"chunk": {"POST / HTTP/1.1\r\nHost: h\r\n" + chunks + "\r\nxyz\r\nGET / HTTP/1.1\r\n", "chunk"},
		"cut":   {"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nabc", "unexpected EOF"},
	} {
		t.Run(name, func(t *testing.T) {
			c := e.dial()
			write(t, c, tt.request)
			require.NoError(t, c.CloseWrite())
			assert.ErrorContains(t, <-failed, tt.says)
			r := bufio.NewReader(c)
			a, body := receive(t, r, "POST")
			assert.Equal(t, 400, a.StatusCode)
			assert.Equal(t, "bad body", body)
			closed(t, r)
		})
	}
}

func TestAnUnreadBodyIsSkippedWhenItIsSmall(t *testing.T) {
	e := start(t, func(x *proxy.Exchange) { answer(x, 200, string(x.Request.Path)) })
	c := e.dial()
	r := bufio.NewReader(c)
	for range 3 {
		write(t, c, "POST /1 HTTP/1.1\r\nHost: h\r\nContent-Length: 20000\r\n\r\n")
		_, body := receive(t, r, "POST")
		assert.Equal(t, "/1", body)
		write(t, c, strings.Repeat("x", 20000))
		write(t, c, "GET /2 HTTP/1.1\r\nHost: h\r\n\r\n")
		_, body = receive(t, r, "GET")
		assert.Equal(t, "/2", body)
	}
}

func TestAnAnswerInsteadOfContinueClosesTheConnection(t *testing.T) {
	e := start(t, func(x *proxy.Exchange) { answer(x, 403, "no") })
	c := e.dial()
	write(t, c, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
	r := bufio.NewReader(c)
	a, body := receive(t, r, "POST")
	assert.Equal(t, "no", body)
	assert.True(t, a.Close)
	write(t, c, "GET /") // might be the body
	require.NoError(t, c.CloseWrite())
	closed(t, r)
}

func TestAnAnswerBeforeTheEndOfTheBodySaysIfTheConnectionEnds(t *testing.T) {
	e := start(t, func(x *proxy.Exchange) {
		switch string(x.Request.Path) {
		case "/some":
			x.Request.Body.Read(make([]byte, 1))
		case "/all":
			io.Copy(io.Discard, x.Request.Body)
		case "/on":
			x.Reply.Inform(100, nil)
		}
		answer(x, 413, string(x.Request.Path))
	})
	const sized, small = "Content-Length: 100000\r\n\r\n", "Content-Length: 20000\r\n\r\n"
	for name, tt := range map[string]struct {
		path, rest string // what follows the head's first two lines
		ends       bool
	}{
		"a part was read":           {"/some", small + "part", true},
		"large and unread":          {"/none", sized + "part", true},
		"chunked and unread":        {"/none", chunks + "\r\n4\r\npart\r\n", true},
		"chunked and read in part":  {"/some", chunks + "\r\n4\r\npart\r\n", true},
		"a bad chunk":               {"/all", chunks + "\r\n4\r\npart\r\nx", true},
		"not told to go on":         {"/none", "Expect: 100-continue\r\n" + small, true},
		"told to go on, but unread": {"/on", "Expect: 100-continue\r\n" + small, true},
		"small and unread":          {"/none", small + strings.Repeat("x", 20000), false},
		"small and here":            {"/none", "Content-Length: 3\r\n\r\nabc", false},
		"read":                      {"/all", sized + strings.Repeat("x", 100000), false},
		"chunked and read":          {"/all", chunks + "\r\n4\r\npart\r\n0\r\n\r\n", false},
	} {
		for w, c := range map[string]net.Conn{"plain": e.dial(), "TLS": e.dialTLS("http/1.1")} {
			t.Run(name+", "+w, func(t *testing.T) {
				write(t, c, "POST "+tt.path+" HTTP/1.1\r\nHost: h\r\n"+tt.rest)
				r := bufio.NewReader(c)
				a, body := receive(t, r, "POST")
				if a.StatusCode == 100 {
					a, body = receive(t, r, "POST")
				}
				assert.Equal(t, tt.path, body)
				assert.Equal(t, tt.ends, a.Close)
				write(t, c, "GET /next HTTP/1.1\r\nHost: h\r\n\r\n")
				if !tt.ends {
					_, body = receive(t, r, "GET")
					assert.Equal(t, "/next", body)
					return
				}
				require.NoError(t, c.(interface{ CloseWrite() error }).CloseWrite())
				closed(t, r)
			})
		}
	}
}

func TestClosingTheBodyWakesItsReader(t *testing.T) {
	e := start(t, func(x *proxy.Exchange) {
		failed := make(chan error)
		go func() {
			_, err := io.ReadAll(x.Request.Body)
			failed <- err
		}()
		x.Reply.Head(200, nil, 4)
		x.Reply.Write([]byte("done"))
		x.Reply.Flush()
		x.Request.Body.(io.Closer).Close()
		assert.Error(t, <-failed)
		x.Reply.End(nil)
	})
	c := e.dial()
	write(t, c, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 500\r\n\r\nabc")
	r := bufio.NewReader(c)
	_, body := receive(t, r, "POST")
	assert.Equal(t, "done", body)
	require.NoError(t, c.CloseWrite())
	closed(t, r)
}

func TestUpgrade(t *testing.T) {
	t.Parallel()
	e := start(t, func(x *proxy.Exchange) {
		if x.Request.Upgrade == nil {
			_, err := x.Reply.Switch([]byte("x"), nil)
			assert.Error(t, err, "not asked for")
			answer(x, 200, "no")
			return
		}
		s, err := x.Reply.Switch(x.Request.Upgrade, fields("X-Key", "1"))
		if !assert.NoError(t, err) {
			return
		}
		defer s.Close()
		io.Copy(onlyWriter{s}, onlyReader{s})
		s.(interface{ CloseWrite() error }).CloseWrite()
	}, func(o *listen.Options) { o.Limits.TunnelTimeout = 1200 * time.Millisecond })
	for name, dial := range map[string]func() net.Conn{
		"plain": func() net.Conn { return e.dial() },
		"TLS":   func() net.Conn { return e.dialTLS("http/1.1") },
	} {
		t.Run(name, func(t *testing.T) {
			c := dial()
			write(t, c, "GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nahead")
			r := bufio.NewReader(c)
			a, err := http.ReadResponse(r, nil)
			require.NoError(t, err)
			assert.Equal(t, 101, a.StatusCode)
			assert.Equal(t, "echo", a.Header.Get("Upgrade"))
			assert.Equal(t, "Upgrade", a.Header.Get("Connection"))
			assert.Equal(t, "1", a.Header.Get("X-Key"))
			got := make([]byte, 5)
			_, err = io.ReadFull(r, got)
			require.NoError(t, err)
			assert.Equal(t, "ahead", string(got))
			for i := range 5 {
				<-time.After(300 * time.Millisecond) // more than TunnelTimeout in all, each less
				fmt.Fprintf(c, "more%d", i)
				_, err = io.ReadFull(r, got)
				require.NoError(t, err)
				assert.Equal(t, fmt.Sprintf("more%d", i), string(got))
			}
			closed(t, r) // by TunnelTimeout
		})
	}
	c := e.dial()
	write(t, c, "GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"+
		"HTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n\r\n")
	_, body := receive(t, bufio.NewReader(c), "GET")
	assert.Equal(t, "no", body, "h2c is not on offer")
}

func TestHalfOfATunnelMayBeClosed(t *testing.T) {
	t.Parallel()
	e := start(t, func(x *proxy.Exchange) {
		s, err := x.Reply.Switch(x.Request.Upgrade, nil)
		if !assert.NoError(t, err) {
			return
		}
		defer s.Close()
		all, err := io.ReadAll(s)
		assert.NoError(t, err)
		<-time.After(1500 * time.Millisecond) // long enough for a client that left to be noticed
		_, err = s.Write(bytes.ToUpper(all))
		assert.NoError(t, err)
	})
	c := e.dial()
	write(t, c, "GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nhalf")
	require.NoError(t, c.CloseWrite())
	r := bufio.NewReader(c)
	_, err := http.ReadResponse(r, nil)
	require.NoError(t, err)
	b, err := io.ReadAll(r)
	require.NoError(t, err)
	assert.Equal(t, "HALF", string(b))
}

func TestLimitsOfFieldsAreUpdated(t *testing.T) {
	e := start(t, say)
	c, later := e.dial(), e.dial()
	r := bufio.NewReader(c)
	request := "GET / HTTP/1.1\r\nHost: h\r\n" + strings.Repeat("A: b\r\n", 10) + "\r\n"
	write(t, c, request)
	a, _ := receive(t, r, "GET")
	assert.Equal(t, 200, a.StatusCode)
	e.server.SetLimits(listen.Limits{HeaderFields: 5})
	write(t, c, request) // the head that was awaited then
	receive(t, r, "GET")
	write(t, later, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
	lr := bufio.NewReader(later)
	receive(t, lr, "GET")
	write(t, later, request)
	a, _ = receive(t, lr, "GET")
	assert.Equal(t, 431, a.StatusCode)
}
