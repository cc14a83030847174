package listen_test

import (
	"context"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/wedge-lb/wedge/edge/listen"
	"github.com/wedge-lb/wedge/edge/proxy"
)

const (
	h3Load       = http3.ErrCodeExcessiveLoad
	qpackFailed  = http3.ErrCodeQPACKDecompressionFailed
	qpackEncoder = http3.ErrCode(0x201)
	qpackDecoder = http3.ErrCode(0x202)
)

// reserved are the frames of HTTP/2 that HTTP/3 has not (RFC 9114 7.2.8).
var reserved = map[string]uint64{"PRIORITY": 0x2, "PING": 0x6, "WINDOW_UPDATE": 0x8, "CONTINUATION": 0x9}

func TestMistakesOnUnidirectionalStreamsEndAnH3Connection(t *testing.T) {
	e := start(t, say)
	cases := map[string]struct {
		streams []string
		code    http3.ErrCode
	}{
		"no settings first":           {[]string{"\x00\x07\x01\x00"}, http3.ErrCodeMissingSettings},
		"an unknown frame first":      {[]string{"\x00\x21\x00\x04\x00"}, http3.ErrCodeMissingSettings},
		"settings twice":              {[]string{control + "\x04\x00"}, http3.ErrCodeFrameUnexpected},
		"a setting twice":             {[]string{"\x00\x04\x04\x06\x01\x06\x01"}, http3.ErrCodeSettingsError},
		"a setting of HTTP/2":         {[]string{"\x00\x04\x02\x02\x00"}, http3.ErrCodeSettingsError},
		"half a setting":              {[]string{"\x00\x04\x01\x06"}, http3.ErrCodeSettingsError},
		"endless settings":            {[]string{"\x00\x04\x80\x01\x00\x00"}, http3.ErrCodeExcessiveLoad},
		"DATA":                        {[]string{control + h3Frame(0, "x")}, http3.ErrCodeFrameUnexpected},
		"HEADERS":                     {[]string{control + h3Frame(1, "\x00\x00")}, http3.ErrCodeFrameUnexpected},
		"PUSH_PROMISE":                {[]string{control + h3Frame(5, "\x00")}, http3.ErrCodeFrameUnexpected},
		"CANCEL_PUSH without a push":  {[]string{control + h3Frame(3, "\x00")}, http3.ErrCodeIDError},
		"MAX_PUSH_ID that falls":      {[]string{control + "\x0d\x01\x05\x0d\x01\x04"}, http3.ErrCodeIDError},
		"GOAWAY that grows":           {[]string{control + "\x07\x01\x04\x07\x01\x08"}, http3.ErrCodeIDError},
		"GOAWAY with more behind":     {[]string{control + h3Frame(7, "\x04\x04")}, http3.ErrCodeFrameError},
		"an empty GOAWAY":             {[]string{control + h3Frame(7, "")}, http3.ErrCodeFrameError},
		"a long GOAWAY":               {[]string{control + "\x07\x09\x00"}, http3.ErrCodeFrameError},
		"a priority of no request":    {[]string{control + h3Frame(0xf0700, "\x02u=1")}, http3.ErrCodeIDError},
		"a priority of a push":        {[]string{control + h3Frame(0xf0701, "\x00u=1")}, http3.ErrCodeIDError},
		"a priority of nothing":       {[]string{control + h3Frame(0xf0700, "")}, http3.ErrCodeFrameError},
		"a long priority":             {[]string{control + "\x80\x0f\x07\x00\x60\x00"}, h3Load},
		"two control streams":         {[]string{control, control}, http3.ErrCodeStreamCreationError},
		"two encoder streams":         {[]string{"\x02", "\x02"}, http3.ErrCodeStreamCreationError},
		"two decoder streams":         {[]string{"\x03", "\x03"}, http3.ErrCodeStreamCreationError},
		"a push stream":               {[]string{"\x01\x00"}, http3.ErrCodeStreamCreationError},
		"an insert":                   {[]string{"\x02\x41a\x01b"}, qpackEncoder},
		"a table with room":           {[]string{"\x02\x21"}, qpackEncoder},
		"an acknowledgement":          {[]string{"\x03\x80"}, qpackDecoder},
		"a count of inserts":          {[]string{"\x03\x01"}, qpackDecoder},
		"an insert behind empty ones": {[]string{"\x02\x20\x20\x00"}, qpackEncoder},
	}
	for name, kind := range reserved {
		cases[name] = struct {
			streams []string
			code    http3.ErrCode
		}{[]string{control + h3Frame(kind, "")}, http3.ErrCodeFrameUnexpected}
	}
	for name, tt := range cases {
		t.Run(name, func(t *testing.T) { e.h3(tt.streams...).ends(tt.code) })
	}
}

