package http1_test

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedge-lb/wedge/edge/http1"
)

func TestResponse(t *testing.T) {
	for name, tt := range map[string]struct {
		method, in string
		status     int
		framing    http1.Framing
		length     int64
		keep       bool
		fields     string
	}{
		"a sized one": {
			"GET", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nA: 1\r\n\r\n", 200, http1.Sized, 5, true, "A: 1\r\n",
		},
		"no reason": {
			"GET", "HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n", 200, http1.None, 0, true, "",
		},
		"no reason nor space": {
			"GET", "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", 200, http1.None, 0, true, "",
		},
		"a chunked one": {
			"GET", "HTTP/1.1 404 a b\xe9\tc\r\nTransfer-Encoding: chunked\r\n\r\n", 404, http1.Chunked, -1, true,
			"",
		},
		"one until the end": {"GET", "HTTP/1.1 200 OK\r\n\r\n", 200, http1.UntilClose, -1, false, ""},
		"of HTTP/1.0": {
			"GET", "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\n", 200, http1.Sized, 5, false, "",
		},
		"of HTTP/1.0 that stays": {
			"GET", "HTTP/1.0 200 OK\r\nContent-Length: 5\r\nConnection: keep-alive\r\n\r\n", 200, http1.Sized, 5,
			true, "",
		},
		"that closes": {
			"GET", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\n", 200, http1.Sized, 5,
			false, "",
		},
		"to HEAD": {
			"HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", 200, http1.None, 5, true, "",
		},
		"to HEAD, chunked": {
			"HEAD", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", 200, http1.None, -1, true, "",
		},
		"to HEAD, no length": {"HEAD", "HTTP/1.1 200 OK\r\n\r\n", 200, http1.None, -1, true, ""},
		"304 with a length": {
			"GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", 304, http1.None, 5, true, "",
		},
		"204": {"GET", "HTTP/1.1 204 No Content\r\n\r\n", 204, http1.None, 0, true, ""},
		"103": {
			"GET", "HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n", 103, http1.None, 0, true, "Link: a\r\n",
		},
		"101": {
			"GET", "HTTP/1.1 101 S\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", 101, http1.None, 0,
			true, "",
		},
		"hop-by-hop fields go": {
			"GET",
			"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: a\r\nA: 1\r\n" +
				"Keep-Alive: x\r\nTrailer: x\r\nHost: h\r\n\r\n",
			200, http1.None, 0, true, "Host: h\r\n",
		},
		"426 keeps Upgrade": {
			"GET", "HTTP/1.1 426 N\r\nContent-Length: 0\r\nUpgrade: a/1\r\nConnection: upgrade\r\nUpgrade: b\r\n\r\n",
			426, http1.None, 0, true, "Upgrade: a/1, b\r\n",
		},
		"another status does not": {
			"GET", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nUpgrade: a/1\r\n\r\n", 200, http1.None, 0, true, "",
		},
		"underscores are its own": {
			"GET", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX_Request_Id: 1\r\n\r\n", 200, http1.None, 0, true,
			"X_Request_Id: 1\r\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			var p http1.Parser
			var a http1.Response
			n, err := p.Response([]byte(tt.in), []byte(tt.method), &a)
			require.NoError(t, err)
			assert.Equal(t, len(tt.in), n)
			assert.Equal(t, tt.status, a.Status)
			assert.Equal(t, tt.framing, p.Framing)
			assert.Equal(t, tt.length, a.Length)
			assert.Equal(t, tt.keep, p.KeepAlive)
			assert.Equal(t, tt.fields, string(http1.AppendFields(nil, a.Fields)))
		})
	}
}

func TestBadResponseIsRefused(t *testing.T) {
	for name, in := range map[string]string{
		"length and coding":       "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
		"two lengths":             "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
		"a bad length":            "HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n",
		"another coding":          "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
		"a coding in HTTP/1.0":    "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
		"a coding in 204":         "HTTP/1.1 204 N\r\nTransfer-Encoding: chunked\r\n\r\n",
		"a length in 204":         "HTTP/1.1 204 N\r\nContent-Length: 5\r\n\r\n",
		"a length in 100":         "HTTP/1.1 100 C\r\nContent-Length: 5\r\n\r\n",
		"101 without Upgrade":     "HTTP/1.1 101 S\r\nConnection: Upgrade\r\n\r\n",
		"101 without Connection":  "HTTP/1.1 101 S\r\nUpgrade: websocket\r\n\r\n",
		"a short status":          "HTTP/1.1 20 OK\r\n\r\n",
		"a long status":           "HTTP/1.1 2000 OK\r\n\r\n",
		"status 099":              "HTTP/1.1 099 OK\r\n\r\n",
		"status 600":              "HTTP/1.1 600 OK\r\nContent-Length: 0\r\n\r\n",
		"status 999":              "HTTP/1.1 999 OK\r\nContent-Length: 0\r\n\r\n",
		"HTTP/2":                  "HTTP/2.0 200 OK\r\n\r\n",
		"another protocol":        "SSH-2.0-OpenSSH\r\n",
		"a bare LF":               "HTTP/1.1 200 OK\nContent-Length: 5\n\n",
		"a NUL in the reason":     "HTTP/1.1 200 O\x00K\r\n\r\n",
		"a folded line":           "HTTP/1.1 200 OK\r\nA: 1\r\n 2\r\n\r\n",
		"a space before a colon":  "HTTP/1.1 200 OK\r\nContent-Length : 5\r\n\r\n",
		"a head without end":      "HTTP/1.1 200 OK\r\n" + strings.Repeat("A: 123456\r\n", 3200),
		"an endless reason":       "HTTP/1.1 200 " + strings.Repeat("a", 33<<10),
		"an empty line before it": "\r\nHTTP/1.1 200 OK\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			var p http1.Parser
			var a http1.Response
			_, err := p.Response([]byte(in), []byte("GET"), &a)
			var e *http1.Error
			assert.ErrorAs(t, err, &e)
		})
	}
}

