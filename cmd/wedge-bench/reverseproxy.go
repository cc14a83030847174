package main

import (
	"context"
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/quic-go/quic-go/http3"
)

// reverseProxyPeer runs the plain httputil.ReverseProxy of this program: what Go gives without own wire code.
func reverseProxyPeer(program string, s site) (launch, error) {
	args := []string{program, "reverseproxy", "-listen", s.address()}
	if s.secure {
		args = append(args, "-cert", s.pair.certificate, "-key", s.pair.key)
	}
	return launch{args: append(args, s.backends...), env: oneProcessor()}, nil
}

// reverseProxyCommand serves until ctx is done: plain HTTP/1.1, or h1, h2 and h3 with a certificate.
func reverseProxyCommand(ctx context.Context, args []string) error {
	var address, cert, key string
	f := flag.NewFlagSet("wedge-bench reverseproxy", flag.ContinueOnError)
	f.StringVar(&address, "listen", "127.0.0.1:0", "host:port, UDP too with a certificate")
	f.StringVar(&cert, "cert", "", "certificate, PEM; empty = plain HTTP/1.1")
	f.StringVar(&key, "key", "", "its key, PEM")
	if err := f.Parse(args); err != nil {
		return usageError{err}
	}
	if f.NArg() == 0 {
		return usageError{errors.New("reverseproxy: want backends, host:port each")}
	}
	p := &goProxy{handler: newReverseProxy(f.Args())}
	if cert != "" {
		pair, err := tls.LoadX509KeyPair(cert, key)
		if err != nil {
			return fmt.Errorf("reverseproxy: %w", err)
		}
		p.tls = &tls.Config{
			Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS13,
			CurvePreferences: []tls.CurveID{tls.X25519},
		}
	}
	return p.serve(ctx, address)
}

// newReverseProxy spreads requests over backends, one after the other.
func newReverseProxy(backends []string) http.Handler {
	var turn atomic.Uint64
	transport := &http.Transport{
		MaxIdleConnsPerHost: 256, IdleConnTimeout: 5 * time.Minute, DisableCompression: true,
	}
	return &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(&url.URL{Scheme: "http", Host: backends[turn.Add(1)%uint64(len(backends))]})
			r.Out.Host = r.In.Host
			r.SetXForwarded()
		},
		Transport: transport,
		ErrorLog:  log.Default(),
	}
}

// A goProxy serves a handler by net/http and quic-go's http3.
type goProxy struct {
	handler http.Handler
	tls     *tls.Config // nil = plain HTTP/1.1
}

// serve returns when ctx is done, or when a server fails.
func (g *goProxy) serve(ctx context.Context, address string) error {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return fmt.Errorf("reverseproxy: %w", err)
	}
	defer l.Close()
	tcp := &http.Server{Handler: g.handler, TLSConfig: g.tls, ReadHeaderTimeout: 10 * time.Second}
	if g.tls == nil {
		return run2(ctx, func() error { return tcp.Serve(l) }, tcp.Close)
	}
	udp, err := net.ListenPacket("udp", l.Addr().String())
	if err != nil {
		return fmt.Errorf("reverseproxy: %w", err)
	}
	defer udp.Close()
	h3 := &http3.Server{Handler: g.handler, TLSConfig: http3.ConfigureTLSConfig(g.tls)}
	return run2(ctx,
		func() error { return tcp.ServeTLS(l, "", "") }, tcp.Close,
		func() error { return h3.Serve(udp) }, h3.Close)
}

// run2 runs serve functions, each followed by what ends it, until ctx is done or one returns.
func run2(ctx context.Context, pairs ...func() error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	for i := 0; i < len(pairs); i += 2 {
		wg.Go(func() { cancel(pairs[i]()) })
	}
	<-ctx.Done()
	for i := 1; i < len(pairs); i += 2 {
		_ = pairs[i]() // it serves no more, whatever it says
	}
	wg.Wait()
	if err := context.Cause(ctx); !errors.Is(err, context.Canceled) && !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
