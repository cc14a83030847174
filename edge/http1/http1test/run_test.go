package http1test_test

import (
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/wedge-lb/wedge/edge/http1"
	"github.com/wedge-lb/wedge/edge/http1/http1test"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func loadCases(t *testing.T) []http1test.Case {
	cases, err := http1test.Load("../../../testdata/http1/http1_cases.json")
	require.NoError(t, err)
	return cases
}

// serve gives each connection to a handler until the test ends.
func serve(t *testing.T, handle func(net.Conn)) string {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer func() { _ = c.Close() }()
				_ = c.SetDeadline(time.Now().Add(20 * time.Second))
				handle(c)
			})
		}
	})
	t.Cleanup(func() {
		_ = ln.Close()
		wg.Wait()
	})
	return ln.Addr().String()
}

// TestParserPassesTheCases plays them against the smallest proxy that can be made of package http1.
func TestParserPassesTheCases(t *testing.T) {
	http1test.Run(t, loadCases(t), 12, func(origin net.Addr) string {
		return serve(t, func(c net.Conn) {
			r := &http1.Reader{Src: c}
			for forward(r, c, origin.String()) {
			}
		})
	})
}

// forward takes one request from r to the origin and its answer to w; it is true if another may follow.
func forward(r *http1.Reader, w io.Writer, origin string) bool {
	var p http1.Parser
	var req http1.Request
	n, err := p.Request(r.Buffered(), &req)
	for err == http1.ErrIncomplete {
		if err = r.Fill(); err == nil {
			n, err = p.Request(r.Buffered(), &req)
		}
	}
	if err != nil {
		return refuse(w, err)
	}
	r.Pin(n)
	defer r.Release()
	if p.Expect {
		_, _ = io.WriteString(w, "HTTP/1.1 100 Continue\r\n\r\n")
	}
	req.Fields.Del("expect")
	req.Fields.Add([]byte("X-Forwarded-For"), []byte("127.0.0.1"))
	var body http1.Body
	body.Start(r, p.Framing, req.Length, http1.Limits{})
	content, err := io.ReadAll(&body)
	if err != nil {
		return refuse(w, err)
	}
	out := http1.AppendRequest(nil, &req)
	if p.Framing == http1.Chunked {
		out = http1.AppendLastChunk(http1.AppendChunk(out, content), &body.Trailers)
	} else {
		out = append(out, content...)
	}
	answer, err := ask(origin, out)
	if err != nil {
		return refuse(w, err)
	}
	_, err = w.Write(answer)
	return err == nil && p.KeepAlive
}

func refuse(w io.Writer, err error) bool {
	status := 400
	if e, ok := err.(*http1.Error); ok {
		status = e.Status
	}
	if err != io.EOF {
		_, _ = w.Write(http1.AppendResponse(nil, &http1.Answer{Status: status, Close: true}))
	}
	return false
}

// ask sends a request on a connection of its own and reads an answer of two bytes, or none for HEAD.
func ask(origin string, request []byte) ([]byte, error) {
	c, err := net.Dial("tcp", origin)
	if err != nil {
		return nil, err
	}
	defer func() { _ = c.Close() }()
	_ = c.SetDeadline(time.Now().Add(5 * time.Second))
	if _, err := c.Write(request); err != nil {
		return nil, err
	}
	if err := c.(*net.TCPConn).CloseWrite(); err != nil {
		return nil, err
	}
	return io.ReadAll(c)
}

// TestCasesFailForAProxyThatForwardsBlindly shows that the judge can say no.
func TestCasesFailForAProxyThatForwardsBlindly(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	o := http1test.NewOrigin(ln)
	defer o.Close()
	blind := serve(t, func(c net.Conn) {
		up, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			return
		}
		go func() {
			_, _ = io.Copy(up, c)
			_ = up.(*net.TCPConn).CloseWrite()
		}()
		_, _ = io.Copy(c, up)
		_ = up.Close()
	})
	failed := map[string]bool{}
	wanted := []string{
		"cl-space-before-colon", "te-http10-keepalive", "line-path-encoded-slash", "chunk-ext-legal",
		"field-upgrade-h2c", "line-absolute-same-host", "host-bad-port",
	}
	for _, c := range loadCases(t) {
		for _, name := range wanted {
			if c.Name == name || c.Name == "control-get" {
				failed[c.Name] = len(c.Play(blind, o)) > 0
			}
		}
	}
	assert.False(t, failed["control-get"])
	count := 0
	for _, name := range wanted {
		if failed[name] {
			count++
		}
	}
	assert.GreaterOrEqual(t, count, 5, "%v", failed)
}
