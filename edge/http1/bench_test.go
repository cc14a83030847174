package http1_test

import (
	"bytes"
	"io"
	"testing"

	"github.com/wedge-lb/wedge/edge/http1"
)

const benchRequest = "GET /products/shoes/42?color=red&size=9 HTTP/1.1\r\n" +
	"Host: shop.example.com\r\n" +
	"User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\n" +
	"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/webp,*/*;q=0.8\r\n" +
	"Accept-Language: en-US,en;q=0.5\r\n" +
	"Accept-Encoding: gzip, deflate, br, zstd\r\n" +
	"Referer: https://shop.example.com/products\r\n" +
	"Connection: keep-alive\r\n" +
	"Cookie: session=0123456789abcdef0123456789abcdef; theme=dark\r\n" +
	"Cache-Control: max-age=0\r\n" +
	"X-Request-Start: t=1700000000.123\r\n\r\n"

const benchResponse = "HTTP/1.1 200 OK\r\n" +
	"Server: nginx/1.22.1\r\nDate: Thu, 20 Nov 2026 09:00:00 GMT\r\nContent-Type: text/html; charset=utf-8\r\n" +
	"Content-Length: 1024\r\nConnection: keep-alive\r\nLast-Modified: Thu, 20 Nov 2026 08:00:00 GMT\r\n" +
	"ETag: \"5f3c-400\"\r\nCache-Control: public, max-age=60\r\n" +
	"Vary: Accept-Encoding\r\nAccept-Ranges: bytes\r\n\r\n"

func BenchmarkParseRequest(b *testing.B) {
	buf, p, r := []byte(benchRequest), http1.Parser{}, http1.Request{}
	b.SetBytes(int64(len(buf)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := p.Request(buf, &r); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppendRequest(b *testing.B) {
	var p http1.Parser
	var r http1.Request
	if _, err := p.Request([]byte(benchRequest), &r); err != nil {
		b.Fatal(err)
	}
	var dst []byte
	b.ReportAllocs()
	for b.Loop() {
		dst = http1.AppendRequest(dst[:0], &r)
	}
}

func BenchmarkParseResponse(b *testing.B) {
	buf, get, p, a := []byte(benchResponse), []byte("GET"), http1.Parser{}, http1.Response{}
	b.SetBytes(int64(len(buf)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := p.Response(buf, get, &a); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppendResponse(b *testing.B) {
	var p http1.Parser
	var a http1.Response
	if _, err := p.Response([]byte(benchResponse), nil, &a); err != nil {
		b.Fatal(err)
	}
	var dst []byte
	b.ReportAllocs()
	for b.Loop() {
		dst = http1.AppendResponse(dst[:0], &http1.Answer{Status: a.Status, Fields: a.Fields, Length: a.Length})
	}
}

func BenchmarkChunkedBody(b *testing.B) {
	wire := http1.AppendLastChunk(http1.AppendChunk(nil, bytes.Repeat([]byte("x"), 16<<10)), nil)
	var src bytes.Reader
	r := http1.Reader{Src: &src}
	p := make([]byte, 32<<10)
	var body http1.Body
	b.SetBytes(16 << 10)
	b.ReportAllocs()
	for b.Loop() {
		src.Reset(wire)
		body.Start(&r, http1.Chunked, http1.Unknown, http1.Limits{})
		for {
			if _, err := body.Read(p); err == io.EOF {
				break
			} else if err != nil {
				b.Fatal(err)
			}
		}
	}
}