func TestTheEndOfACriticalStreamEndsAnH3Connection(t *testing.T) {
	e := start(t, say)
	for name, b := range map[string]string{"control": control, "encoder": "\x02", "decoder": "\x03",
		"control before its settings": "\x00", "control in a frame": control + "\x07\x01"} {
		t.Run(name, func(t *testing.T) {
			c := e.h3()
			require.NoError(t, c.uni(b).Close())
			c.ends(http3.ErrCodeClosedCriticalStream)
			c = e.h3(control)
			if !strings.HasPrefix(name, "control") {
				s := c.uni(b)
				assert.Equal(t, "200", c.status(c.send(h3Head(t))), "the type has arrived")
				s.CancelWrite(0)
				c.ends(http3.ErrCodeClosedCriticalStream)
			}
		})
	}
}

func TestMistakesOnRequestStreamsEndAnH3Connection(t *testing.T) {
	e := start(t, say)
	head := h3Head(t, ":method", "POST")
	trailers := string(h3Headers(t, [][2]string{{"a", "b"}}))
	cases := map[string]struct {
		sent string
		code http3.ErrCode
	}{
		"DATA first":                 {h3Frame(0, "x"), http3.ErrCodeFrameUnexpected},
		"SETTINGS":                   {h3Frame(4, ""), http3.ErrCodeFrameUnexpected},
		"SETTINGS in a body":         {head + h3Frame(4, ""), http3.ErrCodeFrameUnexpected},
		"GOAWAY in a body":           {head + h3Frame(7, "\x00"), http3.ErrCodeFrameUnexpected},
		"MAX_PUSH_ID":                {head + h3Frame(13, "\x00"), http3.ErrCodeFrameUnexpected},
		"CANCEL_PUSH":                {h3Frame(3, "\x00"), http3.ErrCodeFrameUnexpected},
		"PUSH_PROMISE":               {h3Frame(5, "\x00"), http3.ErrCodeFrameUnexpected},
		"a priority":                 {h3Frame(0xf0700, "\x00u=1"), http3.ErrCodeFrameUnexpected},
		"DATA behind trailers":       {head + trailers + h3Frame(0, "x"), http3.ErrCodeFrameUnexpected},
		"trailers twice":             {head + trailers + trailers, http3.ErrCodeFrameUnexpected},
		"a head cut short":           {head[:len(head)-1], http3.ErrCodeFrameError},
		"a type cut short":           {"\x40", http3.ErrCodeFrameError},
		"DATA cut short":             {head + "\x00\x40\x640123456789", http3.ErrCodeFrameError},
		"DATA without a byte":        {head + "\x00\x05", http3.ErrCodeFrameError},
		"trailers cut short":         {head + "\x01\x05\x00", http3.ErrCodeFrameError},
		"an unknown frame cut short": {head + "\x21\x05x", http3.ErrCodeFrameError},
		"an invalid section":         {h3Frame(1, "\x00\x00\x80"), qpackFailed},
		"an empty section":           {h3Frame(1, ""), qpackFailed},
		"invalid trailers":           {head + h3Frame(1, "\x00\x00\x80"), qpackFailed},
	}
	for name, kind := range reserved {
		cases[name] = struct {
			sent string
			code http3.ErrCode
		}{head + h3Frame(kind, ""), http3.ErrCodeFrameUnexpected}
	}
	for name, tt := range cases {
		t.Run(name, func(t *testing.T) {
			c := e.h3(control)
			c.send(tt.sent)
			c.ends(tt.code)
		})
	}
}

