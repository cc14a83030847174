package proxy

import (
	"io"
	"net/netip"

	"github.com/wedge-lb/wedge/edge/balance"
	"github.com/wedge-lb/wedge/edge/http1"
)

// The protocols of a client, as an Exchange names them.
const (
	H1 = "h1"
	H2 = "h2"
	H3 = "h3"
)

// A Reply sends one answer to the client. One goroutine calls it, in the order Inform*, then either Switch, or
// Head, (Write | Flush)*, End. Slices it is given are not kept after it returns. A Reply may hold what it was given back
// until Flush or End; End without a Flush before it sends everything at once. An error means the client cannot
// be reached any more.
type Reply interface {
	// Inform sends an interim answer (1xx but 101) at once.
	Inform(status int, f http1.Fields) error
	// Head begins the final answer. length is the body's, http1.Unknown if End tells. The fields hold nothing
	// that frames the message.
	Head(status int, f http1.Fields, length int64) error
	// Write sends a part of the body. It is not called for answers that have none (HEAD, 204, 304).
	Write(p []byte) (int, error)
	// Flush sends what is held back.
	Flush() error
	// End completes the answer; trailers may be nil.
	End(trailers http1.Fields) error
	// Switch answers 101 with f and the protocol named, and gives the raw stream, which the caller closes.
	Switch(protocol []byte, f http1.Fields) (io.ReadWriteCloser, error)
	// Cut ends an answer that cannot be completed so that the client notices: the connection is closed (h1) or
	// the stream is reset (h2, h3). Before Head it just drops the client.
	Cut()
}

// An Exchange is one request and the way to answer it. The front that received the request fills it, calls
// Serve, and may use it again after Reset. It is not safe for concurrent use, but for Abort.
type Exchange struct {
	Request  http1.Request
	Protocol string         // H1, H2 or H3
	Secure   bool           // over TLS
	SNI      string         // server name of the handshake, lower case; "" = none was sent
	Peer     netip.AddrPort // the other end of the connection (QUIC: as first validated)
	Shard    uint32         // any number that differs between connections: spreads counters
	Reply    Reply
	Abort    http1.Abort // fronts call Abort when the client has left
	state
}

// state is what Serve works with; its memory is kept over exchanges.
type state struct {
	response http1.Response
	pick     balance.Request
	decision balance.Decision
	tried    []*balance.Backend
	scratch  []byte
	fields   http1.Fields
}

// Reset makes x ready for the next request of its connection: Protocol, Secure, SNI, Peer, Shard and Reply
// stay.
func (x *Exchange) Reset() {
	x.Request.Reset()
	x.Abort.Reset()
}
