package listen_test

import (
	"context"
	"io"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/quicvarint"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/wedge-lb/wedge/edge/proxy"
)

const prioritized = 256 << 10 // bytes of an answer

// h3Narrow is h3 with a window that lets the edge send 16 KiB ahead.
func (e *edge) h3Narrow() *h3Raw {
	const window = 16 << 10
	ctx, cancel := context.WithTimeout(context.Background(), soon)
	e.t.Cleanup(cancel)
	conn, err := quic.DialAddr(ctx, e.quick, e.clientTLS("h3"), &quic.Config{
		InitialConnectionReceiveWindow: window, MaxConnectionReceiveWindow: window,
	})
	require.NoError(e.t, err)
	e.t.Cleanup(func() { conn.CloseWithError(0, "") })
	return &h3Raw{t: e.t, conn: conn, ctx: ctx}
}

// behind reads both answers and tells how much of the second had come when the first was whole.
func behind(t *testing.T, first, second *quic.Stream) int64 {
	var got atomic.Int64
	done := make(chan error, 1)
	go func() {
		_, err := io.Copy(&counting{&got}, second)
		done <- err
	}()
	_, err := io.Copy(io.Discard, first)
	require.NoError(t, err)
	n := got.Load()
	require.NoError(t, <-done)
	return n
}

type counting struct{ n *atomic.Int64 }

func (c *counting) Write(p []byte) (int, error) {
	c.n.Add(int64(len(p)))
	return len(p), nil
}

func TestTheMoreUrgentH3AnswerComesFirst(t *testing.T) {
	began, release := make(chan struct{}), make(chan struct{})
	e := start(t, func(x *proxy.Exchange) {
		if string(x.Request.Path) == "/" {
			answer(x, 200, "")
			return
		}
		began <- struct{}{}
		<-release
		x.Reply.Head(200, nil, prioritized)
		x.Reply.Write(make([]byte, prioritized))
		x.Reply.End(nil)
	})
	c := e.h3Narrow()
	own := c.uni(control)
	round := func(update bool) int64 {
		urgent := "u=0"
		if update {
			urgent = "u=6"
		}
		second := c.send(h3Head(t, ":path", "/big", "priority", "u=5"))
		first := c.send(h3Head(t, ":path", "/big", "priority", urgent))
		<-began
		<-began
		if update { // of that request, of one that is not there, and of one to come
			for _, id := range []quic.StreamID{first.StreamID(), 0, first.StreamID() + 400} {
				write(t, own, h3Frame(0xf0700, string(quicvarint.Append(nil, uint64(id)))+"u=0"))
			}
			assert.Equal(t, "200", c.status(c.send(h3Head(t))), "behind the update")
		}
		release <- struct{}{}
		release <- struct{}{}
		return behind(t, first, second)
	}
	for name, update := range map[string]bool{"by the field": false, "by an update": true} {
		t.Run(name, func(t *testing.T) {
			c.t = t
			var came []int64 // now and then the second begins before the first
			for range 15 {
				came = append(came, round(update))
			}
			slices.Sort(came)
			assert.Less(t, came[7], int64(prioritized/4), "the second comes as fast: %v", came)
		})
	}
}
