package http1

import (
	"io"
	"net/netip"
	"time"
)

// Unknown is the Length of a body that ends when its Body says so.
const Unknown = -1

// A Request is one request on its way from a client to a backend. All slices alias the buffer of the
// connection it came from and are valid until the exchange ends. One goroutine uses it at a time, but for
// Body, which the sender of the body reads until it has returned an error.
type Request struct {
	Method    []byte
	Scheme    []byte // http or https
	Authority []byte // host[:port], lower case not assured
	Path      []byte // begins with a slash, or is * for OPTIONS; normalised, without the query
	Query     []byte // without the question mark
	HasQuery  bool   // tells "/a?" from "/a"

	// Fields are what the client sent, without Host and what frames the message (Connection and the fields it
	// names, Content-Length, Transfer-Encoding, Keep-Alive, Proxy-Connection, TE, Trailer, Upgrade).
	Fields Fields

	Length   int64     // of the body in bytes; 0 = none, Unknown = until Body ends
	Body     io.Reader // nil if Length is 0
	Buffered []byte    // if not nil: the whole body, already received; Body gives the same bytes
	Trailers *Fields   // nil, or filled once Body has returned io.EOF
	Upgrade  []byte    // the protocol the client asks to switch to, as sent; nil = none

	// Client is who asks, behind all proxies, with port 0 if only its address is known; Local is what the
	// connection was made to, as far as it is known. They are for backends that are told (PROXY protocol).
	Client, Local netip.AddrPort

	// Informed, if set, is called for each 1xx answer but 101, in order, before the final head.
	Informed func(status int, f Fields) error
	// Again, if set, is asked before the request is sent to its backend anew though that may have seen it: false
	// lets it fail instead. It is not asked if nothing was sent.
	Again func() bool
	// Patience, if not 0, is how long its sender waits for a connection, and for the head of the answer once the
	// request is sent, if that is less than it would by itself.
	Patience time.Duration
	// Abort, if set, is where the sender of the request leaves what ends it early.
	Abort *Abort
}

// Reset empties r for the next exchange and keeps its memory.
func (r *Request) Reset() { *r = Request{Fields: r.Fields[:0]} }

// A Response is the answer of a backend. Slices alias the connection's buffer and are valid until Close.
type Response struct {
	Status int
	// Fields are what the backend sent, without what frames the message (as in Request). A 426 keeps Upgrade,
	// which is for the client (RFC 9110 15.5.22).
	Fields   Fields
	Length   int64   // of the body; Unknown = until Body ends; that of a HEAD answer is the field's value
	Trailers *Fields // nil, or filled once Read has returned io.EOF

	// Body ends with io.EOF only when the whole body arrived; a body cut short gives another error. It is
	// never nil. Close gives the connection back if both messages ended cleanly, and else closes it.
	Body io.ReadCloser
	// Conn is the raw stream after a 101, nil otherwise. The receiver closes it.
	Conn io.ReadWriteCloser
}

// Reset empties r for the next exchange and keeps its memory.
func (r *Response) Reset() { *r = Response{Fields: r.Fields[:0]} }
