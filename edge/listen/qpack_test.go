package listen_test

import (
	"bytes"
	"errors"
	"io"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/quic-go/qpack"
	"github.com/quic-go/quic-go/quicvarint"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/wedge-lb/wedge/edge/http1"
	"github.com/wedge-lb/wedge/edge/listen"
)

// theirs decodes by quic-go's package.
func theirs(b []byte) (f http1.Fields, ok bool) {
	next := qpack.NewDecoder().Decode(b)
	for {
		h, err := next()
		if errors.Is(err, io.EOF) {
			return f, true
		}
		if err != nil {
			return f, false
		}
		f.Add([]byte(h.Name), []byte(h.Value))
	}
}

func TestFieldSectionsAreDecoded(t *testing.T) {
	for name, tt := range map[string]struct {
		section string
		want    string // "" = refused
	}{
		"indexed":                       {"\x00\x00\xd1\xc1", ":method=GET;:path=/;"},
		"the last of the table":         {"\x00\x00\xff\x23", "x-frame-options=sameorigin;"},
		"behind the table":              {"\x00\x00\xff\x24", ""},
		"a name of the table":           {"\x00\x00\x50\x01h", ":authority=h;"},
		"a name never to be indexed":    {"\x00\x00\x70\x01h", ":authority=h;"},
		"a name behind the table":       {"\x00\x00\x5f\x54\x01h", ""},
		"a literal":                     {"\x00\x00\x21a\x01b", "a=b;"},
		"a literal in Huffman's code":   {"\x00\x00\x29\x1f\x81\x8f", "a=b;"},
		"an empty value":                {"\x00\x00\x21a\x00", "a=;"},
		"no field":                      {"\x00\x00", "none"},
		"any base without references":   {"\x00\x05\xd1", ":method=GET;"},
		"a negative base":               {"\x00\x80\xd1", ""},
		"a dynamic table is needed":     {"\x01\x00\xd1", ""},
		"a dynamic index":               {"\x00\x00\x80", ""},
		"a dynamic name":                {"\x00\x00\x40\x01h", ""},
		"an index behind the base":      {"\x00\x00\x10", ""},
		"a name behind the base":        {"\x00\x00\x00\x01h", ""},
		"nothing":                       {"", ""},
		"half a prefix":                 {"\x00", ""},
		"half a name":                   {"\x00\x00\x22a", ""},
		"no value":                      {"\x00\x00\x21a", ""},
		"half a value":                  {"\x00\x00\x21a\x02b", ""},
		"an endless integer":            {"\x00\x00\xff" + strings.Repeat("\xff", 20), ""},
		"an integer without an end":     {"\x00\x00\xff\x80", ""},
		"a length beyond all":           {"\x00\x00\x21a\x7f\xff\xff\xff\xff\xff\xff\xff\xff\x3f", ""},
		"padding that is none":          {"\x00\x00\x21a\x81\x8e", ""},
		"a padding of a byte and more":  {"\x00\x00\x21a\x82\x8f\xff", ""},
		"an integer with empty septets": {"\x00\x00\xff\x80\x00", ":status=100;"},
	} {
		t.Run(name, func(t *testing.T) {
			f, ok, large := listen.DecodeSection([]byte(tt.section), 1<<10)
			assert.Equal(t, tt.want != "", ok)
			assert.False(t, large)
			if ok {
				assert.Equal(t, strings.TrimPrefix(tt.want, "none"), text(f))
			}
		})
	}
}

func text(f http1.Fields) string {
	var b strings.Builder
	for _, x := range f {
		b.Write(x.Name)
		b.WriteByte('=')
		b.Write(x.Value)
		b.WriteByte(';')
	}
	return b.String()
}

