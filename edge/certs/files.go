package certs

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// fileSource serves certificates that were read from files when the settings were applied.
type fileSource struct {
	hosts []string
	pairs []*tls.Certificate
}

func newFileSource(hosts []string, files []KeyPair) (*fileSource, error) {
	if len(files) == 0 {
		return nil, errors.New("source files: no certificate and key named")
	}
	s := &fileSource{hosts: hosts}
	var errs []error
	for _, f := range files {
		pair, err := tls.LoadX509KeyPair(f.Certificate, f.Key)
		if err == nil && pair.Leaf == nil {
			pair.Leaf, err = x509.ParseCertificate(pair.Certificate[0])
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("certificate %s with key %s: %w", f.Certificate, f.Key, err))
			continue
		}
		s.pairs = append(s.pairs, &pair)
	}
	return s, errors.Join(errs...)
}

// unnamed lists the hosts that no pair is valid for at now; clients will refuse them.
func (s *fileSource) unnamed(now time.Time) []string {
	var hosts []string
	for _, h := range s.hosts {
		sample := strings.Replace(h, "*", "wedge", 1)
		ok := slices.ContainsFunc(s.pairs, func(c *tls.Certificate) bool {
			return h == "*" || (c.Leaf.VerifyHostname(sample) == nil && now.Before(c.Leaf.NotAfter))
		})
		if !ok {
			hosts = append(hosts, h)
		}
	}
	return hosts
}

// certificate prefers a pair that is valid for name and that the client can use, then any.
func (s *fileSource) certificate(hello *tls.ClientHelloInfo, name string) (*tls.Certificate, error) {
	best := s.pairs[0]
	if len(s.pairs) == 1 {
		return best, nil
	}
	for _, c := range s.pairs {
		if c.Leaf.VerifyHostname(name) == nil && hello.SupportsCertificate(c) == nil {
			return c, nil
		}
	}
	return best, nil
}

func (s *fileSource) list() []Info {
	var infos []Info
	for _, h := range s.hosts {
		infos = append(infos, infoOf(h, SourceFiles, s.named(h), nil))
	}
	return infos
}

func (s *fileSource) named(host string) *tls.Certificate {
	for _, c := range s.pairs {
		if c.Leaf.VerifyHostname(host) == nil {
			return c
		}
	}
	return s.pairs[0]
}
