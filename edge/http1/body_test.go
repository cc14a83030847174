package http1_test

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedge-lb/wedge/edge/http1"
)

// readBody reads a body and tells what is left behind it.
func readBody(src io.Reader, framing http1.Framing, length int64) (string, *http1.Body, string, error) {
	r := &http1.Reader{Src: src}
	b := new(http1.Body)
	b.Start(r, framing, length, http1.Limits{})
	got, err := io.ReadAll(b)
	return string(got), b, string(r.Buffered()), err
}

func TestChunkedBody(t *testing.T) {
	for name, tt := range map[string]struct{ in, want, rest string }{
		"two chunks":            {"5\r\nhello\r\n6\r\n world\r\n0\r\n\r\nGET", "hello world", "GET"},
		"an empty body":         {"0\r\n\r\n", "", ""},
		"extensions are let go": {"5;a=b\r\nhello\r\n0 ;c\r\n\r\n", "hello", ""},
		"all forms of extensions": {
			"5;a;b=c ;\td = \"e;\\\"\\\\ \xff\"\t;f=\"\"\r\nhello\r\n0;last\r\n\r\n", "hello", "",
		},
		"hex in both cases": {"a\r\n0123456789\r\nA\r\n0123456789\r\n0\r\n\r\n", "01234567890123456789", ""},
		"zeros before":      {"0005\r\nhello\r\n000\r\n\r\n", "hello", ""},
		"CR and LF as data": {"4\r\n\r\n\r\n\r\n0\r\n\r\n", "\r\n\r\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			got, b, rest, err := readBody(strings.NewReader(tt.in), http1.Chunked, http1.Unknown)
			require.NoError(t, err)
			assert.Equal(t, tt.want, got)
			assert.Equal(t, tt.rest, rest)
			assert.True(t, b.Ended())

			got, _, _, err = readBody(iotest.OneByteReader(strings.NewReader(tt.in)), http1.Chunked, http1.Unknown)
			require.NoError(t, err)
			assert.Equal(t, tt.want, got)
		})
	}
}

func TestBadChunkedBodyIsRefused(t *testing.T) {
	for name, in := range map[string]string{
		"a sign":                        "+5\r\nhello\r\n0\r\n\r\n",
		"an underscore":                 "0_5\r\nhello\r\n0\r\n\r\n",
		"a prefix":                      "0x5\r\nhello\r\n0\r\n\r\n",
		"no size":                       "\r\n\r\n",
		"17 digits":                     "10000000000000005\r\nhello\r\n0\r\n\r\n",
		"over 63 bits":                  "8000000000000000\r\nhello\r\n0\r\n\r\n",
		"white space before the size":   " 5\r\nhello\r\n0\r\n\r\n",
		"white space behind the size":   "5 \r\nhello\r\n0\r\n\r\n",
		"a word behind the size":        "5 a\r\nhello\r\n0\r\n\r\n",
		"LF behind the size":            "5\nhello\r\n0\r\n\r\n",
		"LF in an extension":            "5;a\nhello\r\n0\r\n\r\n",
		"CR in an extension":            "5;a\rb\r\nhello\r\n0\r\n\r\n",
		"NUL in an extension":           "5;a\x00b\r\nhello\r\n0\r\n\r\n",
		"an extension without a name":   "5;\r\nhello\r\n0\r\n\r\n",
		"an extension of a value alone": "5;=a\r\nhello\r\n0\r\n\r\n",
		"an extension without a value":  "5;a=\r\nhello\r\n0\r\n\r\n",
		"an extension of two names":     "5;a b\r\nhello\r\n0\r\n\r\n",
		"an extension of no token":      "5;a@\r\nhello\r\n0\r\n\r\n",
		"white space at its end":        "5;a \r\nhello\r\n0\r\n\r\n",
		"a quote that does not end":     "5;a=\"x\r\nhello\r\n0\r\n\r\n",
		"a quoted end of a quote":       "5;a=\"x\\\"\r\nhello\r\n0\r\n\r\n",
		"a word behind a quote":         "5;a=\"x\"y\r\nhello\r\n0\r\n\r\n",
		"a last chunk's bad extension":  "0;\r\n\r\n",
		"a long extension":              "5;" + strings.Repeat("x", 300) + "\r\nhello\r\n0\r\n\r\n",
		"a long extension, unfinished":  "5;" + strings.Repeat("x", 300),
		"extensions without end":        strings.Repeat("1;"+strings.Repeat("x", 200)+"\r\na\r\n", 100),
		"no CRLF behind the data":       "5\r\nhello0\r\n\r\n",
		"LF behind the data":            "5\r\nhello\n0\r\n\r\n",
		"CR behind the data":            "5\r\nhello\r0\r\n\r\n",
		"more data than said":           "3\r\nhello\r\n0\r\n\r\n",
		"garbage behind the last chunk": "0\r\nXX\r\n\r\n",
		"LF behind the last chunk":      "0\r\n\n",
		"a folded trailer":              "0\r\nA: 1\r\n 2\r\n\r\n",
		"trailers over the limit":       "0\r\nA: " + strings.Repeat("a", 9<<10) + "\r\n\r\n",
		"trailers without end":          "0\r\n" + strings.Repeat("A: 1\r\n", 99) + strings.Repeat("a", 9<<10),
		"many trailers":                 "0\r\n" + strings.Repeat("A: 1\r\n", 101) + "\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			for _, src := range []io.Reader{strings.NewReader(in), iotest.OneByteReader(strings.NewReader(in))} {
				_, b, _, err := readBody(src, http1.Chunked, http1.Unknown)
				var e *http1.Error
				assert.ErrorAs(t, err, &e)
				assert.False(t, b.Ended())
				_, again := b.Read(make([]byte, 1))
				assert.Equal(t, err, again, "the error stays")
			}
		})
	}
}

