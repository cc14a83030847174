// Package listen owns the sockets that clients connect to: TCP with HTTP/1.1 (on our own wire, package http1)
// and HTTP/2 (package http2), UDP with HTTP/3 (on our own frames over quic-go's transport). Each request
// becomes a proxy.Exchange, which a Handler answers; nothing behind this package knows which protocol it
// serves. What is no request goes to Options.Refuse, which answers it as the Handler would.
//
// A Server has any number of listeners, of three kinds: ServeTCP (h1 without TLS), ServeTLS (h1 and h2 by
// ALPN) and ServeQUIC (h3). Each blocks until its listener is closed and all that it started has ended: when
// the last of them has returned, no goroutine and no connection of the Server is left. Shutdown drains them
// all.
//
// What a client can make the edge hold is bounded by Limits, which are on by default and may be replaced
// while connections are served: connections, in all and by address, handshakes in progress, bytes and number
// of fields, time to send a head, pace of bodies and answers, streams. Deadlines are set when a connection is
// accepted and only ever replaced.
//
// Where things are: gate counts connections, tcpFront accepts them, tcpConn is one of them from its handshake
// on, over a socket that keeps deadlines and paces and reads a PROXY header (proxies says whose). h1Conn
// serves HTTP/1.1 on it with h1Body, h1Reply and, after an upgrade, tunnel. h2Conn serves HTTP/2 on it: its
// frames are package http2's, what it sends is gathered in h2Out, h2Pulse sees to the time. quicFront accepts
// h3Conns over an h3Reader of frames and QPACK with the static table alone (qpackReader, appendLine). The
// requests of both are served by workers: each is an h2Stream with h2Body and h2Reply (and h2Tunnel for a
// WebSocket), or an h3Stream with h3Body and h3Reply; a sectionHead holds the fields of both to the same
// rules.
//
// One goroutine serves an h1 connection, and none is started for a request. What would cost each request a
// timer is left to a sweep over the connections: heads that take too long, clients that left while a backend
// thinks, and idle connections, which are put to rest: without buffers, request memory or a grown stack.
//
// An h1 client that closes its direction of the connection (shutdown, SHUT_WR) counts as one that left, as it
// does for nginx: if its answer has not begun within a second or so, the exchange is aborted and the
// connection reset. A tunnel may be half closed for as long as it lasts.
package listen
