package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
)

const (
	h3Connections = 16
	h3Streams     = 16
	patience      = 10 * time.Second // for one request of any client here
)

// h3Command sends GETs over HTTP/3.
func h3Command(ctx context.Context, args []string) error {
	l, err := parseLoad("h3load", args)
	if err != nil {
		return err
	}
	var do []func(context.Context) error
	for range h3Connections {
		c := newH3Client(l.address)
		defer c.Close()
		for range h3Streams {
			do = append(do, func(ctx context.Context) error { return getOver(ctx, c, "https://"+host+"/") })
		}
	}
	return drive(ctx, l, do).print(os.Stdout)
}

// newH3Client has one connection, to address.
func newH3Client(address string) *http3.Transport {
	return &http3.Transport{
		TLSClientConfig: clientTLS(nil, http3.NextProtoH3),
		QUICConfig:      &quic.Config{MaxIdleTimeout: patience},
		Dial: func(ctx context.Context, _ string, t *tls.Config, q *quic.Config) (*quic.Conn, error) {
			return quic.DialAddr(ctx, address, t, q)
		},
	}
}

// getOver sends one ordinary GET and reads the whole answer.
func getOver(ctx context.Context, rt http.RoundTripper, url string) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	for _, f := range ordinaryHeaders {
		r.Header.Set(f[0], f[1])
	}
	answer, err := rt.RoundTrip(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	return checkAnswer(answer)
}

// checkAnswer reads an answer to its end and refuses all but a whole one.
func checkAnswer(answer *http.Response) error {
	n, err := io.Copy(io.Discard, answer.Body)
	switch {
	case err != nil:
		return err
	case answer.StatusCode/100 != 2:
		return fmt.Errorf("status %d", answer.StatusCode)
	case n != smallBytes:
		return fmt.Errorf("%d bytes instead of %d", n, smallBytes)
	}
	return nil
}