func TestBodyCutShort(t *testing.T) {
	const whole = "5\r\nhello\r\n0\r\nA: 1\r\n\r\n"
	for end := range len(whole) {
		_, _, _, err := readBody(strings.NewReader(whole[:end]), http1.Chunked, http1.Unknown)
		assert.ErrorIs(t, err, io.ErrUnexpectedEOF, "%q", whole[:end])
	}
	got, b, _, err := readBody(strings.NewReader("hel"), http1.Sized, 5)
	assert.ErrorIs(t, err, io.ErrUnexpectedEOF)
	assert.Equal(t, "hel", got)
	assert.False(t, b.Ended())
}

func TestSizedBodyTakesNoMore(t *testing.T) {
	src := strings.NewReader("helloGET")
	got, _, _, err := readBody(src, http1.Sized, 5)
	require.NoError(t, err)
	assert.Equal(t, "hello", got)
	assert.Equal(t, 3, src.Len())
}

func TestBodyUntilClose(t *testing.T) {
	got, b, _, err := readBody(strings.NewReader("hello"), http1.UntilClose, http1.Unknown)
	require.NoError(t, err)
	assert.Equal(t, "hello", got)
	assert.True(t, b.Ended())

	broken := errors.New("reset")
	_, b, _, err = readBody(iotest.ErrReader(broken), http1.UntilClose, http1.Unknown)
	assert.ErrorIs(t, err, broken)
	assert.False(t, b.Ended())
}

func TestEndComesWithTheLastBytes(t *testing.T) {
	p := make([]byte, 64)
	for framing, in := range map[http1.Framing]string{
		http1.Sized:   "hello",
		http1.Chunked: "5\r\nhello\r\n0\r\n\r\n",
	} {
		r := &http1.Reader{Src: strings.NewReader(in)}
		require.NoError(t, r.Fill())
		var b http1.Body
		b.Start(r, framing, 5, http1.Limits{})
		n, err := b.Read(p)
		assert.Equal(t, "hello", string(p[:n]))
		assert.Equal(t, io.EOF, err)
	}
}

func TestTrailersThatMayBePassedOn(t *testing.T) {
	_, b, _, err := readBody(strings.NewReader("0\r\nGrpc-Status: 0\r\nContent-Length: 9\r\nHost: evil\r\n"+
		"Authorization: x\r\nX-Forwarded-For: 1\r\nTransfer_Encoding: x\r\nX-Sum: a b\r\n\r\n"), http1.Chunked, 0)
	require.NoError(t, err)
	assert.Equal(t, "Grpc-Status: 0\r\nX-Sum: a b\r\n", string(http1.AppendFields(nil, b.Trailers)))
}

