package listen_test

import (
	"bytes"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/wedge-lb/wedge/edge/http1"
	wire "github.com/wedge-lb/wedge/edge/http2"
	"github.com/wedge-lb/wedge/edge/proxy"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

const tenFields = "GET /a/path?with=query HTTP/1.1\r\nHost: edge.test\r\n" +
	"User-Agent: bench/1.0 (linux) of the edge\r\nAccept: text/html,application/xhtml+xml\r\n" +
	"Accept-Language: en-US,en;q=0.5\r\nAccept-Encoding: gzip, br\r\nReferer: https://edge.test/other\r\n" +
	"Cookie: a=0123456789abcdef; b=0123456789abcdef\r\nDNT: 1\r\nCache-Control: max-age=0\r\n" +
	"X-Request-Id: 0123456789\r\n\r\n"

// onekib answers 1 KiB without allocating.
func onekib() handler {
	body := bytes.Repeat([]byte("x"), 1024)
	var f http1.Fields
	f.Add([]byte("Content-Type"), []byte("text/plain"))
	f.Add([]byte("Date"), []byte("Thu, 01 Jan 1970 00:00:00 GMT"))
	return func(x *proxy.Exchange) {
		x.Reply.Head(200, f, int64(len(body)))
		x.Reply.Write(body)
		x.Reply.End(nil)
	}
}

func cpu() time.Duration {
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// exchanges is one request after the other on one connection. The client's system calls and TLS are in the
// figure; it allocates nothing itself.
func exchanges(b *testing.B, c net.Conn, text string) {
	request, in := []byte(text), make([]byte, 4<<10)
	once := func() int {
		_, err := c.Write(request)
		require.NoError(b, err)
		n, err := c.Read(in)
		require.NoError(b, err)
		end := bytes.Index(in[:n], []byte("\r\n\r\n")) + 4
		_, err = io.ReadFull(c, in[n:max(n, end+1024)])
		require.NoError(b, err)
		return max(n, end+1024)
	}
	once()
	c.SetDeadline(time.Time{})
	b.ReportAllocs()
	b.ResetTimer()
	began := cpu()
	for b.Loop() {
		once()
	}
	b.ReportMetric(float64(cpu()-began)/float64(b.N), "cpu-ns/op")
}

func BenchmarkExchange(b *testing.B) {
	post := strings.Replace(tenFields, "GET", "POST", 1)
	post = strings.Replace(post, "DNT: 1", "Content-Length: 10240", 1) + strings.Repeat("x", 10240)
	b.Run("h1", func(b *testing.B) { exchanges(b, start(b, onekib()).dial(), tenFields) })
	b.Run("h1 over TLS", func(b *testing.B) { exchanges(b, start(b, onekib()).dialTLS("http/1.1"), tenFields) })
	b.Run("h1 POST 10 KiB", func(b *testing.B) { exchanges(b, start(b, onekib()).dial(), post) })
	b.Run("h2 by 16", func(b *testing.B) { streams(b, start(b, onekib()).dialTLS("h2"), 16) })
}

// streams is n requests at once on a connection of h2, each of which has ten fields. Its fields are indexed, as
// clients do; an operation is one request.
func streams(b *testing.B, c net.Conn, n int) {
	var block bytes.Buffer
	enc := hpack.NewEncoder(&block)
	encode := func() []byte {
		block.Reset()
		for _, f := range get(":path", "/a/path?with=query", "user-agent", "bench/1.0 (linux) of the edge",
			"accept", "text/html,application/xhtml+xml", "accept-language", "en-US,en;q=0.5",
			"accept-encoding", "gzip, br", "referer", "https://edge.test/other",
			"cookie", "a=0123456789abcdef; b=0123456789abcdef", "dnt", "1", "cache-control", "max-age=0",
			"x-request-id", "0123456789").head {
			require.NoError(b, enc.WriteField(hpack.HeaderField{Name: f[0], Value: f[1]}))
		}
		return block.Bytes()
	}
	out := append([]byte(nil), http2.ClientPreface...)
	out = wire.AppendSettings(out)
	out = wire.AppendSettingsAck(out)
	out = wire.AppendWindowUpdate(out, 0, 1<<30)
	out = wire.AppendHeaders(out, 1, encode(), true, false)
	id, in := uint32(1), make([]byte, 64<<10)
	var left []byte
	answers := func(want int) {
		for want > 0 {
			k, err := c.Read(in[copy(in, left):])
			require.NoError(b, err)
			left = in[:len(left)+k]
			for len(left) >= 9 {
				size := 9 + (int(left[0])<<16 | int(left[1])<<8 | int(left[2]))
				if len(left) < size {
					break
				}
				if left[3] == 0 && left[4] == 1 {
					want--
				}
				left = left[size:]
			}
		}
	}
	round := func(k int) {
		indexed := encode()
		out = out[:0]
		for range k {
			id += 2
			out = wire.AppendHeaders(out, id, indexed, true, false)
		}
		out = wire.AppendWindowUpdate(out, 0, int32(1024*k))
		_, err := c.Write(out)
		require.NoError(b, err)
		answers(k)
	}
	_, err := c.Write(out)
	require.NoError(b, err)
	answers(1)
	round(n)
	c.SetDeadline(time.Time{})
	b.ReportAllocs()
	b.ResetTimer()
	began := cpu()
	for range b.N / n {
		round(n)
	}
	b.ReportMetric(float64(cpu()-began)/float64(b.N), "cpu-ns/op")
}
