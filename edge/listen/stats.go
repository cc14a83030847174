package listen

import "sync/atomic"

// Stats is what a Server has seen since it was made. Open* are the connections of now.
type Stats struct {
	OpenPlain, OpenTLS, OpenQUIC int64 // accepted and not closed; OpenTLS and OpenQUIC hold handshakes too
	H1, H2, H3                   int64 // connections that came to speak the protocol
	HandshakeErrors              int64 // of TLS and QUIC, given up handshakes among them
	Refused                      int64 // connections over a limit, or of those who are no trusted proxy
	ProxyErrors                  int64 // connections of trusted proxies without a good PROXY header
	BadRequests                  int64 // refused by the wire, before the Handler, but for slow heads
	TimedOut                     int64 // slow heads, and connections (h1) ended by a deadline, but idle ones
	Abandoned                    int64 // requests whose client left before its answer
	Panics                       int64
}

// counters are the Stats that grow. None of them is touched by an ordinary request.
type counters struct {
	h1, h2, h3      atomic.Int64
	handshakeErrors atomic.Int64
	refused         atomic.Int64
	proxyErrors     atomic.Int64
	badRequests     atomic.Int64
	timedOut        atomic.Int64
	abandoned       atomic.Int64
	panics          atomic.Int64
}

func (c *counters) snapshot() Stats {
	return Stats{
		H1: c.h1.Load(), H2: c.h2.Load(), H3: c.h3.Load(),
		HandshakeErrors: c.handshakeErrors.Load(), Refused: c.refused.Load(), ProxyErrors: c.proxyErrors.Load(),
		BadRequests: c.badRequests.Load(), TimedOut: c.timedOut.Load(), Abandoned: c.abandoned.Load(),
		Panics: c.panics.Load(),
	}
}
