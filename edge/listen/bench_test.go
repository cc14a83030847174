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
	"github.com/wedge-lb/wedge/edge/proxy"
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
}
