package listen_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/wedge-lb/wedge/edge/listen"
)

// A recording is a connection whose client has sent all it will send; it keeps what the edge answers.
type recording struct {
	in     *bytes.Reader
	mu     sync.Mutex
	out    bytes.Buffer
	closed chan struct{}
	once   sync.Once
}

func (r *recording) Read(p []byte) (int, error) { return r.in.Read(p) }

func (r *recording) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.out.Write(p)
}

func (r *recording) Close() error {
	r.once.Do(func() { close(r.closed) })
	return nil
}

func (r *recording) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (r *recording) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (r *recording) SetDeadline(time.Time) error      { return nil }
func (r *recording) SetReadDeadline(time.Time) error  { return nil }
func (r *recording) SetWriteDeadline(time.Time) error { return nil }

// recordings is a listener of such connections.
type recordings struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (l *recordings) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *recordings) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *recordings) Addr() net.Addr { return &net.TCPAddr{} }

// FuzzConnection sends anything to an h1 connection: it must end, and what came back must be answers.
func FuzzConnection(f *testing.F) {
	for _, seed := range []string{
		"", "GET / HTTP/1.1\r\nHost: h\r\n\r\n", "GET / HTTP/1.0\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
		"PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nbody" +
			"GET /2 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
		"PUT / HTTP/1.1\r\nHost: h\r\n" + chunks + "\r\n4\r\nbody\r\n0\r\nA: b\r\n\r\n" +
			"HEAD /2 HTTP/1.1\r\nHost: h\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\nab",
		"GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\nraw", "\x16\x03\x01\x02\x00",
	} {
		f.Add([]byte(seed))
	}
	s := listen.New(listen.Options{Handler: handler(say)})
	l := &recordings{conns: make(chan net.Conn), closed: make(chan struct{})}
	served := make(chan error, 1)
	go func() { served <- s.ServeTCP(context.Background(), l) }()
	f.Cleanup(func() {
		l.Close()
		<-served
	})
	f.Fuzz(func(t *testing.T, sent []byte) {
		c := &recording{in: bytes.NewReader(sent), closed: make(chan struct{})}
		l.conns <- c
		select {
		case <-c.closed:
		case <-time.After(20 * time.Second):
			t.Fatal("does not end")
		}
		r := bufio.NewReader(&c.out)
		for answers := 0; ; answers++ {
			_, err := r.Peek(1)
			if errors.Is(err, io.EOF) {
				return
			}
			require.Less(t, answers, len(sent), "more answers than requests")
			require.NoError(t, skipAnswer(r, sent))
		}
	})
}

// skipAnswer reads an answer whole. Whether it was to a HEAD is told by what follows it.
func skipAnswer(r *bufio.Reader, sent []byte) error {
	a, err := http.ReadResponse(r, nil)
	if err != nil {
		return err
	}
	next, _ := r.Peek(9)
	if bytes.Contains(sent, []byte("HEAD ")) && (len(next) == 0 || string(next) == "HTTP/1.1 ") {
		return nil
	}
	_, err = io.Copy(io.Discard, a.Body)
	return err
}
