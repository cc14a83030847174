package admin

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"golang.org/x/net/netutil"
)

// Options are how the API is served.
type Options struct {
	Listen  string       // unix:///PATH or HOST:PORT
	Token   string       // bearer token; needed by every request but /livez and /readyz. "" = none
	Hosts   []string     // names by which a TCP listener may be called, beside its address and localhost
	Metrics http.Handler // at /metrics; nil = not served
	Logger  *slog.Logger // has the audit lines; default: discard
}

const (
	maxConnections = 64
	headTimeout    = 5 * time.Second
	readTimeout    = time.Minute
	writeTimeout   = 2 * time.Minute // a swap compiles
	idleTimeout    = time.Minute
	stopTimeout    = 5 * time.Second
	maxHead        = 16 << 10
)

// A Server serves the API.
type Server struct {
	control  Control
	opt      Options
	address  address
	swapping chan struct{} // holds a value while a swap is in progress

	mu       sync.Mutex
	listener net.Listener
}

// New makes a Server; it listens once Listen or Serve is called.
func New(c Control, o Options) (*Server, error) {
	a, err := parseAddress(o.Listen)
	if err == nil {
		err = a.check(o.Token)
	}
	if err != nil {
		return nil, fmt.Errorf("admin listen %s: %w", o.Listen, err)
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return &Server{control: c, opt: o, address: a, swapping: make(chan struct{}, 1)}, nil
}

// Listen opens the listener, once. Who calls it must call Serve, or Close.
func (s *Server) Listen() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.listener != nil {
		return nil
	}
	var err error
	if s.address.network == "unix" {
		s.listener, err = listenUnix(s.address.name)
	} else {
		s.listener, err = net.Listen("tcp", s.address.name)
	}
	if err != nil {
		s.listener = nil
		return fmt.Errorf("admin listen %s: %w", s.opt.Listen, err)
	}
	return nil
}

// Address is where it listens, as a Client takes it; before Listen, where it will.
func (s *Server) Address() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.address.network == "unix" || s.listener == nil {
		return s.opt.Listen
	}
	return s.listener.Addr().String()
}

// Close closes a listener that is not served.
func (s *Server) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.listener == nil {
		return nil
	}
	return s.listener.Close()
}

// Serve serves until ctx ends and the requests in progress have, for which they get 5 seconds.
func (s *Server) Serve(ctx context.Context) error {
	if err := s.Listen(); err != nil {
		return err
	}
	h := &http.Server{
		Handler:           s.Handler(),
		ReadHeaderTimeout: headTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHead,
		ErrorLog:          slog.NewLogLogger(s.opt.Logger.Handler(), slog.LevelDebug),
	}
	var wg sync.WaitGroup
	defer wg.Wait()
	served, stopped := context.WithCancel(ctx)
	defer stopped()
	wg.Go(func() { shutdown(served, h) })
	err := h.Serve(netutil.LimitListener(s.listener, maxConnections))
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("admin serve %s: %w", s.opt.Listen, err)
}

// shutdown stops h when ctx ends.
func shutdown(ctx context.Context, h *http.Server) {
	<-ctx.Done()
	late, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	if h.Shutdown(late) != nil {
		h.Close()
	}
}
