package listen_test

import (
	"bytes"
	"io"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/wedge-lb/wedge/edge/http1"
	wire "github.com/wedge-lb/wedge/edge/http2"
	"github.com/wedge-lb/wedge/edge/listen"
	"github.com/wedge-lb/wedge/edge/proxy"
	"golang.org/x/net/http2"
)

func TestRapidResetsEndTheConnection(t *testing.T) {
	var served atomic.Int64
	e := start(t, func(x *proxy.Exchange) {
		if string(x.Request.Method) == "GET" {
			served.Add(1)
		}
		say(x)
	})
	beside(t, e, func() {
		for range 3 {
			served.Store(0)
			c := e.h2()
			began := cpu()
			c.pour(100_000, func(b []byte, i int) []byte {
				id := uint32(2*i + 1)
				return wire.AppendReset(c.request(b, id, true), id, wire.Cancel)
			})
			end := c.over()
			t.Log("of both ends and the client beside:", cpu()-began, "last stream:", end.last)
			assert.Equal(t, http2.ErrCodeEnhanceYourCalm, end.goAway)
			assert.LessOrEqual(t, end.last, uint32(2*1000))
			assert.LessOrEqual(t, served.Load(), int64(250))
		}
	})
}

// What a client can do to have the edge reset its streams (CVE-2025-8671).
func TestProvokedResetsEndTheConnection(t *testing.T) {
	e := start(t, say)
	post := func(c *h2Raw, b []byte, id uint32) []byte {
		block := []byte{0x83, 0x87, 0x84, 0x01, 9}
		return wire.AppendHeaders(b, id, append(block, "edge.test"...), false, false)
	}
	long := func(b []byte, id uint32, length string) []byte {
		block := append([]byte{0x83, 0x87, 0x84, 0x01, 9}, "edge.test"...)
		block = append(wire.AppendPrefixed(block, 0, 4, 28), byte(len(length)))
		return wire.AppendHeaders(b, id, append(block, length...), false, false)
	}
	data := func(b []byte, id uint32, flags uint8) []byte {
		return append(wire.AppendHeader(b, wire.Header{Length: 1, Kind: wire.Data, Flags: flags, Stream: id}), 'x')
	}
	for name, tt := range map[string]struct {
		one  func(c *h2Raw, b []byte, id uint32) []byte
		code http2.ErrCode
	}{
		"a window update of 0": {func(c *h2Raw, b []byte, id uint32) []byte {
			return wire.AppendWindowUpdate(post(c, b, id), id, 0)
		}, http2.ErrCodeEnhanceYourCalm},
		"a window that overflows": {func(c *h2Raw, b []byte, id uint32) []byte {
			return wire.AppendWindowUpdate(post(c, b, id), id, 1<<31-1)
		}, http2.ErrCodeEnhanceYourCalm},
		"data behind the end": {func(c *h2Raw, b []byte, id uint32) []byte {
			return data(c.request(b, id, true), id, 0)
		}, http2.ErrCodeEnhanceYourCalm},
		"fields behind the end": {func(c *h2Raw, b []byte, id uint32) []byte {
			return c.request(c.request(b, id, true), id, true)
		}, http2.ErrCodeEnhanceYourCalm},
		"more data than declared": {func(c *h2Raw, b []byte, id uint32) []byte {
			return data(data(long(b, id, "1"), id, 0), id, 0)
		}, http2.ErrCodeEnhanceYourCalm},
		"less data than declared": {func(c *h2Raw, b []byte, id uint32) []byte {
			return data(long(b, id, "7"), id, wire.FlagEndStream)
		}, http2.ErrCodeEnhanceYourCalm},
		"a stream that depends on itself": {func(c *h2Raw, b []byte, id uint32) []byte {
			h := wire.Header{Length: 8, Kind: wire.Headers, Stream: id,
				Flags: wire.FlagEndHeaders | wire.FlagEndStream | wire.FlagPriority}
			b = wire.AppendHeader(b, h)
			return append(b, byte(id>>24), byte(id>>16), byte(id>>8), byte(id), 0, 0x82, 0x87, 0x84)
		}, http2.ErrCodeEnhanceYourCalm},
		"a priority of another length": {func(c *h2Raw, b []byte, id uint32) []byte {
			b = wire.AppendHeader(post(c, b, id), wire.Header{Length: 4, Kind: wire.Priority, Stream: id})
			return append(b, 0, 0, 0, 0)
		}, http2.ErrCodeFrameSize},
		"fields that are none": {func(c *h2Raw, b []byte, id uint32) []byte {
			return wire.AppendHeaders(b, id, []byte{0x82, 0x87}, true, false)
		}, http2.ErrCodeEnhanceYourCalm},
	} {
		t.Run(name, func(t *testing.T) {
			beside(t, e, func() {
				c := e.h2()
				c.pour(20_000, func(b []byte, i int) []byte { return tt.one(c, b, uint32(2*i+1)) })
				end := c.over()
				assert.Equal(t, tt.code, end.goAway)
				assert.LessOrEqual(t, end.last, uint32(2*1000))
			})
		})
	}
}

