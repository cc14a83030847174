package certs

import (
	"crypto/tls"
	"strings"
	"time"
)

// Info is the state of the certificate of one host.
type Info struct {
	Host     string
	Source   Source
	Issuer   string    // common name; "" while there is no certificate
	NotAfter time.Time // zero while there is no certificate
	Error    string    // of the last order, "" if it went well
}

func infoOf(host string, source Source, c *tls.Certificate, err error) Info {
	info := Info{Host: host, Source: source}
	if c != nil && c.Leaf != nil {
		info.Issuer, info.NotAfter = c.Leaf.Issuer.CommonName, c.Leaf.NotAfter
	}
	if err != nil {
		info.Error = err.Error()
	}
	return info
}

// Certificates lists what is served at this moment, sorted by host within each site.
func (m *Manager) Certificates() []Info {
	var all []Info
	for _, p := range m.current.Load().policies {
		all = append(all, p.source.list()...)
	}
	return all
}

func byHost(a, b Info) int { return strings.Compare(a.Host, b.Host) }
