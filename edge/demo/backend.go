package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"
)

// backend is one small HTTP server of the demo.
type backend struct {
	name     string
	listener net.Listener
	server   *http.Server
	done     chan struct{}
}

// hello is what a backend answers.
type hello struct {
	Backend  string `json:"backend"`
	Path     string `json:"path"`
	Protocol string `json:"client_protocol"`
}

func startBackend(name string) (*backend, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("demo backend %s: %w", name, err)
	}
	b := &backend{name: name, listener: l, done: make(chan struct{})}
	b.server = &http.Server{Handler: b, ReadHeaderTimeout: 5 * time.Second}
	go b.serve()
	return b, nil
}

func (b *backend) serve() {
	defer close(b.done)
	_ = b.server.Serve(b.listener) // ends by stop alone
}

func (b *backend) url() string { return "http://" + b.listener.Addr().String() }

func (b *backend) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(hello{b.name, r.URL.Path, r.Header.Get("Via")})
}

func (b *backend) stop() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	err := b.server.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		err = b.server.Close()
	}
	<-b.done
	return err
}