func TestMalformedH3RequestsAreReset(t *testing.T) {
	e := start(t, say)
	post := h3Head(t, ":method", "POST")
	trailers := func(name, value string) string { return string(h3Headers(t, [][2]string{{name, value}})) }
	late := get("a", "b", ":path+", "/").with("-:path", "").head
	c := e.h3(control)
	for name, sent := range map[string]string{
		"no method":                 h3Head(t, "-:method", ""),
		"no scheme":                 h3Head(t, "-:scheme", ""),
		"no path":                   h3Head(t, "-:path", ""),
		"an empty path":             h3Head(t, ":path", ""),
		"a method twice":            h3Head(t, ":method+", "GET"),
		"an unknown pseudo-field":   h3Head(t, ":secret", "1"),
		"one of answers":            h3Head(t, ":status", "200"),
		"a protocol but no CONNECT": h3Head(t, ":protocol", "websocket"),
		"a pseudo-field too late":   string(h3Headers(t, late)),
		"an upper-case name":        h3Head(t, "Abc", "d"),
		"connection":                h3Head(t, "connection", "close"),
		"transfer-encoding":         h3Head(t, "transfer-encoding", "chunked"),
		"a length without a body":   h3Head(t, ":method", "POST", "content-length", "4"),
		"a body that is too short":  h3Head(t, ":method", "POST", "content-length", "4") + h3Frame(0, "abc"),
		"a body that is too long":   h3Head(t, ":method", "POST", "content-length", "2") + h3Frame(0, "abc"),
		"more DATA than declared": h3Head(t, ":method", "POST", "content-length", "2") + h3Frame(0, "ab") +
			h3Frame(0, "c"),
		"a pseudo-field in trailers": post + trailers(":path", "/"),
		"an upper-case trailer":      post + trailers("A", "b"),
		"a bad value in trailers":    post + trailers("a", "b\r\nc"),
	} {
		t.Run(name, func(t *testing.T) {
			c.t = t
			c.resets(c.send(sent), http3.ErrCodeMessageError)
		})
	}
	c.t = t
	c.resets(c.send(""), http3.ErrCodeRequestIncomplete)
	c.resets(c.send(post+trailers("a", strings.Repeat("b", 9<<10))), http3.ErrCodeExcessiveLoad)
	assert.Equal(t, "200", c.status(c.send(post+h3Frame(0, "abc"))), "the connection goes on")
}

func TestRefusedH3RequestsAreAnswered(t *testing.T) {
	e := start(t, say)
	c := e.h3(control)
	var many []string
	for i := range 101 {
		many = append(many, fmt.Sprintf("a%d", i), "b")
	}
	for name, tt := range map[string]struct{ sent, status string }{
		"a large section":         {h3Head(t, "a", strings.Repeat("b", 60<<10)), "431"},
		"a section that expands":  {h3Frame(1, "\x00\x00"+strings.Repeat("\xdf", 2000)), "431"},
		"many fields":             {h3Head(t, many...), "431"},
		"many that count little":  {h3Frame(1, "\x00\x00"+strings.Repeat("\xdf", 300)), "431"},
		"the scheme http":         {h3Head(t, ":scheme", "http"), "400"},
		"another host":            {h3Head(t, "host", "other.test"), "400"},
		"no host":                 {h3Head(t, "-:authority", ""), "400"},
		"dots":                    {h3Head(t, ":path", "/a/../b"), "400"},
		"CONNECT":                 {h3Head(t, ":method", "CONNECT", "-:path", "", "-:scheme", ""), "405"},
		"an extended CONNECT":     {h3Head(t, ":method", "CONNECT", ":protocol", "websocket"), "405"},
		"an unknown expectation":  {h3Head(t, "expect", "wonders"), "417"},
		"one that has not ended":  {h3Head(t, ":path", "/a b"), "400"},
		"many crumbs of a cookie": {h3Head(t, cookies(101)...), "200"},
	} {
		t.Run(name, func(t *testing.T) {
			c.t = t
			do := c.send
			if name == "one that has not ended" {
				do = c.open
			}
			a := readAnswer(t, do(tt.sent))
			require.NoError(t, a.err)
			require.Len(t, a.heads, 1)
			assert.Equal(t, tt.status, a.heads[0][":status"])
			if tt.status != "200" {
				assert.Equal(t, "0", a.heads[0]["content-length"])
				assert.NotEmpty(t, a.heads[0]["date"])
			}
		})
	}
}

