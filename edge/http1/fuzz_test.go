package http1_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/textproto"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wedge-lb/wedge/edge/http1"
)

var repeat = regexp.MustCompile(`(?s)\{\{repeat:(.*?):(\d+)\}\}`)

// corpusRequests are the attack cases as raw bytes.
func corpusRequests(tb testing.TB) [][]byte {
	text, err := os.ReadFile("../../testdata/http1/http1_cases.json")
	require.NoError(tb, err)
	var cases []struct{ Raw string }
	require.NoError(tb, json.Unmarshal(text, &cases))
	require.NotEmpty(tb, cases)
	var out [][]byte
	for _, c := range cases {
		raw := repeat.ReplaceAllStringFunc(c.Raw, func(m string) string {
			part := repeat.FindStringSubmatch(m)
			n, _ := strconv.Atoi(part[2])
			return strings.Repeat(part[1], n)
		})
		latin := make([]byte, 0, len(raw))
		for _, r := range raw {
			latin = append(latin, byte(r))
		}
		out = append(out, latin)
	}
	return out
}

// FuzzRequest compares with net/http: what we accept and write anew, it reads as the same request, with
// nothing left over.
func FuzzRequest(f *testing.F) {
	for _, raw := range corpusRequests(f) {
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		var p http1.Parser
		var r http1.Request
		n, err := p.Request(bytes.Clone(in), &r)
		if err != nil {
			return
		}
		requireSameInPieces(t, &r, in, n)
		body, b, _, err := readBody(bytes.NewReader(in[n:]), p.Framing, r.Length)
		if err != nil {
			return
		}
		out := http1.AppendRequest(nil, &r)
		if p.Framing == http1.Chunked {
			out = http1.AppendLastChunk(http1.AppendChunk(out, []byte(body)), &b.Trailers)
		} else {
			out = append(out, body...)
		}
		requireSameRequest(t, &r, body, b.Trailers, out)
	})
}

// requireSameInPieces parses a head of n bytes as it would arrive in three reads into one buffer.
func requireSameInPieces(t *testing.T, want *http1.Request, in []byte, n int) {
	var p http1.Parser
	var r http1.Request
	buf := bytes.Clone(in[:n])
	for _, end := range []int{n / 2, n - 1} {
		_, err := p.Request(buf[:end], &r)
		require.ErrorIs(t, err, http1.ErrIncomplete)
	}
	got, err := p.Request(buf, &r)
	require.NoError(t, err)
	require.Equal(t, n, got)
	require.Equal(t, want, &r)
}

func requireSameRequest(t *testing.T, r *http1.Request, body string, trailers http1.Fields, out []byte) {
	src := bufio.NewReader(bytes.NewReader(out))
	want, err := http.ReadRequest(src)
	require.NoError(t, err, "%q", out)
	require.Equal(t, string(r.Method), want.Method)
	target := string(r.Path)
	if r.HasQuery {
		target += "?" + string(r.Query)
	}
	require.Equal(t, target, want.RequestURI)
	require.Equal(t, string(r.Authority), want.Host)
	if r.Upgrade != nil {
		require.Equal(t, string(r.Upgrade), want.Header.Get("Upgrade"))
		want.Header.Del("Upgrade")
		want.Header.Del("Connection")
	}
	want.Header.Del("Content-Length")
	requireSameFields(t, r.Fields, want.Header)
	got, err := io.ReadAll(want.Body)
	require.NoError(t, err)
	require.Equal(t, body, string(got))
	requireSameFields(t, trailers, want.Trailer)
	_, err = src.ReadByte()
	require.Equal(t, io.EOF, err, "bytes left over of %q", out)
}

func requireSameFields(t *testing.T, f http1.Fields, h http.Header) {
	want := http.Header{}
	for _, x := range f {
		key := textproto.CanonicalMIMEHeaderKey(string(x.Name))
		want[key] = append(want[key], string(x.Value))
	}
	if len(want) == 0 && len(h) == 0 {
		return
	}
	require.Equal(t, want, h)
}

// FuzzCheck holds requests of other protocols to the same rules: what Check lets pass, our own parser takes.
func FuzzCheck(f *testing.F) {
	f.Add("GET", "x", "/a%41?b", "te", "trailers")
	f.Add("POST", "x:80", "/", "content-length", "5")
	f.Add("PUT", "", "/", "host", "x")
	f.Add("GET", "x", "/", "transfer-encoding", "chunked")
	f.Fuzz(func(t *testing.T, method, authority, target, name, value string) {
		r := http1.Request{Method: []byte(method), Scheme: []byte("http")}
		if authority != "" {
			r.Authority = []byte(authority)
		}
		r.Fields.Add([]byte(name), []byte(value))
		if r.SetTarget([]byte(target)) != nil || r.Check(http1.Limits{}) != nil {
			return
		}
		var p http1.Parser
		var back http1.Request
		out := http1.AppendRequest(nil, &r)
		n, err := p.Request(bytes.Clone(out), &back)
		require.NoError(t, err, "%q", out)
		require.Equal(t, len(out), n)
		require.Equal(t, string(out), string(http1.AppendRequest(nil, &back)))
	})
}