func TestFramesOfNoUseEndTheConnection(t *testing.T) {
	e := start(t, func(x *proxy.Exchange) {
		if x.Request.Body != nil {
			io.Copy(io.Discard, x.Request.Body)
		}
		say(x)
	})
	header := func(b []byte, h wire.Header) []byte {
		return append(wire.AppendHeader(b, h), make([]byte, h.Length)...)
	}
	for name, one := range map[string]func(b []byte, i int) []byte{
		"pings":            func(b []byte, i int) []byte { return wire.AppendPing(b, []byte("floods!!"), false) },
		"answers to pings": func(b []byte, i int) []byte { return wire.AppendPing(b, []byte("floods!!"), true) },
		"settings":         func(b []byte, i int) []byte { return wire.AppendSettings(b, [2]uint32{4, 65535}) },
		"empty settings":   func(b []byte, i int) []byte { return wire.AppendSettings(b) },
		"settings acknowledged": func(b []byte, i int) []byte {
			return wire.AppendSettingsAck(b)
		},
		"priorities": func(b []byte, i int) []byte {
			return header(b, wire.Header{Length: 5, Kind: wire.Priority, Stream: 99})
		},
		"priority updates": func(b []byte, i int) []byte {
			h := wire.Header{Length: 7, Kind: wire.PriorityUpdate}
			return append(wire.AppendHeader(b, h), "\x00\x00\x00\x01u=1"...)
		},
		"empty data": func(b []byte, i int) []byte {
			return header(b, wire.Header{Kind: wire.Data, Stream: 1})
		},
		"window updates of 1": func(b []byte, i int) []byte { return wire.AppendWindowUpdate(b, 0, 1) },
		"window updates of 1 on a stream": func(b []byte, i int) []byte {
			return wire.AppendWindowUpdate(b, 1, 1)
		},
		"resets of one stream": func(b []byte, i int) []byte { return wire.AppendReset(b, 1, wire.Cancel) },
		"unknown types": func(b []byte, i int) []byte {
			return header(b, wire.Header{Length: 1, Kind: wire.Kind(0x0a + i%6), Stream: uint32(i % 3)})
		},
		"empty continuations": func(b []byte, i int) []byte {
			if i == 0 {
				return header(b, wire.Header{Kind: wire.Headers, Stream: 3})
			}
			return header(b, wire.Header{Kind: wire.Continuation, Stream: 3})
		},
		"goaways": func(b []byte, i int) []byte { return wire.AppendGoAway(b, 0, 0, "") },
	} {
		t.Run(name, func(t *testing.T) {
			beside(t, e, func() {
				before := inUse()
				c := e.h2()
				c.open(false, ":method", "POST")
				c.pour(100_000, one)
				assert.Equal(t, http2.ErrCodeEnhanceYourCalm, c.over().goAway)
				assert.Less(t, inUse()-before, int64(10<<20))
			})
		})
	}
}

