package http1_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedge-lb/wedge/edge/http1"
)

// status is the status an error asks for: 0 = none, -1 = more bytes wanted.
func status(err error) int {
	var e *http1.Error
	switch {
	case err == nil:
		return 0
	case errors.Is(err, http1.ErrIncomplete):
		return -1
	case errors.As(err, &e):
		return e.Status
	}
	return -2
}

func parse(raw string) (*http1.Parser, *http1.Request, int, error) {
	var p http1.Parser
	var r http1.Request
	n, err := p.Request([]byte(raw), &r)
	return &p, &r, n, err
}

func TestRequestIsForwardedInCanonicalForm(t *testing.T) {
	for name, tt := range map[string]struct{ in, out string }{
		"a plain request": {
			"GET /a?b=c HTTP/1.1\r\nHost: x.test\r\nAccept: */*\r\n\r\n",
			"GET /a?b=c HTTP/1.1\r\nHost: x.test\r\nAccept: */*\r\n\r\n",
		},
		"Host moves to the front and white space goes": {
			"GET / HTTP/1.1\r\nA:1\r\nB: \t2 \t\r\nHost:x.test\r\nC:\r\n\r\n",
			"GET / HTTP/1.1\r\nHost: x.test\r\nA: 1\r\nB: 2\r\nC: \r\n\r\n",
		},
		"an empty query keeps its mark": {
			"GET /a? HTTP/1.1\r\nHost: x\r\n\r\n", "GET /a? HTTP/1.1\r\nHost: x\r\n\r\n",
		},
		"the absolute form": {
			"GET http://X.test:80/a?b HTTP/1.1\r\nHost: x.test\r\n\r\n",
			"GET /a?b HTTP/1.1\r\nHost: X.test:80\r\n\r\n",
		},
		"the absolute form without a path": {
			"GET http://x?b HTTP/1.1\r\nHost: x\r\n\r\n", "GET /?b HTTP/1.1\r\nHost: x\r\n\r\n",
		},
		"OPTIONS of the whole server": {
			"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n",
		},
		"OPTIONS of the whole server, absolute": {
			"OPTIONS http://x HTTP/1.1\r\nHost: x\r\n\r\n", "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n",
		},
		"a lower-case method stays": {
			"get / HTTP/1.1\r\nHost: x\r\n\r\n", "get / HTTP/1.1\r\nHost: x\r\n\r\n",
		},
		"one empty line before is let pass": {
			"\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n", "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
		},
		"a higher minor version is 1.1": {
			"GET / HTTP/1.9\r\nHost: x\r\n\r\n", "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
		},
		"a length without its zeros": {
			"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 0010\r\n\r\n",
			"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n",
		},
		"a body-less POST tells its length": {
			"POST / HTTP/1.1\r\nHost: x\r\n\r\n", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
		},
		"chunked in any case": {
			"PUT / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: cHunked\r\n\r\n",
			"PUT / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n",
		},
		"obs-text in a value stays": {
			"GET / HTTP/1.1\r\nHost: x\r\nA: caf\xe9\r\n\r\n", "GET / HTTP/1.1\r\nHost: x\r\nA: caf\xe9\r\n\r\n",
		},
		"tabs in a value stay": {
			"GET / HTTP/1.1\r\nHost: x\r\nA: some\tlonger value\t\tthan eight\r\n\r\n",
			"GET / HTTP/1.1\r\nHost: x\r\nA: some\tlonger value\t\tthan eight\r\n\r\n",
		},
		"hop-by-hop fields go": {
			"GET / HTTP/1.1\r\nHost: x\r\nKeep-Alive: 1\r\nProxy-Connection: a\r\n" +
				"TE: trailers\r\nTrailer: X\r\nProxy: h\r\n\r\n",
			"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
		},
		"fields that Connection names go": {
			"GET / HTTP/1.1\r\nHost: x\r\nA: 1\r\nConnection: close, a,,B\r\nb: 1\r\nC: 1\r\n\r\n",
			"GET / HTTP/1.1\r\nHost: x\r\nC: 1\r\n\r\n",
		},
		"many Connection lines": {
			"GET / HTTP/1.1\r\nHost: x\r\nA: 1\r\nConnection: z\r\nConnection: y\r\nConnection: x\r\n" +
				"Connection: w\r\nConnection: v\r\nConnection: u\r\nConnection: t\r\nConnection: a\r\n\r\n",
			"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
		},
		"Connection cannot unframe a message": {
			"PUT / HTTP/1.1\r\nHost: x\r\nConnection: Content-Length, host\r\nContent-Length: 2\r\n\r\n",
			"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n",
		},
		"an upgrade is passed on": {
			"GET / HTTP/1.1\r\nHost: x\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\r\n",
			"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
		},
		"an upgrade that Connection does not name": {
			"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n\r\n", "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
		},
		"an upgrade to HTTP/2": {
			"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\n" +
				"Upgrade: h2c\r\nHTTP2-Settings: A\r\n\r\n",
			"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
		},
		"an upgrade to HTTP/2 beside another": {
			"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket, h2c\r\n\r\n",
			"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
		},
		"an expectation stays if there is a body": {
			"PUT / HTTP/1.1\r\nHost: x\r\nExpect: 100-Continue\r\nContent-Length: 1\r\n\r\n",
			"PUT / HTTP/1.1\r\nHost: x\r\nExpect: 100-Continue\r\nContent-Length: 1\r\n\r\n",
		},
		"an expectation without a body goes": {
			"GET / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n\r\n", "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
		},
		"an expectation of HTTP/1.0 goes": {
			"PUT / HTTP/1.0\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n",
			"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n",
		},
		"an upgrade of HTTP/1.0 goes": {
			"GET / HTTP/1.0\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
			"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
		},
		"an underscore in a name of no consequence": {
			"GET / HTTP/1.1\r\nHost: x\r\nMy_Field: 1\r\n\r\n",
			"GET / HTTP/1.1\r\nHost: x\r\nMy_Field: 1\r\n\r\n",
		},
		"an IPv6 host": {
			"GET / HTTP/1.1\r\nHost: [::1]:8080\r\n\r\n", "GET / HTTP/1.1\r\nHost: [::1]:8080\r\n\r\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, r, n, err := parse(tt.in)
			require.NoError(t, err)
			assert.Equal(t, len(tt.in), n)
			assert.Equal(t, tt.out, string(http1.AppendRequest(nil, r)))
		})
	}
}

