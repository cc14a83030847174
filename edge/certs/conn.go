package certs

import (
	"crypto/tls"
	"net"
)

// Conn is what the handshake of one connection proved. It is a small value, kept by the connection for as
// long as that lives. The zero Conn serves nothing.
type Conn struct {
	m     *Manager
	auth  *clientAuth
	valid bool
}

// Conn finds again under which policy the handshake of state ran; local is the address the client connected
// to (it decides for clients without SNI). Call it once for a connection, after the handshake.
func (m *Manager) Conn(state *tls.ConnectionState, local net.Addr) Conn {
	p := m.current.Load().forClient(state.ServerName, local)
	if p == nil || !p.auth.proven(state) || state.NegotiatedProtocol == ChallengeProto {
		return Conn{}
	}
	return Conn{m: m, auth: p.auth, valid: true}
}

// Serves reports whether a request for host (a Host field or :authority, port allowed) may use the
// connection; if not, the answer is 421. It holds across reloads: a connection that showed no certificate
// never serves a host that has come to require one. It does not allocate for a lower-case host name.
func (c Conn) Serves(host string) bool { return c.valid && c.Admits(c.m.PolicyFor(host)) }

// Admits is Serves for a caller that knows the policy already, because its routes carry it ([Change.Policy]).
func (c Conn) Admits(p *Policy) bool { return c.valid && p != nil && p.auth == c.auth }

// Allowed is Conn and Serves in one call, for callers that keep no Conn.
func (m *Manager) Allowed(state *tls.ConnectionState, local net.Addr, host string) bool {
	return m.Conn(state, local).Serves(host)
}

// PolicyFor returns the policy of host (a Host field or :authority, port allowed), or nil if no site covers
// it.
func (m *Manager) PolicyFor(host string) *Policy {
	if host == "" { // HTTP/1.0 without Host
		return m.current.Load().any
	}
	name, ok := canonical(host)
	if !ok {
		return nil
	}
	return m.current.Load().policy(name)
}