func TestWholeBody(t *testing.T) {
	r := &http1.Reader{Src: strings.NewReader("HEADhelloGET")}
	require.NoError(t, r.Fill())
	r.Pin(4)
	var b http1.Body
	b.Start(r, http1.Sized, 5, http1.Limits{})
	assert.Equal(t, 5, b.Buffered())
	body, ok := b.Whole()
	require.True(t, ok)
	assert.Equal(t, "hello", string(body))
	assert.True(t, b.Ended())
	assert.Equal(t, "GET", string(r.Buffered()))

	b.Start(r, http1.Sized, 5, http1.Limits{})
	_, ok = b.Whole()
	assert.False(t, ok)
}

func TestReaderKeepsPinnedBytes(t *testing.T) {
	head := strings.Repeat("h", 4000)
	r := &http1.Reader{Src: iotest.HalfReader(strings.NewReader(head + strings.Repeat("b", 100_000)))}
	for len(r.Buffered()) < len(head) {
		require.NoError(t, r.Fill())
	}
	pinned := r.Buffered()[:len(head)]
	r.Pin(len(head))
	total := 0
	for {
		total += len(r.Buffered())
		r.Discard(len(r.Buffered()))
		if err := r.Fill(); err != nil {
			require.Equal(t, io.EOF, err)
			break
		}
	}
	assert.Equal(t, 100_000, total)
	assert.Equal(t, head, string(pinned))
}

func TestReaderGivesItsBufferAwayWhenItIsEmpty(t *testing.T) {
	r := &http1.Reader{Src: strings.NewReader("headbody")}
	assert.True(t, r.TakeBuffer() == nil, "there is none yet")
	r.SetBuffer(make([]byte, 0, 16), 0)
	require.NoError(t, r.Fill())
	assert.True(t, r.TakeBuffer() == nil, "bytes are unread")
	r.Pin(8)
	assert.True(t, r.TakeBuffer() == nil, "bytes are pinned")
	r.Release()
	assert.Len(t, r.TakeBuffer(), 16)
	assert.Equal(t, io.EOF, r.Fill(), "a new buffer is made")
}

func TestReaderHoldsNoMoreThanItsMax(t *testing.T) {
	r := &http1.Reader{Src: strings.NewReader(strings.Repeat("a", 100_000)), Max: 10_000}
	var err error
	for err == nil {
		err = r.Fill()
	}
	assert.ErrorIs(t, err, http1.ErrBufferFull)
	assert.LessOrEqual(t, len(r.Buffered()), 20_000)
}

// FuzzChunked holds what the reader accepts to what it must be: written anew, it reads the same; and read
// byte by byte, it ends alike.
func FuzzChunked(f *testing.F) {
	for _, s := range []string{
		"5\r\nhello\r\n0\r\n\r\n", "5;a=b\r\nhello\r\n0\r\nA: 1\r\n\r\nGET", "2;\nxx\r\n0\r\n\r\n", "0\r\n\r\n",
		"7fffffffffffffff\r\nhello", "1\r\na\r\n1\r\nb\r\n00\r\nX: y\r\nTE: z\r\n\r\n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		got, b, _, err := readBody(strings.NewReader(string(in)), http1.Chunked, 0)
		slow, _, _, slowErr := readBody(iotest.OneByteReader(strings.NewReader(string(in))), http1.Chunked, 0)
		require.Equal(t, got, slow)
		require.Equal(t, err == nil, slowErr == nil, "%v, byte by byte %v", err, slowErr)
		if err != nil {
			return
		}
		trailers := b.Trailers
		again := http1.AppendLastChunk(http1.AppendChunk(nil, []byte(got)), &trailers)
		body, b2, rest, err := readBody(strings.NewReader(string(again)), http1.Chunked, 0)
		require.NoError(t, err)
		require.Equal(t, got, body)
		require.Empty(t, rest)
		require.Equal(t, http1.AppendFields(nil, trailers), http1.AppendFields(nil, b2.Trailers))
	})
}
