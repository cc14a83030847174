package http2_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/wedge-lb/wedge/edge/http2"
	"golang.org/x/net/http2/hpack"
)

// decode gives the fields of a block; ok is false if it is none, large tells of more bytes than most.
func decode(d *http2.Decoder, block []byte, most int) (f []hpack.HeaderField, large, ok bool) {
	d.Mem = nil
	d.Begin(block, most)
	for {
		more, err := d.More()
		if err != nil || !more {
			return f, large, err == nil
		}
		name, value, fits, err := d.Next()
		switch {
		case err != nil:
			return f, large, false
		case fits:
			f = append(f, hpack.HeaderField{Name: string(name), Value: string(value)})
		default:
			large = true
		}
	}
}

func encode(e *hpack.Encoder, b *bytes.Buffer, pairs ...string) []byte {
	b.Reset()
	for i := 0; i < len(pairs); i += 2 {
		e.WriteField(hpack.HeaderField{Name: pairs[i], Value: pairs[i+1]})
	}
	return bytes.Clone(b.Bytes())
}

func TestFieldsOfManyBlocksAreDecoded(t *testing.T) {
	var b bytes.Buffer
	e := hpack.NewEncoder(&b)
	var d http2.Decoder
	for i := range 2000 {
		if i%300 == 299 {
			e.SetMaxDynamicTableSize(uint32(i % 4096))
		}
		want := []string{":path", strings.Repeat("/", i%50+1), "x-" + strings.Repeat("n", i%70), strings.Repeat("v", i*7%500),
			"accept", "text/html", "x-empty", "", "big", strings.Repeat("b", i%40*110)}
		got, large, ok := decode(&d, encode(e, &b, want...), 1<<20)
		require.True(t, ok && !large, i)
		for j, f := range got {
			require.Equal(t, want[2*j], f.Name)
			require.Equal(t, want[2*j+1], f.Value)
		}
		require.Len(t, got, len(want)/2)
	}
}

func TestFieldsBeyondTheLimitAreNotKept(t *testing.T) {
	var b bytes.Buffer
	e := hpack.NewEncoder(&b)
	var d http2.Decoder
	bomb := encode(e, &b, "a", strings.Repeat("x", 4000))
	bomb = append(bomb, bytes.Repeat([]byte{0x80 | 62}, 10_000)...)
	got, large, ok := decode(&d, bomb, 32<<10)
	assert.True(t, ok && large)
	assert.Len(t, got, 8)
	assert.Less(t, cap(d.Mem), 64<<10)
	got, _, ok = decode(&d, []byte{0x80 | 62}, 32<<10)
	require.True(t, ok, "the table is in step")
	assert.Len(t, got[0].Value, 4000)
}

func TestEntriesWithoutTextDoNotPileUp(t *testing.T) {
	var d http2.Decoder
	entry := bytes.Repeat([]byte{0x40, 0, 0}, 5000)
	allocated := testing.AllocsPerRun(100, func() {
		d.Begin(entry, 0)
		for {
			if more, _ := d.More(); !more {
				return
			}
			d.Next()
		}
	})
	assert.Zero(t, allocated)
}

func TestDecodingInSteadyStateDoesNotAllocate(t *testing.T) {
	var b bytes.Buffer
	e := hpack.NewEncoder(&b)
	var d http2.Decoder
	pairs := []string{":method", "GET", ":path", "/some/where", "user-agent", "a browser", "cookie", "a=b; c=d"}
	_, _, ok := decode(&d, encode(e, &b, pairs...), 1<<20)
	require.True(t, ok)
	indexed := encode(e, &b, pairs...)
	mem := make([]byte, 0, 4<<10)
	assert.Zero(t, testing.AllocsPerRun(100, func() {
		d.Mem = mem
		d.Begin(indexed, 1<<20)
		for {
			if more, _ := d.More(); !more {
				return
			}
			d.Next()
		}
	}))
}

// FuzzDecoder decodes any blocks as golang.org/x/net does.
func FuzzDecoder(f *testing.F) {
	var b bytes.Buffer
	e := hpack.NewEncoder(&b)
	f.Add(encode(e, &b, ":method", "GET", "x-y", "z"), encode(e, &b, "x-y", "z", "x-y", "w"))
	f.Add([]byte{0x20, 0x82}, []byte{0x3f, 0xe1, 0x1f, 0x40, 1, 'a', 1, 'b', 0xbe})
	f.Add([]byte{0x40, 0x83, 0xff, 0xff, 0xff}, []byte{0xff, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01})
	f.Fuzz(func(t *testing.T, first, second []byte) {
		var ours http2.Decoder
		theirs := hpack.NewDecoder(http2.TableSize, nil)
		for _, block := range [][]byte{first, second} {
			got, large, ok := decode(&ours, block, 1<<20)
			want, err := theirs.DecodeFull(block)
			if large {
				return
			}
			if longInteger(block) {
				return // theirs gives up on integers of 63 bits and more, ours on 62
			}
			require.Equal(t, err == nil && !lateUpdate(block), ok, "%x: %v", block, err)
			if !ok {
				return
			}
			require.Equal(t, len(want), len(got))
			for i, w := range want {
				require.Equal(t, w.Name, got[i].Name)
				require.Equal(t, w.Value, got[i].Value)
			}
		}
	})
}

// lateUpdate tells whether the table's size changes behind a field line, which only we refuse in an empty
// table (RFC 7541 4.2).
func lateUpdate(block []byte) bool {
	s := http2.Scanner{In: block}
	for lines := 0; len(s.In) > 0; lines++ {
		b := s.In[0]
		if b&0xe0 == 0x20 {
			s.Integer(5)
			if lines > 0 {
				return true
			}
			lines--
			continue
		}
		if b&0x80 != 0 {
			s.Integer(7)
			continue
		}
		prefix := 4
		if b&0x40 != 0 {
			prefix = 6
		}
		if index, _ := s.Integer(prefix); index == 0 {
			s.Text(7)
		}
		s.Text(7)
	}
	return false
}

// longInteger tells whether an integer may be written in more bytes than it needs, or be huge.
func longInteger(b []byte) bool {
	run := 0
	for _, c := range b {
		if c&0x80 == 0 {
			run = 0
			continue
		}
		if run++; run >= 5 {
			return true
		}
	}
	return false
}

// FuzzEncoder encodes any fields: the decoder of golang.org/x/net must give them back.
func FuzzEncoder(f *testing.F) {
	f.Add(200, []byte("Content-Type"), []byte("text/plain"), int64(4))
	f.Add(503, []byte("x-own"), []byte(""), int64(0))
	f.Add(999, []byte("Access-Control-Allow-Headers-And-More"), []byte("*"), int64(1<<40))
	f.Fuzz(func(t *testing.T, status int, name, value []byte, length int64) {
		if status < 100 || status > 999 || length < 0 {
			return
		}
		b := http2.AppendLength(http2.AppendField(http2.AppendStatus(nil, status), name, value), length)
		got, err := hpack.NewDecoder(0, nil).DecodeFull(b)
		require.NoError(t, err)
		require.Len(t, got, 3)
		require.Equal(t, ":status", got[0].Name)
		require.Equal(t, "content-length", got[2].Name)
		require.Equal(t, string(http2.AppendLower(nil, name)), got[1].Name)
		require.Equal(t, string(value), got[1].Value)
	})
}
