package listen_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/wedge-lb/wedge/edge/listen"
	"github.com/wedge-lb/wedge/edge/proxy"
)

func TestGetIsAnswered(t *testing.T) {
	e := start(t, func(x *proxy.Exchange) {
		q := &x.Request
		v, _ := q.Fields.Get("X-Mark")
		answer(x, 201, strings.Join([]string{string(q.Method), string(q.Scheme), string(q.Path), string(q.Query),
			string(v), x.Protocol, x.SNI, x.Peer.Addr().String()}, " "), "X-Answer", "yes")
		assert.Zero(t, q.Length)
		assert.Nil(t, q.Body)
	})
	want := map[string]string{
		"h1": "http /a b=c mark h1  127.0.0.1", "h1 over TLS": "https /a b=c mark h1 edge.test 127.0.0.1",
		"h2": "https /a b=c mark h2 edge.test 127.0.0.1", "h3": "https /a b=c mark h3 edge.test 127.0.0.1",
	}
	e.each(t, func(t *testing.T, w way) {
		for range 3 {
			r, err := http.NewRequest("GET", w.url+"/%61?b=c", nil)
			require.NoError(t, err)
			r.Header.Set("X-Mark", "mark")
			a, err := w.client.Do(r)
			require.NoError(t, err)
			assert.Equal(t, 201, a.StatusCode)
			assert.Equal(t, "yes", a.Header.Get("X-Answer"))
			assert.Equal(t, "GET "+want[w.name], readAll(t, a))
			assert.Empty(t, a.Header.Values("Server"))
			assert.Empty(t, a.Header.Values("Date"), "the date is the proxy's")
			assert.Empty(t, a.Header.Values("Content-Type"), "nothing is guessed")
		}
	})
}

func TestBodiesGoBothWays(t *testing.T) {
	e := start(t, echo)
	body := make([]byte, 1<<20)
	rand.Read(body)
	sized := func(b []byte) io.Reader { return bytes.NewReader(b) }
	unsized := func(b []byte) io.Reader { return onlyReader{bytes.NewReader(b)} }
	e.each(t, func(t *testing.T, w way) {
		for name, tt := range map[string]struct {
			body []byte
			form func([]byte) io.Reader
		}{
			"small and sized": {body[:10], sized}, "small and unsized": {body[:10], unsized},
			"large and sized": {body, sized}, "large and unsized": {body, unsized},
			"around a buffer": {body[:4096], sized}, "around a record": {body[:16<<10+1], sized},
		} {
			t.Run(name, func(t *testing.T) {
				a, err := w.client.Post(w.url+"/", "application/octet-stream", tt.form(tt.body))
				require.NoError(t, err)
				assert.True(t, string(tt.body) == readAll(t, a))
			})
		}
	})
}

func TestTrailersGoBothWays(t *testing.T) {
	e := start(t, echo)
	e.each(t, func(t *testing.T, w way) {
		r, err := http.NewRequest("POST", w.url+"/", onlyReader{strings.NewReader("body")})
		require.NoError(t, err)
		r.Trailer = http.Header{"X-Sum": {"42"}, "X-Forwarded-For": {"no"}}
		a, err := w.client.Do(r)
		require.NoError(t, err)
		assert.Equal(t, "body", readAll(t, a))
		assert.Equal(t, http.Header{"X-Sum": {"42"}}, a.Trailer)
	})
}

