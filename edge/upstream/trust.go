package upstream

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"sync/atomic"
	"time"

	"github.com/wedge-lb/wedge/edge/balance"
	"github.com/wedge-lb/wedge/edge/http1"
)

// ClientTLS gives what connections to backends begin with: TLS, or its default, in which a single certificate
// is shown to every backend that asks for one, whichever issuers it names. crypto/tls would show none to one
// that does not name the issuer of the first, as those do not that have an intermediate of their own.
func (s Settings) ClientTLS() *tls.Config {
	c := s.withDefaults().TLS.Clone()
	if len(c.Certificates) == 1 && c.GetClientCertificate == nil {
		own := &c.Certificates[0]
		c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return own, nil }
	}
	return c
}

// refusals are the alerts by which a peer ends a handshake (RFC 8446 6.2), in the words of crypto/tls, which
// keeps the type of them to itself.
var refusals = map[string]bool{
	"tls: handshake failure": true, "tls: bad certificate": true, "tls: unsupported certificate": true,
	"tls: revoked certificate": true, "tls: expired certificate": true, "tls: unknown certificate": true,
	"tls: unknown certificate authority": true, "tls: access denied": true, "tls: certificate required": true,
}

// refused tells whether err is a backend's word that it does not take the handshake. In TLS 1.3 it comes when
// the client has begun to send, of which such a backend reads nothing.
func refused(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "remote error" && refusals[op.Err.Error()]
}

// closeTime is how long a connection may take to be closed once its streams have failed.
const closeTime = 10 * time.Millisecond

// verdict is why the first stream of a connection failed: what ended the connection, if it has ended, or else
// err. net/http does not tell what comes before it has sent a request. A tls.Conn keeps its error.
func (s *stream) verdict(err error) error {
	secure := s.first.Load()
	if secure == nil {
		return err
	}
	c, ok := secure.NetConn().(*h2Conn)
	if !ok {
		return err
	}
	timer := time.NewTimer(closeTime)
	defer timer.Stop()
	select {
	case <-timer.C:
		return err
	case <-c.ended: // nobody reads any more
	}
	var b [1]byte
	if _, said := secure.Read(b[:]); refused(said) {
		return said
	}
	return err
}

// trust is whether TLS with one backend works. Changes are told to the log.
type trust struct{ broken atomic.Bool }

// trusted notes that it does.
func (b *backend) trusted() {
	if b.dialer.secure != nil && b.trust.broken.Load() && b.trust.broken.CompareAndSwap(true, false) {
		b.t.opt.Logger.Info("TLS with a backend works again", "pool", b.key.pool.Name(), "backend", b.key.address)
	}
}

// distrusted notes that it does not.
func (b *backend) distrusted(err error) {
	if errors.Is(err, context.Canceled) || b.trust.broken.Swap(true) {
		return
	}
	b.t.opt.Logger.Warn("TLS with a backend fails", "pool", b.key.pool.Name(), "backend", b.key.address,
		"error", err, "client_certificate", shown(b.dialer.secure))
}

// shown names the certificate that backends are shown.
func shown(c *tls.Config) string {
	if len(c.Certificates) == 0 {
		return "none"
	}
	if leaf := c.Certificates[0].Leaf; leaf != nil {
		return leaf.Subject.String()
	}
	return "unnamed"
}

// judge classes the failure of the first exchange on a connection anew if the backend refused the handshake:
// it was not connected to, and has read nothing.
func (b *backend) judge(f *balance.Failure, r *http1.Request) {
	if b.dialer.secure == nil || f.Kind == balance.ClientGone || !refused(f.Err) {
		return
	}
	b.distrusted(f.Err)
	f.Kind = balance.ConnectFailed
	f.Sent = r.Length != 0 && r.Buffered == nil // its body cannot be read again
}