func TestAFieldSectionHasALimit(t *testing.T) {
	section := []byte("\x00\x00\x21a\x01b\x21a\x01b") // 34 bytes each, by RFC 9114 4.2.2
	_, ok, _ := listen.DecodeSection(section, 68)
	assert.True(t, ok)
	_, ok, large := listen.DecodeSection(section, 67)
	assert.False(t, ok)
	assert.True(t, large)
}

func TestAnswersAreEncoded(t *testing.T) {
	long := strings.Repeat("n", 300)
	f := fields("Content-Type", "text/plain", "content-type", "text/other", "X-Own", "v", "Vary",
		"Accept-Encoding", "VARY", "accept-encoding", "Set-Cookie", "a=b", "X-"+long, long, "Age", "", "Age", "0",
		"Access-Control-Allow-Headers", "*", "Strict-Transport-Security", "max-age=31536000",
		"X-Exactly-Thirty-Two-Bytes-Long.", "1", "Date", strings.Repeat("d", 127))
	for _, status := range []int{100, 103, 200, 201, 204, 206, 302, 304, 400, 403, 404, 421, 425, 500, 503, 999} {
		for _, length := range []int64{-1, 0, 1, 1 << 40} {
			got, ok := theirs(listen.EncodeSection(status, f, length))
			require.True(t, ok)
			assert.Equal(t, ":status="+strconv.Itoa(status)+";", text(got[:1]))
			rest := got[1:]
			if length >= 0 {
				assert.Equal(t, "content-length="+strconv.FormatInt(length, 10)+";", text(rest[len(f):]))
			}
			require.GreaterOrEqual(t, len(rest), len(f))
			for i := range f {
				assert.Equal(t, strings.ToLower(string(f[i].Name)), string(rest[i].Name))
				assert.Equal(t, string(f[i].Value), string(rest[i].Value))
			}
		}
	}
}

// FuzzFieldSection compares with quic-go's decoder, which also refuses a base that is not 0, and limits none.
func FuzzFieldSection(f *testing.F) {
	for _, seed := range []string{"", "\x00", "\x00\x00\xd1\xc1\xd7\x50\x01h", "\x00\x00\x29\x1f\x81\x8f",
		"\x00\x05\xd1", "\x00\x80\xd1", "\x01\x00\xd1", "\x00\x00\xff\x24", "\x00\x00\x5f\x54\x01h",
		"\x00\x00\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", "\x00\x00\x27\x7f\xff\xff\xff\x0f"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		got, ok, large := listen.DecodeSection(b, 4<<10)
		want, valid := theirs(b)
		if large {
			return
		}
		if len(b) > 1 && b[0] == 0 && b[1] != 0 {
			return // the base
		}
		require.Equal(t, valid, ok, "%x", b)
		if ok {
			require.Equal(t, text(want), text(got))
		}
	})
}

// FuzzAnswerSection encodes any fields: quic-go's decoder must give them back.
func FuzzAnswerSection(f *testing.F) {
	f.Add(200, []byte("content-type"), []byte("text/plain"), int64(4))
	f.Add(503, []byte("X-Own"), []byte(""), int64(0))
	f.Add(999, []byte("access-control-allow-headers"), []byte("*"), int64(-1))
	f.Fuzz(func(t *testing.T, status int, name, value []byte, length int64) {
		got, ok := theirs(listen.EncodeSection(status, http1.Fields{{Name: name, Value: value}}, length))
		require.True(t, ok)
		require.Equal(t, strconv.Itoa(status), string(got[0].Value))
		lower := bytes.Clone(name)
		for i, c := range lower {
			if 'A' <= c && c <= 'Z' {
				lower[i] = c + 'a' - 'A'
			}
		}
		require.Equal(t, lower, append([]byte(nil), got[1].Name...))
		require.Equal(t, string(value), string(got[1].Value))
	})
}