func TestBadRequestIsRefused(t *testing.T) {
	const get = "GET / HTTP/1.1\r\nHost: x\r\n"
	const put = "PUT / HTTP/1.1\r\nHost: x\r\n"
	for name, tt := range map[string]struct {
		in   string
		want int
	}{
		"two lengths":           {put + "Content-Length: 1\r\nContent-Length: 2\r\n\r\n", 400},
		"the same length twice": {put + "Content-Length: 1\r\nContent-Length: 1\r\n\r\n", 400},
		"a list of lengths":     {put + "Content-Length: 1, 1\r\n\r\n", 400},
		"a signed length":       {put + "Content-Length: +1\r\n\r\n", 400},
		"an empty length":       {put + "Content-Length:\r\n\r\n", 400},
		"a length over 63 bits": {put + "Content-Length: 9223372036854775808\r\n\r\n", 400},
		"length and coding": {
			put + "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400,
		},
		"two codings": {
			put + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", 400,
		},
		"chunked twice":             {put + "Transfer-Encoding: chunked,chunked\r\n\r\n", 501},
		"another coding first":      {put + "Transfer-Encoding: gzip, chunked\r\n\r\n", 501},
		"another coding last":       {put + "Transfer-Encoding: chunked, gzip\r\n\r\n", 400},
		"a coding with a parameter": {put + "Transfer-Encoding: chunked;a=b\r\n\r\n", 400},
		"a coding with a comma":     {put + "Transfer-Encoding: chunked,\r\n\r\n", 400},
		"a coding in HTTP/1.0": {
			"PUT / HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", 400,
		},
		"white space before the colon":        {get + "A : 1\r\n\r\n", 400},
		"a tab before the colon":              {get + "A\t: 1\r\n\r\n", 400},
		"a folded line":                       {get + "A: 1\r\n 2\r\n\r\n", 400},
		"a line that begins with white space": {"GET / HTTP/1.1\r\n A: 1\r\nHost: x\r\n\r\n", 400},
		"a line without a colon":              {get + "A\r\n\r\n", 400},
		"no name":                             {get + ": 1\r\n\r\n", 400},
		"a bare LF behind a field":            {get + "A: 1\nB: 2\r\n\r\n", 400},
		"a bare LF behind the start line":     {"GET / HTTP/1.1\nHost: x\r\n\r\n", 400},
		"a bare LF at the end":                {get + "\n", 400},
		"a bare CR in a value":                {get + "A: 1\rB: 2\r\n\r\n", 400},
		"a bare CR at the end":                {get + "\rX", 400},
		"a NUL in a value":                    {get + "A: 1\x002\r\n\r\n", 400},
		"a DEL in a value":                    {get + "A: 1\x7f2\r\n\r\n", 400},
		"a control byte in a long value":      {get + "A: 0123456789abcdef\x01\r\n\r\n", 400},
		"a high byte in a name":               {get + "A\xe9: 1\r\n\r\n", 400},
		"an alias of a framing field":         {get + "Content_Length: 1\r\n\r\n", 400},
		"an alias of a coding field":          {get + "transfer_encoding: chunked\r\n\r\n", 400},
		"an alias of a forwarding field":      {get + "X_Forwarded-For: 1.1.1.1\r\n\r\n", 400},
		"an alias with a long name":           {get + "X_Forwarded_Something-That-Is-Very-Long: 1\r\n\r\n", 400},
		"an alias that tells the client":      {get + "X_Real_IP: 1.1.1.1\r\n\r\n", 400},
		"no host":                             {"GET / HTTP/1.1\r\n\r\n", 400},
		"no host in HTTP/1.0":                 {"GET / HTTP/1.0\r\n\r\n", 400},
		"no host beside the absolute form":    {"GET http://x/ HTTP/1.1\r\n\r\n", 400},
		"two hosts":                           {get + "Host: x\r\n\r\n", 400},
		"an empty host":                       {"GET / HTTP/1.1\r\nHost:\r\n\r\n", 400},
		"a host with a user":                  {"GET / HTTP/1.1\r\nHost: u@x\r\n\r\n", 400},
		"another host in the target":          {"GET http://y/ HTTP/1.1\r\nHost: x\r\n\r\n", 400},
		"a user in the target":                {"GET http://u:p@x/ HTTP/1.1\r\nHost: x\r\n\r\n", 400},
		"another scheme":                      {"GET https://x/ HTTP/1.1\r\nHost: x\r\n\r\n", 400},
		"a scheme that is not HTTP":           {"GET file:///etc HTTP/1.1\r\nHost: x\r\n\r\n", 400},
		"a fragment":                          {"GET /a#b HTTP/1.1\r\nHost: x\r\n\r\n", 400},
		"a fragment in the query":             {"GET /a?b#c HTTP/1.1\r\nHost: x\r\n\r\n", 400},
		"a relative target":                   {"GET a HTTP/1.1\r\nHost: x\r\n\r\n", 400},
		"an asterisk for GET":                 {"GET * HTTP/1.1\r\nHost: x\r\n\r\n", 400},
		"a longer asterisk":                   {"OPTIONS *a HTTP/1.1\r\nHost: x\r\n\r\n", 400},
		"no target":                           {"GET  HTTP/1.1\r\nHost: x\r\n\r\n", 400},
		"HTTP/0.9":                            {"GET /\r\n\r\n", 400},
		"two spaces":                          {"GET /  HTTP/1.1\r\nHost: x\r\n\r\n", 400},
		"a space at the end of the line":      {"GET / HTTP/1.1 \r\nHost: x\r\n\r\n", 400},
		"a tab in the line":                   {"GET\t/ HTTP/1.1\r\nHost: x\r\n\r\n", 400},
		"a NUL in the target":                 {"GET /\x00 HTTP/1.1\r\nHost: x\r\n\r\n", 400},
		"a high byte in the target":           {"GET /\xe9 HTTP/1.1\r\nHost: x\r\n\r\n", 400},
		"an invalid method":                   {"G(T / HTTP/1.1\r\nHost: x\r\n\r\n", 400},
		"no method":                           {" / HTTP/1.1\r\nHost: x\r\n\r\n", 400},
		"a TLS greeting":                      {"\x16\x03\x01\x02\x00", 400},
		"HTTP/2":                              {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
		"a version that is not known":         {"GET / HTTP/3.0\r\nHost: x\r\n\r\n", 505},
		"a version in lower case":             {"GET / http/1.1\r\nHost: x\r\n\r\n", 400},
		"a version with two digits":           {"GET / HTTP/1.11\r\nHost: x\r\n\r\n", 400},
		"two empty lines before":              {"\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n", 400},
		"a bare LF before":                    {"\nGET / HTTP/1.1\r\nHost: x\r\n\r\n", 400},
		"CONNECT":                             {"CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n", 405},
		"TRACE":                               {"TRACE / HTTP/1.1\r\nHost: x\r\n\r\n", 405},
		"another expectation":                 {put + "Expect: 200-ok\r\nContent-Length: 1\r\n\r\n", 417},
		"two expectations":                    {put + "Expect: 100-continue\r\nExpect: 100-continue\r\n\r\n", 417},
		"an upgrade with a body": {
			put + "Connection: upgrade\r\nUpgrade: websocket\r\nContent-Length: 1\r\n\r\n", 400,
		},
		"a Connection option that is none":  {get + "Connection: a b\r\n\r\n", 400},
		"nine Connection lines":             {get + strings.Repeat("Connection: a\r\n", 9) + "\r\n", 400},
		"many options of many lines":        {get + strings.Repeat("Connection: a,a,a,a,a\r\n", 8) + "\r\n", 400},
		"many Connection options":           {get + "Connection: " + strings.Repeat("a,", 40) + "\r\n\r\n", 400},
		"101 fields":                        {get + strings.Repeat("A: 1\r\n", 100) + "\r\n", 431},
		"a head over the limit":             {get + "A: " + strings.Repeat("a", 33<<10) + "\r\n\r\n", 431},
		"a head over the limit, unfinished": {get + "A: " + strings.Repeat("a", 33<<10), 431},
		"a long target": {
			"GET /" + strings.Repeat("a", 17<<10) + " HTTP/1.1\r\nHost: x\r\n\r\n", 414,
		},
		"a long target, unfinished": {"GET /" + strings.Repeat("a", 17<<10), 414},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, _, err := parse(tt.in)
			assert.Equal(t, tt.want, status(err), "%v", err)
		})
	}
}

