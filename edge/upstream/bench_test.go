package upstream_test

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wedge-lb/wedge/edge/http1"
	"github.com/wedge-lb/wedge/edge/upstream"
)

// answering reads requests of a fixed size and answers each with 1 KiB, without parsing.
func answering(size int) script {
	answer := []byte("HTTP/1.1 200 OK\r\nServer: x\r\nContent-Type: text/plain\r\nContent-Length: 1024\r\n\r\n" +
		strings.Repeat("x", 1024))
	return func(c net.Conn, _ *bufio.Reader) {
		buf := make([]byte, size)
		for {
			if _, err := io.ReadFull(c, buf); err != nil {
				return
			}
			if _, err := c.Write(answer); err != nil {
				return
			}
		}
	}
}

func benchmark(b *testing.B, prepare func(*http1.Request)) {
	r := request("GET", "/products/shoes/42")
	for i := range 10 {
		r.Fields.Add([]byte("X-Field-"+strconv.Itoa(i)), []byte("some value of a usual length"))
	}
	prepare(r)
	wire := len(http1.AppendRequest(nil, r))
	if r.Length > 0 {
		wire += int(r.Length)
	} else if r.Length == http1.Unknown {
		wire += len(http1.AppendLastChunk(http1.AppendChunk(nil, make([]byte, 10<<10)), nil))
	}
	backend := rawBackend(b, answering(wire))
	tr := transport(b, upstream.Settings{})
	var a http1.Response
	buf := make([]byte, 4<<10)
	exchange := func() {
		if body, ok := r.Body.(*bytes.Reader); ok {
			_, _ = body.Seek(0, io.SeekStart)
		}
		if err := tr.Do(backend, r, &a); err != nil {
			b.Fatal(err)
		}
		for {
			if _, err := a.Body.Read(buf); err == io.EOF {
				break
			} else if err != nil {
				b.Fatal(err)
			}
		}
		require.NoError(b, a.Body.Close())
	}
	exchange()
	b.ReportAllocs()
	for b.Loop() {
		exchange()
	}
}

func BenchmarkGet(b *testing.B) { benchmark(b, func(*http1.Request) {}) }

func BenchmarkPostBuffered(b *testing.B) {
	benchmark(b, func(r *http1.Request) {
		r.Method, r.Length, r.Buffered = []byte("POST"), 10<<10, make([]byte, 10<<10)
	})
}

func BenchmarkPostStreamed(b *testing.B) {
	benchmark(b, func(r *http1.Request) {
		r.Method, r.Length, r.Body = []byte("POST"), 10<<10, bytes.NewReader(make([]byte, 10<<10))
	})
}

func BenchmarkPostChunked(b *testing.B) {
	benchmark(b, func(r *http1.Request) {
		r.Method, r.Length, r.Body = []byte("POST"), http1.Unknown, bytes.NewReader(make([]byte, 10<<10))
	})
}

func BenchmarkGetParallel(b *testing.B) {
	r := request("GET", "/products/shoes/42")
	backend := rawBackend(b, answering(len(http1.AppendRequest(nil, r))))
	tr := transport(b, upstream.Settings{})
	b.SetParallelism(32)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		var a http1.Response
		r := request("GET", "/products/shoes/42")
		buf := make([]byte, 4<<10)
		for pb.Next() {
			if err := tr.Do(backend, r, &a); err != nil {
				b.Error(err)
				return
			}
			_, _ = a.Body.Read(buf)
			_ = a.Body.Close()
		}
	})
}

// BenchmarkFloor is the same bytes over a plain connection, with nothing around them.
func BenchmarkFloor(b *testing.B) {
	r := request("GET", "/products/shoes/42")
	out := http1.AppendRequest(nil, r)
	backend := rawBackend(b, answering(len(out)))
	c, err := net.Dial("tcp", backend.Address)
	require.NoError(b, err)
	defer func() { _ = c.Close() }()
	buf := make([]byte, 4<<10)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Write(out); err != nil {
			b.Fatal(err)
		}
		if _, err := c.Read(buf); err != nil {
			b.Fatal(err)
		}
	}
}