func cookies(n int) (fields []string) {
	for i := range n {
		fields = append(fields, "cookie+", fmt.Sprintf("c%d=v", i))
	}
	return fields
}

func TestWhatIsNotKnownIsSkipped(t *testing.T) {
	e := start(t, echo)
	grease := h3Frame(0x21, "") + h3Frame(0x40, strings.Repeat("x", 5000))
	c := e.h3("\x00\x04\x05\x40\x21\x05\x06\x04"+grease+
		"\x0d\x01\x03\x07\x01\x08\x07\x01\x04", "\x02\x20",
		"\x03\x44\x7f\x80\x01")
	unknown := c.uni("\x21what is this")
	sent := grease + h3Head(t, ":method", "POST", "content-length", "6") + grease + h3Frame(0, "abc") +
		h3Frame(0, "") + grease + h3Frame(0, "def") + grease +
		string(h3Headers(t, [][2]string{{"x-sum", "1"}})) + grease
	a := readAnswer(t, c.send(sent))
	require.NoError(t, a.err)
	assert.Equal(t, "abcdef", a.body)
	require.Len(t, a.heads, 2)
	assert.Equal(t, map[string]string{"x-sum": "1"}, a.heads[1])
	<-unknown.Context().Done()
	var unread *quic.StreamError
	require.ErrorAs(t, context.Cause(unknown.Context()), &unread)
	assert.Equal(t, http3.ErrCodeStreamCreationError, http3.ErrCode(unread.ErrorCode))
	assert.NoError(t, c.conn.Context().Err())
}

func TestAnH3RequestMayComeInAnyPieces(t *testing.T) {
	e := start(t, echo)
	c := e.h3(control)
	long := strings.Repeat("v", 20<<10)
	s := c.open("")
	for b := range strings.SplitSeq(h3Head(t, ":method", "POST", "a", "b"), "") {
		_, err := io.WriteString(s, b)
		require.NoError(t, err)
		<-time.After(time.Millisecond)
	}
	_, err := io.WriteString(s, h3Frame(0, long)+h3Frame(0, "end"))
	require.NoError(t, err)
	require.NoError(t, s.Close())
	a := readAnswer(t, s)
	require.NoError(t, a.err)
	assert.Equal(t, long+"end", a.body)

	s = c.open(h3Head(t, "large", long))
	<-time.After(20 * time.Millisecond)
	require.NoError(t, s.Close(), "the end behind the head of a GET")
	assert.Equal(t, "200", c.status(s))
}

func TestASlowH3HeadIsAnswered(t *testing.T) {
	t.Parallel()
	e := start(t, say, limits(func(l *listen.Limits) { l.HeaderTimeout = 300 * time.Millisecond }))
	c := e.h3(control)
	head := h3Head(t)
	for name, sent := range map[string]string{"half a head": head[:len(head)/2], "one byte": head[:1]} {
		t.Run(name, func(t *testing.T) {
			c.t = t
			began := time.Now()
			assert.Equal(t, "408", c.status(c.open(sent)))
			assert.Greater(t, time.Since(began), 250*time.Millisecond)
		})
	}
	c.t = t
	assert.Equal(t, "200", c.status(c.send(head)))
}

