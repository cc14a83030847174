package certs

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/certmagic"
	"github.com/mholt/acmez/v3"
	"github.com/mholt/acmez/v3/acme"
)

const (
	maxAnswer    = 1 << 20         // bytes of one answer of the directory
	orderTimeout = 5 * time.Minute // of one order, its validations included
)

// authority is an ACME certificate authority as it is configured: comparable, so that a reload tells a
// change.
type authority struct {
	directory  string
	email      string
	challenges string // "http-01,tls-alpn-01"
	rootsPEM   string // "" for the system's
	key        string // names its files in the storage
}

func newAuthority(c ACME) (*authority, error) {
	a := &authority{directory: c.Directory, email: strings.ToLower(c.Email)}
	if a.directory == "" {
		a.directory = certmagic.LetsEncryptProductionCA
	}
	var errs []error
	u, err := url.Parse(a.directory)
	if err != nil || u.Scheme != "https" || u.Host == "" {
		errs = append(errs, fmt.Errorf("acme: directory %q: not an https URL", a.directory))
	} else {
		a.key = strings.Trim(strings.ReplaceAll(u.Host+u.Path, "/", "-"), "-")
	}
	if c.CAFile != "" {
		if a.rootsPEM, err = rootsPEM(c.CAFile); err != nil {
			errs = append(errs, fmt.Errorf("acme: %w", err))
		}
	}
	if a.challenges, err = challengeList(c.Challenges); err != nil {
		errs = append(errs, fmt.Errorf("acme: %w", err))
	}
	return a, errors.Join(errs...)
}

func challengeList(names []string) (string, error) {
	all := []string{acme.ChallengeTypeHTTP01, acme.ChallengeTypeTLSALPN01}
	if len(names) == 0 {
		names = all
	}
	for _, n := range names {
		if !slices.Contains(all, n) {
			return "", fmt.Errorf("challenge %q is neither http-01 nor tls-alpn-01", n)
		}
	}
	return strings.Join(names, ","), nil
}

// rootsPEM reads a CA file and proves that it holds certificates.
func rootsPEM(file string) (string, error) {
	if _, err := readRoots(file); err != nil {
		return "", err
	}
	data, err := os.ReadFile(file)
	return string(data), err
}

// client talks to the directory; its connections are closed with http.Client.CloseIdleConnections.
func (a *authority) client(log *slog.Logger) *acme.Client {
	t := &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: 10 * time.Second}).DialContext,
		TLSHandshakeTimeout:   10 * time.Second,
		ResponseHeaderTimeout: 30 * time.Second,
		IdleConnTimeout:       30 * time.Second,
		MaxIdleConnsPerHost:   4,
		ForceAttemptHTTP2:     true,
		TLSClientConfig:       &tls.Config{MinVersion: tls.VersionTLS12},
	}
	if a.rootsPEM != "" {
		t.TLSClientConfig.RootCAs = x509.NewCertPool()
		t.TLSClientConfig.RootCAs.AppendCertsFromPEM([]byte(a.rootsPEM))
	}
	return &acme.Client{
		Directory:   a.directory,
		UserAgent:   "wedge",
		HTTPClient:  &http.Client{Transport: &boundedTransport{t}, Timeout: time.Minute},
		PollTimeout: orderTimeout,
		Logger:      slog.New(quiet{log.Handler()}),
	}
}

func (a *authority) solvers(c *challenges, forAddress bool) map[string]acmez.Solver {
	m := map[string]acmez.Solver{}
	if strings.Contains(a.challenges, acme.ChallengeTypeHTTP01) {
		m[acme.ChallengeTypeHTTP01] = httpSolver{c}
	}
	// over TLS an address is validated under its reverse name, which no policy covers
	if strings.Contains(a.challenges, acme.ChallengeTypeTLSALPN01) && !forAddress {
		m[acme.ChallengeTypeTLSALPN01] = alpnSolver{c}
	}
	return m
}

// boundedTransport limits what is read of an answer: the directory is not trusted with our memory.
type boundedTransport struct{ *http.Transport }

func (t *boundedTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := t.Transport.RoundTrip(r)
	if err == nil {
		resp.Body = &boundedBody{resp.Body, io.LimitReader(resp.Body, maxAnswer)}
	}
	return resp, err
}

type boundedBody struct {
	io.Closer
	io.Reader
}
