package main

import (
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

// A running contender has answered its first request.
type running struct {
	contender
	*process
	site    site
	metrics *scraper // nil = it has none
	given   string   // the cookie that it gave, if contender.cookie asks for one
}

// startTime bounds a contender's start, in which the edge compiles its strategy.
const startTime = 30 * time.Second

// start runs a contender of a scenario and waits until it serves.
func (a *arena) start(ctx context.Context, s *scenario, c contender) (*running, error) {
	dir, err := os.MkdirTemp(a.dir, "c")
	if err != nil {
		return nil, err
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	r := &running{contender: c, site: site{
		dir: dir, port: port, secure: s.secure, pair: a.pair, backends: a.backends,
	}}
	l, err := c.launch(c.program, r.site)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.name, err)
	}
	if r.process, err = startProcess(l, a.opt.proxyCPU); err != nil {
		return nil, err
	}
	if c.admin != nil {
		r.metrics = newScraper(c.admin(r.site))
	}
	if err := poll(ctx, startTime, func() error { return r.first(ctx, s.protocol) }); err != nil {
		r.stop()
		return nil, fmt.Errorf("%s: %w: %s", c.name, err, r.log.String())
	}
	return r, nil
}

// first sends a request and holds the answer to what makes contenders equal.
func (r *running) first(ctx context.Context, protocol string) error {
	if err := r.ended(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	rt, closed := r.prober(protocol)
	defer closed()
	url := target{site: r.site}.url("/")
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	answer, err := rt.RoundTrip(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if err := checkAnswer(answer); err != nil {
		return err
	}
	return r.equal(answer, protocol)
}

var majors = map[string]int{"h1": 1, "h2": 2, "h3": 3}

func (r *running) equal(answer *http.Response, protocol string) error {
	if answer.ProtoMajor != majors[protocol] {
		return fmt.Errorf("it speaks %s instead of %s", answer.Proto, protocol)
	}
	if s := answer.TLS; s != nil && (s.Version != tls.VersionTLS13 || s.CurveID != tls.X25519) {
		return fmt.Errorf("TLS version %x with %s instead of 1.3 with X25519", s.Version, s.CurveID)
	}
	if r.cookie == "" {
		return nil
	}
	for _, c := range answer.Cookies() {
		if strings.HasPrefix(c.Name, r.cookie) {
			r.given = c.Name + "=" + c.Value
			return nil
		}
	}
	return errors.New("it gave no cookie " + r.cookie + "…")
}

// prober is a client that verifies the contender's certificate, and what closes it.
func (r *running) prober(protocol string) (http.RoundTripper, func()) {
	if protocol == "h3" {
		t := newH3Client(r.site.address())
		t.TLSClientConfig = clientTLS(r.site.pair.roots, "h3")
		return t, func() { t.Close() }
	}
	t := &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "tcp", r.site.address())
		},
		TLSClientConfig: clientTLS(r.site.pair.roots), Protocols: new(http.Protocols),
	}
	t.Protocols.SetHTTP1(protocol == "h1")
	t.Protocols.SetHTTP2(protocol == "h2")
	return t, t.CloseIdleConnections
}