func TestAnswersWithoutABody(t *testing.T) {
	e := start(t, func(x *proxy.Exchange) {
		switch string(x.Request.Path) {
		case "/head":
			x.Reply.Head(200, nil, 1234)
			x.Reply.End(nil)
		case "/head-unknown":
			x.Reply.Head(200, nil, -1)
			x.Reply.End(nil)
		case "/204":
			answer(x, 204, "")
		case "/304":
			x.Reply.Head(304, fields("ETag", `"a"`), -1)
			x.Reply.End(nil)
		default:
			answer(x, 200, "next")
		}
	})
	e.each(t, func(t *testing.T, w way) {
		for _, tt := range []struct {
			method, path string
			status       int
			length       string
		}{
			{"HEAD", "/head", 200, "1234"}, {"HEAD", "/head-unknown", 200, ""},
			{"GET", "/204", 204, ""}, {"GET", "/304", 304, ""}, {"GET", "/", 200, "4"},
		} {
			r, err := http.NewRequest(tt.method, w.url+tt.path, nil)
			require.NoError(t, err)
			a, err := w.client.Do(r)
			require.NoError(t, err)
			assert.Equal(t, tt.status, a.StatusCode, tt.path)
			assert.Equal(t, tt.length, a.Header.Get("Content-Length"), tt.path)
			want := ""
			if tt.path == "/" {
				want = "next"
			}
			assert.Equal(t, want, readAll(t, a), tt.path)
		}
	})
}

func TestInterimAnswersArriveAtOnce(t *testing.T) {
	go_ := make(chan struct{})
	e := start(t, func(x *proxy.Exchange) {
		x.Reply.Inform(103, fields("Link", "</a.css>"))
		<-go_
		answer(x, 200, "done")
	})
	e.each(t, func(t *testing.T, w way) {
		trace := &httptrace.ClientTrace{Got1xxResponse: func(code int, h textproto.MIMEHeader) error {
			assert.Equal(t, 103, code)
			assert.Equal(t, "</a.css>", h.Get("Link"))
			go_ <- struct{}{}
			return nil
		}}
		ctx := httptrace.WithClientTrace(context.Background(), trace)
		r, err := http.NewRequestWithContext(ctx, "GET", w.url, nil)
		require.NoError(t, err)
		a, err := w.client.Do(r)
		require.NoError(t, err)
		assert.Equal(t, "done", readAll(t, a))
		assert.Empty(t, a.Header.Values("Link"), "belongs to the interim answer")
	})
}

func TestExpectIsPassedOnAndItsAnswerBack(t *testing.T) {
	e := start(t, func(x *proxy.Exchange) {
		if _, ok := x.Request.Fields.Get("Expect"); ok {
			x.Reply.Inform(100, nil)
		}
		echo(x)
	})
	e.each(t, func(t *testing.T, w way) {
		r, err := http.NewRequest("POST", w.url, strings.NewReader("awaited"))
		require.NoError(t, err)
		r.Header.Set("Expect", "100-continue")
		if tr, ok := w.client.Transport.(*http.Transport); ok {
			tr.ExpectContinueTimeout = time.Minute
		}
		began := time.Now()
		a, err := w.client.Do(r)
		require.NoError(t, err)
		assert.Equal(t, "awaited", readAll(t, a))
		assert.Less(t, time.Since(began), soon)
	})
}

func TestPartsAreSentWhenFlushed(t *testing.T) {
	more := make(chan struct{})
	e := start(t, func(x *proxy.Exchange) {
		x.Reply.Head(200, nil, -1)
		for range 3 {
			x.Reply.Write([]byte("part"))
			x.Reply.Flush()
			<-more
		}
		x.Reply.End(nil)
	})
	e.each(t, func(t *testing.T, w way) {
		a, err := w.client.Get(w.url)
		require.NoError(t, err)
		part := make([]byte, 4)
		for range 3 {
			_, err := io.ReadFull(a.Body, part)
			require.NoError(t, err)
			more <- struct{}{}
		}
		assert.Empty(t, readAll(t, a))
	})
}