// FuzzFrames cuts a stream of frames in any pieces: the same frames must come of it.
func FuzzFrames(f *testing.F) {
	for _, seed := range []string{"",
		"\x00\x03abc\x01\x00", "\x40\x21\x40\x04wild\x00\x00", "\x04\x02\x06", "\x21\x40",
		"\x00\xc0\x00\x00\x00\x00\x00\x00\x01a", "\x00\xff\xff\xff\xff\xff\xff\xff\xffa"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		all, whole := listen.Frames(bytes.NewReader(b), 64)
		cuts := []func(io.Reader) io.Reader{iotest.OneByteReader, iotest.DataErrReader, iotest.HalfReader}
		for _, cut := range cuts {
			again, same := listen.Frames(cut(bytes.NewReader(b)), 64)
			require.Equal(t, all, again)
			require.Equal(t, whole, same)
		}
		want, ended := parsed(b, 64)
		require.Equal(t, want, all)
		require.Equal(t, ended, whole)
	})
}

// parsed is what Frames should give.
func parsed(b []byte, most int) (all []listen.Frame, whole bool) {
	for len(b) > 0 {
		kind, n, err := quicvarint.Parse(b)
		if err != nil {
			return all, false
		}
		length, m, err := quicvarint.Parse(b[n:])
		if err != nil {
			return all, false
		}
		b = b[n+m:]
		payload := "skipped"
		if length <= uint64(most) {
			payload = string(b[:min(length, uint64(len(b)))])
		}
		if length > uint64(len(b)) {
			if length <= uint64(most) {
				payload = ""
			}
			return append(all, listen.Frame{Kind: kind, Payload: payload}), false
		}
		b = b[length:]
		all = append(all, listen.Frame{Kind: kind, Payload: payload})
	}
	return all, true
}

func TestSettingsAreValidated(t *testing.T) {
	for name, tt := range map[string]struct {
		settings string
		ok       bool
	}{
		"none":                 {"", true},
		"usual ones":           {"\x01\x40\x64\x07\x10\x06\x80\x00\x40\x00\x33\x01\x08\x01", true},
		"unknown ones":         {"\x40\x21\x05\x40\x40\x06", true},
		"one twice":            {"\x06\x01\x06\x02", false},
		"an unknown one twice": {"\x40\x21\x05\x40\x21\x05", false},
		"HTTP/2's":             {"\x02\x00", false},
		"a switch beyond 1":    {"\x08\x02", false},
		"datagrams beyond 1":   {"\x33\x02", false},
		"no value":             {"\x06", false},
		"half a number":        {"\x06\x40", false},
	} {
		assert.Equal(t, tt.ok, listen.ValidSettings([]byte(tt.settings)), name)
	}
}

func FuzzSettings(f *testing.F) {
	f.Add([]byte("\x01\x40\x64\x07\x10\x06\x80\x00\x40\x00"))
	f.Add([]byte("\x02\x00"))
	f.Add([]byte("\x06\x40"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if listen.ValidSettings(b) {
			require.False(t, len(b) > 0 && listen.ValidSettings(append(b, b...)), "a setting twice")
		}
	})
}

func TestPrioritiesAreParsed(t *testing.T) {
	for value, want := range map[string]struct {
		urgency     int8
		incremental bool
	}{
		"": {3, false}, "u=0": {0, false}, "u=7, i": {7, true}, "i": {3, true}, "u=5;x=y , i=?1": {5, true},
		"u=8": {3, false}, "u=-1": {3, false}, "i=?0": {3, false}, "x=1,u=2": {2, false}, "u=1,u=4": {4, false},
	} {
		urgency, incremental := listen.ParsePriority([]byte(value))
		assert.Equal(t, want.urgency, urgency, value)
		assert.Equal(t, want.incremental, incremental, value)
	}
}

func FuzzPriority(f *testing.F) {
	f.Add([]byte("u=5, i"))
	f.Add([]byte("i=?0;a,,u=9"))
	f.Fuzz(func(t *testing.T, b []byte) {
		urgency, _ := listen.ParsePriority(b)
		require.True(t, urgency >= 0 && urgency <= 7)
	})
}
