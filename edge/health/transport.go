package health

import (
	"crypto/tls"
	"net/http"
	"time"
)

// NewTransport makes the transport for the probes of a pool: a connection of its own for each probe, without
// proxies, by the pool's protocol (h1, h2 or h2c) and TLS settings; nil verifies by the system's roots.
func NewTransport(protocol string, c *tls.Config) *http.Transport {
	p := new(http.Protocols)
	switch protocol {
	case "h2c":
		p.SetUnencryptedHTTP2(true)
	case "h2":
		p.SetHTTP2(true)
	default:
		p.SetHTTP1(true)
	}
	if c != nil {
		c = c.Clone()
	}
	return &http.Transport{
		Protocols:              p,
		TLSClientConfig:        c,
		DisableKeepAlives:      true,
		DisableCompression:     true,
		MaxResponseHeaderBytes: 32 << 10,
		TLSHandshakeTimeout:    time.Minute, // a probe's own time is shorter
	}
}
