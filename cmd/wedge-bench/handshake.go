package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"time"
)

const handshakeClients = 16

// handshakeCommand makes a connection for each request.
func handshakeCommand(ctx context.Context, args []string) error {
	l, err := parseLoad("handshakes", args)
	if err != nil {
		return err
	}
	var do []func(context.Context) error
	for range handshakeClients {
		c := &h1Client{address: l.address, tls: clientTLS(nil, "http/1.1")}
		do = append(do, c.once)
	}
	return drive(ctx, l, do).print(os.Stdout)
}

// h1Client sends single requests over TLS connections that it makes itself: http.Transport would be most of
// the cost.
type h1Client struct {
	address string
	tls     *tls.Config
}

// ordinaryRequest is a GET with the ordinary fields, on the wire.
var ordinaryRequest = func() []byte {
	var b strings.Builder
	b.WriteString("GET / HTTP/1.1\r\nhost: " + host + "\r\n")
	for _, f := range ordinaryHeaders {
		b.WriteString(f[0] + ": " + f[1] + "\r\n")
	}
	return []byte(b.String() + "\r\n")
}()

// once is one connection, handshake, request and answer.
func (c *h1Client) once(ctx context.Context) error {
	conn, err := c.dial(ctx)
	if err != nil {
		return err
	}
	err = ask(conn)
	if closed := conn.Close(); err == nil {
		err = closed
	}
	return err
}

// dial makes a connection with a full handshake.
func (c *h1Client) dial(ctx context.Context) (*tls.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	d := tls.Dialer{NetDialer: &net.Dialer{}, Config: c.tls}
	plain, err := d.DialContext(ctx, "tcp", c.address)
	if err != nil {
		return nil, err
	}
	conn := plain.(*tls.Conn)
	if s := conn.ConnectionState(); s.DidResume || s.Version != tls.VersionTLS13 || s.CurveID != tls.X25519 {
		return nil, errors.Join(fmt.Errorf("handshake: resumed %v, version %x, curve %s",
			s.DidResume, s.Version, s.CurveID), conn.Close())
	}
	return conn, nil
}

// ask sends a request over a connection and reads the answer.
func ask(conn net.Conn) error {
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	if _, err := conn.Write(ordinaryRequest); err != nil {
		return err
	}
	answer, err := http.ReadResponse(bufio.NewReaderSize(conn, 2<<10), nil)
	if err != nil {
		return err
	}
	return checkAnswer(answer)
}
