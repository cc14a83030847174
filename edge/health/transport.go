package health

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"time"
)

// Dial makes a connection, as net.Dialer's DialContext does.
type Dial func(ctx context.Context, network, address string) (net.Conn, error)

// ProxyDial is a Dial to backends that want a PROXY protocol header first: it says that the connection is the
// edge's own (version 2, LOCAL; the PROXY protocol, section 2.2).
func ProxyDial(ctx context.Context, network, address string) (net.Conn, error) {
	c, err := new(net.Dialer).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	if _, err := c.Write([]byte("\r\n\r\n\x00\r\nQUIT\n\x20\x00\x00\x00")); err != nil { // fits any send buffer
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

// NewTransport makes the transport for the probes of a pool: a connection of its own for each probe,
// without proxies, by the pool's protocol (h1, h2, h2c, or grpc = h2c or h2 as the URL says) and TLS
// settings; nil verifies by the system's roots. A nil dial is a net.Dialer.
func NewTransport(protocol string, c *tls.Config, dial Dial) *http.Transport {
	p := new(http.Protocols)
	switch protocol {
	case "h2c":
		p.SetUnencryptedHTTP2(true)
	case "h2":
		p.SetHTTP2(true)
	case "grpc":
		p.SetHTTP2(true)
		p.SetUnencryptedHTTP2(true)
	default:
		p.SetHTTP1(true)
	}
	if c != nil {
		c = c.Clone()
	}
	return &http.Transport{
		DialContext:            dial,
		Protocols:              p,
		TLSClientConfig:        c,
		DisableKeepAlives:      true,
		DisableCompression:     true,
		MaxResponseHeaderBytes: 32 << 10,
		TLSHandshakeTimeout:    time.Minute, // a probe's own time is shorter
	}
}
