package certs

import (
	"crypto/tls"
	"slices"
	"strings"
)

// lookup answers the handshakes of one kind of listener.
type lookup struct {
	m       *Manager
	protos  []string
	key     string
	refused *tls.Config // without a certificate: crypto/tls answers unrecognized_name
}

// TLSConfig returns the configuration for a listener of the protocols protos ("h2", "http/1.1", or "h3" for
// QUIC). It follows every later Apply. The policy is chosen by SNI, without SNI by the address connected to.
func (m *Manager) TLSConfig(protos ...string) *tls.Config {
	protos = slices.Clone(protos)
	l := &lookup{m: m, protos: protos, key: strings.Join(protos, ","), refused: hardened(protos)}
	l.refused.SessionTicketsDisabled = true
	c := hardened(protos)
	c.SessionTicketsDisabled = true // tickets belong to policies
	c.GetConfigForClient = l.configFor
	return c
}

func (l *lookup) configFor(hello *tls.ClientHelloInfo) (*tls.Config, error) {
	if len(hello.SupportedProtos) == 1 && hello.SupportedProtos[0] == ChallengeProto && !overQUIC(l.protos) {
		if c := l.m.challenges.config(hello.ServerName); c != nil {
			return c, nil
		}
		return l.refused, nil
	}
	t := l.m.current.Load()
	var p *Policy
	if hello.Conn != nil {
		p = t.forClient(hello.ServerName, hello.Conn.LocalAddr())
	} else {
		p = t.forClient(hello.ServerName, nil)
	}
	if p == nil {
		return l.refused, nil
	}
	return p.config(l.protos, l.key), nil
}