func TestAnEndlessFieldBlockEndsTheConnection(t *testing.T) {
	e := start(t, say)
	line := append([]byte{0, 1, 'a', 0x7f, 0x80, 0x07}, bytes.Repeat([]byte("x"), 1023)...) // literal: 1023 bytes
	for name, size := range map[string]int{"large pieces": 16 << 10, "small pieces": 1100, "tiny pieces": 10} {
		t.Run(name, func(t *testing.T) {
			beside(t, e, func() {
				c := e.h2()
				rest, sent := []byte(nil), 0
				c.pour(100_000, func(b []byte, i int) []byte {
					for len(rest) < size {
						rest = append(rest, line...)
					}
					h := wire.Header{Length: size, Kind: wire.Continuation, Stream: 1}
					if i == 0 {
						h.Kind = wire.Headers
					}
					b = append(wire.AppendHeader(b, h), rest[:size]...)
					rest, sent = rest[size:], sent+size
					return b
				})
				assert.Equal(t, http2.ErrCodeEnhanceYourCalm, c.over().goAway)
			})
		})
	}
}

func TestALargeHeadIsAnsweredAndTheNextIsServed(t *testing.T) {
	e := start(t, say)
	c := e.h2()
	c.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, EndStream: true,
		BlockFragment: c.encode("a", strings.Repeat("b", 4000))})
	c.WriteContinuation(1, false, bytes.Repeat([]byte{0x80 | 62}, 9)) // of 4 KiB each
	c.WriteContinuation(1, true, c.encode("late", "in the table")[4:])
	assert.Equal(t, "431", c.ends(1).status)
	c.next = 3
	assert.Equal(t, "200", c.ends(c.open(true, "late", "in the table")).status)
}

func TestABombOfFieldsTakesLittle(t *testing.T) {
	e := start(t, say)
	beside(t, e, func() {
		before, began := inUse(), cpu()
		c := e.h2(http2.Setting{ID: http2.SettingMaxHeaderListSize, Val: 1 << 20})
		first := c.encode("bomb", strings.Repeat("b", 4000))
		bomb := bytes.Repeat([]byte{0x80 | 62}, 10_000)
		require.NoError(t, c.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, EndStream: true, EndHeaders: true,
			BlockFragment: first}))
		assert.Equal(t, "200", c.ends(1).status)
		for id := uint32(3); id < 203; id += 2 {
			c.WriteHeaders(http2.HeadersFrameParam{StreamID: id, EndStream: true, EndHeaders: true, BlockFragment: bomb})
		}
		for refused := 0; refused < 100; {
			f, err := c.ReadFrame()
			require.NoError(t, err)
			if h, ok := f.(*http2.MetaHeadersFrame); ok {
				assert.Equal(t, "431", h.PseudoValue("status"))
				refused++
			}
		}
		t.Log("cpu:", cpu()-began)
		assert.Less(t, inUse()-before, int64(10<<20))
	})
}

func TestStreamsThatNobodyReadsAreReleased(t *testing.T) {
	var running atomic.Int64
	e := start(t, func(x *proxy.Exchange) {
		if string(x.Request.Path) != "/big" {
			say(x)
			return
		}
		running.Add(1)
		defer running.Add(-1)
		x.Reply.Head(200, nil, http1.Unknown)
		for p := make([]byte, 64<<10); ; {
			if _, err := x.Reply.Write(p); err != nil {
				return
			}
		}
	}, limits(func(l *listen.Limits) { l.BodyTimeout = 2e9 }))
	for name, drip := range map[string]bool{"silent": false, "a byte now and then": true} {
		t.Run(name, func(t *testing.T) {
			beside(t, e, func() {
				before := inUse()
				var conns []*h2Raw
				for range 5 {
					c := e.h2(http2.Setting{ID: http2.SettingInitialWindowSize})
					for range 100 {
						c.open(true, ":path", "/big")
					}
					conns = append(conns, c)
				}
				require.Eventually(t, func() bool { return running.Load() == 500 }, soon, 5e6)
				assert.Less(t, (inUse()-before)/500, int64(100<<10), "bytes a stream, 64 KiB of them the handler's")
				if drip {
					for range 10 {
						for _, c := range conns {
							c.WriteWindowUpdate(1, 1)
						}
					}
				}
				require.Eventually(t, func() bool { return running.Load() == 0 }, soon, 5e6)
				for _, c := range conns {
					c.Close()
				}
			})
		})
	}
	assert.GreaterOrEqual(t, e.server.Stats().TimedOut, int64(1000))
}
