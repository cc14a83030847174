package main

import (
	"fmt"
	"os"
	"strings"
)

// haproxyPeer proxies by HAProxy, one thread in one process.
func haproxyPeer(program string, s site) (launch, error) {
	bind := s.address() + " backlog 4096"
	if s.secure {
		pem, err := s.combined()
		if err != nil {
			return launch{}, err
		}
		bind += " ssl crt " + pem + " ssl-min-ver TLSv1.3 curves X25519 alpn h2,http/1.1"
	}
	scheme := map[bool]string{true: "https", false: "http"}[s.secure]
	var c strings.Builder
	fmt.Fprintf(&c, `global
  nbthread 1
  maxconn 8000
defaults
  mode http
  timeout connect 3s
  timeout client 300s
  timeout server 300s
  timeout http-keep-alive 300s
  http-reuse always
frontend clients
  bind %s
  option forwardfor
  http-request set-header X-Forwarded-Proto %s
  http-request set-header X-Forwarded-Host %%[req.hdr(host)]
  default_backend backends
backend backends
  balance roundrobin
`, bind, scheme)
	for i, b := range s.backends {
		fmt.Fprintf(&c, "  server s%d %s check inter 5s\n", i+1, b)
	}
	path, err := s.file("haproxy.cfg", c.String())
	return launch{args: []string{program, "-f", path}}, err
}

// combined writes certificate and key into one file, as HAProxy wants them.
func (s site) combined() (string, error) {
	var both strings.Builder
	for _, name := range []string{s.pair.certificate, s.pair.key} {
		text, err := os.ReadFile(name)
		if err != nil {
			return "", fmt.Errorf("certificate: %w", err)
		}
		both.Write(text)
	}
	return s.file("both.pem", both.String())
}
