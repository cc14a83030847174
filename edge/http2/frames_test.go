package http2_test

import (
	"bytes"
	"encoding/binary"
	"io"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/wedge-lb/wedge/edge/http2"
	xhttp2 "golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// frame is one that frames gives.
type frame struct {
	http2.Header
	payload string
}

// frames puts b into a Reader in pieces of that size.
func frames(b []byte, piece int) (all []frame, err *http2.Error) {
	var r http2.Reader
	r.SetBuffer(make([]byte, http2.HeaderSize+http2.MaxPayload))
	for {
		h, payload, whole, err := r.Next()
		switch {
		case err != nil:
			return all, err
		case whole:
			all = append(all, frame{h, string(payload)})
			continue
		case len(b) == 0:
			return all, nil
		}
		n := copy(r.Space(), b[:min(piece, len(b))])
		r.Filled(n)
		b = b[n:]
	}
}

// FuzzReader cuts what arrives in any pieces: the same frames must come of it, and none is lost or grows.
func FuzzReader(f *testing.F) {
	f.Add(http2.AppendPing(http2.AppendSettings(nil, [2]uint32{3, 100}), []byte("12345678"), true), uint16(1))
	f.Add(http2.AppendReset(http2.AppendWindowUpdate(nil, 0, 5), 1, 2), uint16(3))
	f.Add(http2.AppendHeaders(nil, 1, make([]byte, 40_000), true, true), uint16(1000))
	f.Add([]byte{0, 0, 4, 0xb, 0, 0x80, 0, 0, 1, 1, 2, 3, 4}, uint16(2))
	f.Fuzz(func(t *testing.T, b []byte, piece uint16) {
		all, err := frames(b, len(b)+1)
		again, same := frames(b, int(piece)+1)
		require.Equal(t, all, again)
		require.Equal(t, err, same)
		at := 0
		for _, one := range all {
			require.Equal(t, int(one.Length), len(one.payload))
			require.Nil(t, one.Check())
			require.Equal(t, string(b[at+9:at+9+one.Length]), one.payload)
			require.Equal(t, binary.BigEndian.Uint32(b[at+5:])&(1<<31-1), one.Stream)
			at += 9 + one.Length
		}
	})
}

func TestWhatIsAppendedIsRead(t *testing.T) {
	var b []byte
	b = http2.AppendSettings(b, [2]uint32{3, 100}, [2]uint32{8, 1})
	b = http2.AppendSettingsAck(b)
	b = http2.AppendPing(b, []byte("12345678"), true)
	b = http2.AppendReset(b, 5, http2.Cancel)
	b = http2.AppendGoAway(b, 7, http2.EnhanceYourCalm, "why")
	b = http2.AppendWindowUpdate(b, 9, 1<<31-1)
	fr := xhttp2.NewFramer(io.Discard, bytes.NewReader(b))
	var got []string
	for {
		f, err := fr.ReadFrame()
		if err != nil {
			break
		}
		got = append(got, f.Header().String())
	}
	assert.Equal(t, []string{
		"[FrameHeader SETTINGS len=12]", "[FrameHeader SETTINGS flags=ACK len=0]",
		"[FrameHeader PING flags=ACK len=8]", "[FrameHeader RST_STREAM stream=5 len=4]",
		"[FrameHeader GOAWAY len=11]", "[FrameHeader WINDOW_UPDATE stream=9 len=4]",
	}, got)
}

func TestLongHeadsGoInContinuations(t *testing.T) {
	for _, size := range []int{0, 1, 16 << 10, 16<<10 + 1, 50_000} {
		var block []byte
		for n := 0; len(block) < size; n++ {
			block = http2.AppendField(block, []byte("a"), bytes.Repeat([]byte("b"), min(size, 1000)))
		}
		for _, first := range []bool{true, false} {
			fr := xhttp2.NewFramer(io.Discard, bytes.NewReader(http2.AppendHeaders(nil, 3, block, true, first)))
			fr.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
			fr.MaxHeaderListSize = 1 << 20
			f, err := fr.ReadFrame()
			if size == 0 {
				continue // x/net wants a pseudo-field
			}
			if err != nil {
				require.ErrorContains(t, err, "PROTOCOL_ERROR") // no pseudo-field, but whole
				continue
			}
			require.True(t, f.Header().Flags.Has(xhttp2.FlagHeadersEndStream))
		}
	}
}

func TestPaddingIsTakenOff(t *testing.T) {
	for _, tt := range []struct {
		flags         uint8
		payload, want string
		ok            bool
	}{
		{0, "abc", "abc", true}, {http2.FlagPadded, "\x02abc\x00\x00", "abc", true},
		{http2.FlagPadded, "\x00abc", "abc", true}, {http2.FlagPadded, "\x03abc", "", true},
		{http2.FlagPadded, "\x04abc", "", false}, {http2.FlagPadded, "", "", false},
	} {
		got, err := http2.Unpad(http2.Header{Flags: tt.flags}, []byte(tt.payload))
		assert.Equal(t, tt.ok, err == nil, tt.payload)
		assert.Equal(t, tt.want, string(got), tt.payload)
	}
}

// FuzzBlock sends a block as Headers and Continuations of any sizes: it comes whole, or the connection ends,
// once it is larger than the limit by a frame at most.
func FuzzBlock(f *testing.F) {
	f.Add([]byte("a field block"), []byte{3, 1, 0, 200}, uint16(10))
	f.Add(bytes.Repeat([]byte("b"), 40_000), []byte{255, 255}, uint16(32<<10))
	f.Fuzz(func(t *testing.T, text, sizes []byte, most uint16) {
		var b http2.Block
		h := http2.Header{Kind: http2.Headers, Stream: 1, Flags: http2.FlagEndStream}
		rest, sent := text, 0
		for i := 0; ; i++ {
			n := len(rest)
			if i < len(sizes) {
				n = min(n, int(sizes[i])*64)
			}
			n = min(n, http2.MaxPayload)
			part := rest[:n]
			rest = rest[n:]
			if len(rest) == 0 {
				h.Flags |= http2.FlagEndHeaders
			}
			var got []byte
			var whole bool
			var err *http2.Error
			if i == 0 {
				got, whole = b.Begin(h, part)
			} else {
				got, whole, err = b.Continue(h, part, int(most))
			}
			sent += n
			if err != nil {
				require.Equal(t, http2.EnhanceYourCalm, err.Code)
				require.Greater(t, sent, int(most))
				return
			}
			require.LessOrEqual(t, sent, int(most)+2*http2.MaxPayload)
			require.Equal(t, len(rest) == 0, whole)
			if whole {
				require.Equal(t, string(text), string(got))
				require.True(t, b.End)
				require.False(t, b.Open())
				return
			}
			require.True(t, b.Open())
			h.Kind, h.Flags = http2.Continuation, 0
		}
	})
}
