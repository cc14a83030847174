package upstream

import (
	"context"
	"crypto/tls"
	"net"

	"github.com/wedge-lb/wedge/edge/balance"
	"github.com/wedge-lb/wedge/edge/http1"
)

// A dialer makes connections to one address.
type dialer struct {
	address string
	secure  *tls.Config // nil = no TLS
	net     net.Dialer
}

func newDialer(k key, s *Settings) *dialer {
	d := &dialer{address: k.address}
	if k.scheme != "https" {
		return d
	}
	d.secure = s.ClientTLS()
	d.secure.NextProtos = []string{"http/1.1"}
	if s.Protocol != "h1" {
		d.secure.NextProtos = []string{"h2"}
	}
	if d.secure.ServerName == "" {
		d.secure.ServerName = k.address
		if host, _, err := net.SplitHostPort(k.address); err == nil {
			d.secure.ServerName = host
		}
	}
	return d
}

// dial gives the TCP connection.
func (d *dialer) dial(ctx context.Context) (*net.TCPConn, error) {
	c, err := d.net.DialContext(ctx, "tcp", d.address)
	if err != nil {
		return nil, err
	}
	return c.(*net.TCPConn), nil
}

// canceller interrupts what waits on a context.
type canceller struct{ cancel context.CancelFunc }

func (c canceller) Interrupt() { c.cancel() }

// dial makes a connection for r in the place that was counted for it.
func (b *backend) dial(r *http1.Request, s *Settings) (*conn, *balance.Failure) {
	ctx, cancel := context.WithTimeout(context.Background(), patient(s.ConnectTimeout, r))
	defer cancel()
	if !r.Abort.Attach(canceller{cancel}) {
		b.leave()
		return nil, clientGone(false)
	}
	defer r.Abort.Detach()
	c, err := b.connect(ctx, r, s)
	if err != nil {
		b.leave()
		if r.Abort.Aborted() {
			return nil, clientGone(false)
		}
		return nil, &balance.Failure{Kind: balance.ConnectFailed, Err: err}
	}
	b.mu.Lock()
	b.dialed++
	b.linkLocked(c)
	b.mu.Unlock()
	return c, nil
}

func (b *backend) connect(ctx context.Context, r *http1.Request, s *Settings) (*conn, error) {
	raw, err := b.dialer.dial(ctx)
	if err != nil {
		return nil, err
	}
	sock, err := newSocket(raw, b.t.now)
	if err != nil {
		_ = raw.Close()
		return nil, err
	}
	if s.Announce {
		if err := announce(sock, r, s.ConnectTimeout); err != nil {
			_ = raw.Close()
			return nil, err
		}
	}
	c := newConn(b, sock, s)
	if b.dialer.secure == nil {
		return c, nil
	}
	sock.secure, sock.readFor, sock.writeFor = true, s.ConnectTimeout, s.ConnectTimeout
	secure := tls.Client(sock, b.dialer.secure)
	if err := secure.HandshakeContext(ctx); err != nil {
		_ = raw.Close()
		b.distrusted(err)
		return nil, err
	}
	c.secure, c.rd.Src = secure, secure
	return c, nil
}