func TestResponseHeadArrivesByteByByte(t *testing.T) {
	const raw = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nA: 1\r\n\r\n"
	var p http1.Parser
	var a http1.Response
	n, err := 0, http1.ErrIncomplete
	for end := 0; end <= len(raw) && errors.Is(err, http1.ErrIncomplete); end++ {
		n, err = p.Response([]byte(raw[:end]), []byte("GET"), &a)
	}
	require.NoError(t, err)
	assert.Equal(t, len(raw), n)
	assert.Equal(t, int64(5), a.Length)
}

func TestAppendResponse(t *testing.T) {
	fields := http1.Fields{{Name: []byte("A"), Value: []byte("1")}}
	for name, tt := range map[string]struct {
		in   http1.Answer
		want string
	}{
		"sized": {
			http1.Answer{Status: 200, Fields: fields, Length: 5},
			"HTTP/1.1 200 OK\r\nA: 1\r\nContent-Length: 5\r\n\r\n",
		},
		"empty": {
			http1.Answer{Status: 404}, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
		},
		"chunked": {
			http1.Answer{Status: 299, Length: -1}, "HTTP/1.1 299 \r\nTransfer-Encoding: chunked\r\n\r\n",
		},
		"a 426": {
			http1.Answer{Status: 426, Close: true,
				Fields: http1.Fields{{Name: []byte("Upgrade"), Value: []byte("x")}}},
			"HTTP/1.1 426 Upgrade Required\r\nUpgrade: x\r\nContent-Length: 0\r\nConnection: upgrade\r\n" +
				"Connection: close\r\n\r\n",
		},
		"until the end": {
			http1.Answer{Status: 200, Length: -1, Old: true, Close: true},
			"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n",
		},
		"to HTTP/1.0 that stays": {
			http1.Answer{Status: 200, Length: 1, Old: true},
			"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: keep-alive\r\n\r\n",
		},
		"to HEAD": {
			http1.Answer{Status: 200, Length: 5, NoBody: true}, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
		},
		"to HEAD, no length": {http1.Answer{Status: 200, Length: -1, NoBody: true}, "HTTP/1.1 200 OK\r\n\r\n"},
		"204":                {http1.Answer{Status: 204}, "HTTP/1.1 204 No Content\r\n\r\n"},
		"103": {
			http1.Answer{Status: 103, Fields: fields}, "HTTP/1.1 103 Early Hints\r\nA: 1\r\n\r\n",
		},
		"101": {
			http1.Answer{Status: 101, Upgrade: []byte("websocket")},
			"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, tt.want, string(http1.AppendResponse(nil, &tt.in)))
		})
	}
}

func TestEveryRegisteredStatusHasItsPhrase(t *testing.T) {
	for status := 100; status < 600; status++ {
		if http.StatusText(status) != "" && status != http.StatusTeapot {
			assert.NotEmpty(t, http1.StatusText(status), status)
		}
	}
	assert.Equal(t, "Content Too Large", http1.StatusText(413), "as in RFC 9110")
	assert.Empty(t, http1.StatusText(299))
}

func TestChunkHead(t *testing.T) {
	for n, want := range map[int]string{
		1: "1\r\n", 0x10: "10\r\n", 0xabcde: "abcde\r\n", 1<<31 - 1: "7fffffff\r\n",
	} {
		var buf [http1.ChunkRoom]byte
		assert.Equal(t, want, string(buf[http1.PutChunkHead(buf[:], n):]))
	}
	out := http1.AppendLastChunk(http1.AppendChunk(nil, []byte("hello")), nil)
	assert.Equal(t, "5\r\nhello\r\n0\r\n\r\n", string(out))
	assert.Empty(t, http1.AppendChunk(nil, nil), "an empty chunk would end the body")
}

// FuzzResponse compares with net/http: what we accept and write anew, it reads as the same answer.
func FuzzResponse(f *testing.F) {
	for _, s := range []string{
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
		"HTTP/1.0 200 OK\r\n\r\nok", "HTTP/1.1 304 N\r\nContent-Length: 9\r\n\r\n",
		"HTTP/1.1 204\r\nConnection: close, A\r\nA: b\r\n\r\n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		var p http1.Parser
		var a http1.Response
		n, err := p.Response(in, []byte("GET"), &a)
		if err != nil || a.Status < 200 {
			return
		}
		body, b, _, err := readBody(bytes.NewReader(in[n:]), p.Framing, a.Length)
		if err != nil {
			return
		}
		out := http1.AppendResponse(nil, &http1.Answer{
			Status: a.Status, Fields: a.Fields, Length: a.Length, NoBody: p.Framing == http1.None,
		})
		if a.Length == http1.Unknown && p.Framing != http1.None {
			out = http1.AppendLastChunk(http1.AppendChunk(out, []byte(body)), &b.Trailers)
		} else {
			out = append(out, body...)
		}
		want, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(out)), nil)
		require.NoError(t, err, "%q", out)
		require.Equal(t, a.Status, want.StatusCode)
		want.Header.Del("Content-Length")
		requireSameFields(t, a.Fields, want.Header)
		got, err := io.ReadAll(want.Body)
		require.NoError(t, err)
		require.Equal(t, body, string(got))
	})
}
