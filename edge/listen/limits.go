package listen

import (
	"time"

	"github.com/wedge-lb/wedge/edge/http1"
)

// Limits bound what clients can make us hold and for how long. A field that is 0 takes its default; what a
// connection in progress has read of them stays in force for it.
type Limits struct {
	HeaderBytes  int // of a request head; default 32 KiB
	LineBytes    int // of a request line; default 16 KiB
	HeaderFields int // default 100
	TrailerBytes int // default 8 KiB

	HandshakeTimeout time.Duration // from accept to the end of the TLS or QUIC handshake; default 10 s
	HeaderTimeout    time.Duration // from the first byte of a head to its last; default 10 s
	IdleTimeout      time.Duration // without a request; default 75 s
	BodyTimeout      time.Duration // without a byte of a body, read or written; default 30 s
	// TunnelTimeout is without a byte in either direction after an upgrade; default 1 h. It is also that of a
	// body of undeclared length once its answer has begun: the two are a conversation then, as in gRPC.
	TunnelTimeout time.Duration
	// MinRate is what a client must take or send in bytes a second, once BodyTimeout in all was spent waiting
	// for it; default 256.
	MinRate int

	Connections           int // in all; default 10,000
	ConnectionsPerAddress int // an IPv6 address is its /64; default 1000
	Handshakes            int // in progress; the oldest gives way to a new one; default 2048
	Streams               int // concurrent requests of an h2 or h3 connection; default 100

	// RetryAbove is the number of QUIC handshakes in progress above which clients must prove their address
	// first; default 64.
	RetryAbove int
}

func (l Limits) withDefaults() Limits {
	wire := l.wire().WithDefaults()
	l.HeaderBytes, l.LineBytes, l.HeaderFields, l.TrailerBytes = wire.Head, wire.Line, wire.Fields, wire.Trailers
	fill(&l.HandshakeTimeout, 10*time.Second)
	fill(&l.HeaderTimeout, 10*time.Second)
	fill(&l.IdleTimeout, 75*time.Second)
	fill(&l.BodyTimeout, 30*time.Second)
	fill(&l.TunnelTimeout, time.Hour)
	fill(&l.MinRate, 256)
	fill(&l.Connections, 10_000)
	fill(&l.ConnectionsPerAddress, 1000)
	fill(&l.Handshakes, 2048)
	fill(&l.Streams, 100)
	fill(&l.RetryAbove, 64)
	return l
}

func fill[T int | time.Duration](v *T, def T) {
	if *v <= 0 {
		*v = def
	}
}

// wire is the part of l that the h1 parser holds to.
func (l Limits) wire() http1.Limits {
	return http1.Limits{Head: l.HeaderBytes, Line: l.LineBytes, Fields: l.HeaderFields, Trailers: l.TrailerBytes}
}
