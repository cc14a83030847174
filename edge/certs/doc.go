// Package certs decides, for TCP and QUIC alike, with which certificate and under which client
// authentication a TLS handshake is answered, and keeps those certificates valid.
//
// Certificates come from three sources: an ACME authority (challenges HTTP-01 and TLS-ALPN-01, also on
// demand for hosts that a rule admits), a local authority kept in the state directory, or files.
//
// A [Manager] holds one immutable table of policies, one for each [Site]. [Manager.Prepare] builds a new
// table beside the running one and [Change.Commit] swaps it; what did not change keeps its certificates and
// its session tickets. [Manager.TLSConfig] is what listeners use; [Manager.Run] orders, renews and rotates.
//
// After a handshake the listener asks [Manager.Conn] once for a [Conn] and, for each request, whether that
// connection [Conn.Serves] the host of the request; if not, the answer is 421. A connection whose negotiated
// protocol is [ChallengeProto] is closed at once: it validated a challenge and carries nothing else.
//
// The package opens no port. [Manager.HTTPChallenge] answers HTTP-01 for a plain listener.
package certs