func TestAnEarlyH3AnswerStopsTheBodyWithoutAnError(t *testing.T) {
	e := start(t, func(x *proxy.Exchange) { answer(x, 403, "no") })
	c := e.h3(control)
	s := c.open(h3Head(t, ":method", "POST") + h3Frame(0, "part"))
	a := readAnswer(t, s)
	require.NoError(t, a.err)
	assert.Equal(t, "no", a.body)
	<-s.Context().Done()
	assert.True(t, stopped(context.Cause(s.Context())))
}

func TestAnH3AnswerIsSentAsItComes(t *testing.T) {
	e := start(t, func(x *proxy.Exchange) {
		x.Reply.Inform(103, fields("Link", "</a>"))
		switch string(x.Request.Path) {
		case "/sized":
			x.Reply.Head(200, fields("X-A", "b"), 40<<10)
		default:
			x.Reply.Head(200, fields("X-A", "b"), -1)
		}
		for range 4 {
			x.Reply.Write(make([]byte, 6<<10))
			x.Reply.Flush()
			x.Reply.Flush()
			x.Reply.Write(make([]byte, 4<<10))
		}
		x.Reply.End(fields("X-Sum", "1", "Content-Length", "no", "Transfer-Encoding", "no"))
	})
	c := e.h3(control)
	for _, path := range []string{"/sized", "/unsized"} {
		a := readAnswer(t, c.send(h3Head(t, ":path", path)))
		require.NoError(t, a.err)
		require.Len(t, a.heads, 3)
		assert.Equal(t, map[string]string{":status": "103", "link": "</a>"}, a.heads[0])
		want := map[string]string{":status": "200", "x-a": "b"}
		if path == "/sized" {
			want["content-length"] = "40960"
		}
		assert.Equal(t, want, a.heads[1])
		assert.Equal(t, string(make([]byte, 40<<10)), a.body)
		assert.Equal(t, map[string]string{"x-sum": "1"}, a.heads[2])
	}
}

func TestAnIdleH3ConnectionIsClosed(t *testing.T) {
	t.Parallel()
	e := start(t, func(x *proxy.Exchange) {
		<-time.After(1500 * time.Millisecond)
		answer(x, 200, "")
	}, limits(func(l *listen.Limits) { l.IdleTimeout = time.Second }))
	c := e.h3(control)
	assert.Equal(t, "200", c.status(c.send(h3Head(t))), "a slow request is not idleness")
	c.ends(http3.ErrCodeNoError)
}

func TestAnH3AnswerThatHasEndedIsNoAbort(t *testing.T) {
	aborted := make(chan bool, 1)
	e := start(t, func(x *proxy.Exchange) {
		answer(x, 200, "")
		<-time.After(400 * time.Millisecond) // some looks for clients that have left
		aborted <- x.Abort.Aborted()
	})
	c := e.h3(control)
	assert.Equal(t, "200", c.status(c.send(h3Head(t))))
	assert.False(t, <-aborted)
}

func BenchmarkH3Exchange(b *testing.B) {
	e := start(b, onekib())
	c := e.h3(control)
	request := []byte("\x01\x13\x00\x00\xd1\xd7\x50\x09edge.test\xc1\xdd\xdf\xea")
	in := make([]byte, 4<<10)
	b.ReportAllocs()
	for b.Loop() {
		s, err := c.conn.OpenStream()
		require.NoError(b, err)
		_, err = s.Write(request)
		require.NoError(b, err)
		require.NoError(b, s.Close())
		n, err := io.ReadFull(s, in)
		require.ErrorIs(b, err, io.ErrUnexpectedEOF)
		require.Greater(b, n, 1024)
	}
}