func TestCutIsAnErrorToTheClient(t *testing.T) {
	e := start(t, func(x *proxy.Exchange) {
		switch string(x.Request.Path) {
		case "/before":
			x.Reply.Cut()
			return
		case "/sized":
			x.Reply.Head(200, nil, 100)
		case "/unsized", "/forgotten":
			x.Reply.Head(200, nil, -1)
		case "/short":
			x.Reply.Head(200, nil, 100)
			x.Reply.Write([]byte("part"))
			assert.Error(t, x.Reply.End(nil))
			return
		case "/nothing":
			return
		case "/panic":
			panic("of the handler")
		}
		x.Reply.Write([]byte("part"))
		x.Reply.Flush()
		if string(x.Request.Path) != "/forgotten" {
			x.Reply.Cut()
		}
	})
	e.each(t, func(t *testing.T, w way) {
		for _, path := range []string{"/before", "/sized", "/unsized", "/forgotten", "/short", "/nothing", "/panic"} {
			r, err := http.NewRequest("POST", w.url+path, nil) // not retried by the client
			require.NoError(t, err)
			a, err := w.client.Do(r)
			if err == nil {
				_, err = io.ReadAll(a.Body)
				a.Body.Close()
			}
			assert.Error(t, err, path)
		}
	})
	assert.EqualValues(t, 4, e.server.Stats().Panics)
}

func TestAClientThatLeavesAborts(t *testing.T) {
	t.Parallel()
	began, aborted := make(chan struct{}), make(chan bool, 1)
	e := start(t, func(x *proxy.Exchange) {
		interrupted := make(chan struct{})
		x.Abort.Attach(interrupter(func() { close(interrupted) }))
		began <- struct{}{}
		<-interrupted
		x.Abort.Detach()
		aborted <- x.Abort.Aborted()
	})
	e.each(t, func(t *testing.T, w way) {
		ctx, leave := context.WithCancel(context.Background())
		r, err := http.NewRequestWithContext(ctx, "GET", w.url, nil)
		require.NoError(t, err)
		failed := make(chan error)
		go func() {
			_, err := w.client.Do(r)
			failed <- err
		}()
		<-began
		leave()
		require.ErrorIs(t, <-failed, context.Canceled)
		select {
		case yes := <-aborted:
			assert.True(t, yes)
		case <-time.After(soon):
			t.Error("not noticed")
		}
	})
}

type interrupter func()

func (i interrupter) Interrupt() { i() }

func TestAnEarlyAnswerArrives(t *testing.T) {
	e := start(t, func(x *proxy.Exchange) { answer(x, 413, "too large") })
	e.each(t, func(t *testing.T, w way) {
		for _, size := range []int{10, 1 << 10, 50 << 10, 8 << 20} {
			a, err := w.client.Post(w.url, "", bytes.NewReader(make([]byte, size)))
			require.NoError(t, err, size)
			assert.Equal(t, 413, a.StatusCode)
			assert.Equal(t, "too large", readAll(t, a))
		}
	})
}

func TestADeclaredLengthIsKept(t *testing.T) {
	e := start(t, func(x *proxy.Exchange) {
		x.Reply.Head(200, nil, 4)
		_, err := x.Reply.Write([]byte("too much"))
		assert.Error(t, err)
		_, err = x.Reply.Write([]byte("four"))
		assert.NoError(t, err)
		assert.NoError(t, x.Reply.End(nil))
		assert.Error(t, x.Reply.End(nil))
		assert.Error(t, x.Reply.Head(200, nil, 0))
	})
	e.each(t, func(t *testing.T, w way) {
		a, err := w.client.Get(w.url)
		require.NoError(t, err)
		assert.Equal(t, "four", readAll(t, a))
	})
}

func TestAltSvcIsAdvertisedOverTLS(t *testing.T) {
	e := start(t, func(x *proxy.Exchange) {
		if string(x.Request.Path) == "/own" {
			answer(x, 200, "", "Alt-Svc", "clear")
			return
		}
		answer(x, 200, "")
	}, func(o *listen.Options) { o.AltPort = 8443 })
	const ours = `h3=":8443"; ma=86400`
	want := map[string][]string{"h1": nil, "h1 over TLS": {ours}, "h2": {ours}, "h3": nil}
	e.each(t, func(t *testing.T, w way) {
		a, err := w.client.Get(w.url)
		require.NoError(t, err)
		readAll(t, a)
		assert.Equal(t, want[w.name], a.Header.Values("Alt-Svc"))
		a, err = w.client.Get(w.url + "/own")
		require.NoError(t, err)
		readAll(t, a)
		assert.Equal(t, []string{"clear"}, a.Header.Values("Alt-Svc"))
	})
}