func TestLimitsAreReached(t *testing.T) {
	const get = "GET / HTTP/1.1\r\nHost: x\r\n"
	for name, raw := range map[string]string{
		"100 fields":       get + strings.Repeat("A: 1\r\n", 99) + "\r\n",
		"8000 octets":      "GET /" + strings.Repeat("a", 8000) + " HTTP/1.1\r\nHost: x\r\n\r\n",
		"a head of 32 KiB": get + "A: " + strings.Repeat("a", 32<<10-len(get)-7) + "\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			_, _, n, err := parse(raw)
			require.NoError(t, err)
			assert.Equal(t, len(raw), n)
		})
	}
}

func TestKeepAlive(t *testing.T) {
	for name, tt := range map[string]struct {
		in   string
		want bool
	}{
		"HTTP/1.1":             {"GET / HTTP/1.1\r\nHost: x\r\n\r\n", true},
		"HTTP/1.1 that closes": {"GET / HTTP/1.1\r\nHost: x\r\nConnection: Close\r\n\r\n", false},
		"HTTP/1.0":             {"GET / HTTP/1.0\r\nHost: x\r\n\r\n", false},
		"HTTP/1.0 that stays":  {"GET / HTTP/1.0\r\nHost: x\r\nConnection: Keep-Alive\r\n\r\n", true},
		"HTTP/1.0 that cannot decide": {
			"GET / HTTP/1.0\r\nHost: x\r\nConnection: Keep-Alive, close\r\n\r\n", false,
		},
		"two lines of which one closes": {
			"GET / HTTP/1.1\r\nHost: x\r\nConnection: keep-alive\r\nConnection: close\r\n\r\n", false,
		},
		"a close in the middle of a list": {"GET / HTTP/1.1\r\nHost: x\r\nConnection: a, close ,b\r\n\r\n", false},
	} {
		t.Run(name, func(t *testing.T) {
			p, _, _, err := parse(tt.in)
			require.NoError(t, err)
			assert.Equal(t, tt.want, p.KeepAlive)
		})
	}
}

