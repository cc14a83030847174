package listen

import (
	"crypto/tls"
	"log/slog"
	"net"

	"github.com/wedge-lb/wedge/edge/proxy"
)

// A Handler answers exchanges. Serve is called concurrently for different exchanges; it returns when x has
// been answered, or cut, and nothing uses x any more. When it answered nothing, the client is dropped. A
// panic costs the client its connection (h1) or stream.
type Handler interface {
	Serve(x *proxy.Exchange)
}

// Protocols is a set of what is spoken with clients.
type Protocols uint8

// The members of Protocols.
const (
	H1 Protocols = 1 << iota
	H2
	H3
)

// TCP is what p negotiates over TLS.
func (p Protocols) TCP() []string {
	var names []string
	if p&H2 != 0 {
		names = append(names, "h2")
	}
	if p&H1 != 0 {
		names = append(names, "http/1.1")
	}
	return append(names, acmeProtocol)
}

// Options are what a Server works with for its whole life.
type Options struct {
	Handler Handler
	// Refuse answers what is no request, or whose head came too slowly: x.Request is what could be read of it.
	// It is called as Handler.Serve is. nil = the status is sent, and no more.
	Refuse func(x *proxy.Exchange, status int, reason string)
	// TLS is for ServeTLS; usually its GetConfigForClient decides by server name. The application protocols
	// are set by the Server, in a copy of it, and of what GetConfigForClient gives unless NextProtos is
	// Protocols.TCP() there: that saves a copy for each connection.
	TLS *tls.Config
	// QUIC is TLS for ServeQUIC, with NextProtos "h3"; default TLS.
	QUIC      *tls.Config
	Protocols Protocols // spoken over TLS and QUIC; default all. Plain TCP is h1 always.
	Limits    Limits
	Proxies   Proxies // default: none
	// Guard tells, once for each connection, which hosts its handshake stands for; nil = all.
	Guard func(state *tls.ConnectionState, local net.Addr) proxy.Guard
	// AltPort is the UDP port that answers over TLS advertise h3 on; 0 = do not.
	AltPort uint16
	// ResetKey and TokenKey let QUIC connections end cleanly, and tokens hold, over a restart; nil = random.
	ResetKey, TokenKey *[32]byte
	Logger             *slog.Logger // default: discard
}

func (o Options) withDefaults() Options {
	if o.Protocols == 0 {
		o.Protocols = H1 | H2 | H3
	}
	if o.TLS == nil {
		o.TLS = &tls.Config{}
	}
	if o.QUIC == nil {
		o.QUIC = o.TLS
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}
