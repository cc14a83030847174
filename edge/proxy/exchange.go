package proxy

import (
	"io"
	"net/netip"
	"time"

	"github.com/wedge-lb/wedge/edge/affinity"
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

// A Retractor is a Reply that can take back a final answer of which nothing was sent, so that another may be
// given. It is false, and nothing has changed, if something was sent.
type Retractor interface{ Retract() bool }

// A Watcher is a Reply that looks after its client more often while it is on: the exchange waits in a queue, in
// which a client that has left must not keep a place.
type Watcher interface{ Watch(on bool) }

// A Guard is what a TLS handshake proved: it tells which hosts' requests may use the connection. A request for
// another is answered 421 (RFC 9110 15.5.20).
// It is compared, so it should be a pointer.
type Guard interface{ Serves(host string) bool }

// An Exchange is one request and the way to answer it. The front that received the request fills it, calls
// Serve, and may use it again after Reset. It is not safe for concurrent use, but for Abort.
type Exchange struct {
	Request  http1.Request
	Protocol string         // H1, H2 or H3
	Secure   bool           // over TLS
	SNI      string         // server name of the handshake, lower case; "" = none was sent
	Guard    Guard          // of the connection; nil = serves every host
	Peer     netip.AddrPort // the other end of the connection (QUIC: as first validated)
	Local    netip.AddrPort // our end of it, as far as it is known
	Begun    time.Time      // when the request had come; zero = when Serve is called
	Ended    time.Time      // set by Serve: when it was done with the request
	Shard    uint32         // any number that differs between connections: spreads counters
	Reply    Reply
	Abort    http1.Abort // fronts call Abort when the client has left
	state
}

// state is what Serve works with; its memory is kept over exchanges.
type state struct {
	gen     *Generation
	route   *Route
	start   time.Time
	turn    uint32 // counts exchanges
	trusted bool   // the peer is a trusted proxy
	host    string // the last host that vouched served, under guarded
	vouched Guard
	guarded *Generation
	textOf  netip.AddrPort
	text    []byte // the peer's address
	informs func(int, http1.Fields) error
	repeats func() bool
	expiry  *expiry

	pick     balance.Request
	decision balance.Decision
	another  balance.Decision // of the next attempt, in the making
	waiter   balance.Waiter
	gate     *balance.Gate // whose place x has; nil = none
	queued   bool          // it has waited
	replay   replay
	token    affinity.Token
	session  affinity.Session
	lost     bool // the client's backend, so that another was chosen
	left     departure
	backend  *balance.Backend
	tried    []*balance.Backend
	repeated int // how often one of them got the request again
	response http1.Response
	result   balance.Result

	scratch []byte
	fields  http1.Fields
	id      []byte
	trace   []byte

	status  int    // of the answer begun; 0 = none yet
	reason  string // why it is not the backend's or not whole; "" = it is
	in, out int64  // bytes of bodies
	body    counted
}

// Reset makes x ready for the next request of its connection: what describes the connection stays.
func (x *Exchange) Reset() {
	x.Request.Reset()
	x.Abort.Reset()
	x.Begun, x.Ended = time.Time{}, time.Time{}
}

// Offered tells whether the request was handed on to a backend, whose sender may be reading its Body. Only the
// goroutine that answers may call it.
func (x *Exchange) Offered() bool { return len(x.tried) > 0 }

// begin forgets the exchange before and keeps its memory.
func (x *Exchange) begin(g *Generation) {
	if x.Begun.IsZero() {
		x.Begun = time.Now()
	}
	x.gen, x.route, x.start, x.Ended = g, nil, x.Begun, time.Time{}
	x.token.Reset()
	x.lost, x.left = false, departure{}
	x.backend, x.tried, x.repeated = nil, x.tried[:0], 0
	x.result = balance.Result{}
	x.decision.Reset()
	x.waiter.Reset()
	x.gate, x.queued = nil, false
	x.scratch, x.fields, x.id, x.trace = x.scratch[:0], x.fields[:0], x.id[:0], x.trace[:0]
	x.status, x.reason, x.in, x.out, x.expiry = 0, "", 0, 0, nil
	if x.informs == nil {
		x.informs, x.repeats = x.inform, x.repeat
	}
	x.Request.Informed, x.Request.Again, x.Request.Abort = x.informs, x.repeats, &x.Abort
}