func TestHeadArrivesByteByByte(t *testing.T) {
	for name, raw := range map[string]string{
		"a request":              "GET /a%41 HTTP/1.1\r\nHost: x\r\nA: 1\r\nContent-Length: 3\r\n\r\n",
		"an empty line before":   "\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n",
		"the absolute form":      "GET http://x/%7e HTTP/1.1\r\nHost: x\r\n\r\n",
		"a refused one, bare LF": "GET / HTTP/1.1\r\nHost: x\nA: 1\r\n\r\n",
		"a refused one, no host": "GET / HTTP/1.1\r\nA: 1\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			_, want, wantN, wantErr := parse(raw)
			var p http1.Parser
			var r http1.Request
			n, err, buf := 0, http1.ErrIncomplete, []byte(raw) // one buffer, in which the path may be rewritten
			for end := 1; end <= len(raw) && errors.Is(err, http1.ErrIncomplete); end++ {
				n, err = p.Request(buf[:end], &r)
			}
			assert.Equal(t, wantErr, err)
			assert.Equal(t, wantN, n)
			if err == nil {
				assert.Equal(t, want, &r)
			}
		})
	}
}

func TestPipelinedRequestsAreToldApart(t *testing.T) {
	buf := []byte("POST /1 HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\nGET /2 HTTP/1.1\r\nHost: x\r\n\r\n")
	var p http1.Parser
	var r http1.Request
	n, err := p.Request(buf, &r)
	require.NoError(t, err)
	assert.Equal(t, "/1", string(r.Path))
	m, err := p.Request(buf[n:], &r)
	require.NoError(t, err)
	assert.Equal(t, "/2", string(r.Path))
	assert.Equal(t, len(buf), n+m)
}
