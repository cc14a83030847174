package proxyproto

import (
	"errors"
	"net/netip"
)

// MaxLen is the length of the longest header that Parse takes. The protocol asks senders to keep to it, so
// that a header comes in one piece.
const MaxLen = 536

// A Header is what a proxy says of the connection that it hands on. The zero Header is LOCAL or UNKNOWN: the
// connection is the proxy's own, or of a kind without addresses, and its peer's address counts.
type Header struct {
	Source, Destination netip.AddrPort // an IPv4 address is never in its IPv6 form
}

// ErrIncomplete is when the bytes are a good beginning of a header and more are needed.
var ErrIncomplete = errors.New("proxyproto: header incomplete")

// ErrNone is when the bytes begin with something else.
var ErrNone = errors.New("proxyproto: no header")

// An Error is why a header is not taken. What follows it cannot be told from it, so the connection is lost.
type Error struct {
	Reason string // constant text, for logs
}

func (e *Error) Error() string { return "proxyproto: " + e.Reason }

var (
	errLine    = &Error{"invalid line"}
	errLong    = &Error{"line too long"}
	errFamily  = &Error{"unknown family"}
	errAddress = &Error{"invalid address"}
	errPort    = &Error{"invalid port"}
	errVersion = &Error{"unknown version or command"}
	errLength  = &Error{"header too long"}
	errShort   = &Error{"header shorter than its addresses"}
	errTLV     = &Error{"TLV beyond the end"}
)

// Parse reads the header that data begins with and gives its length. The error is ErrIncomplete, ErrNone or
// an *Error. It keeps nothing of data.
func Parse(data []byte) (h Header, length int, err error) {
	for _, v := range [...]struct {
		signature string
		parse     func([]byte) (Header, int, error)
	}{{signature1, parse1}, {signature2, parse2}} {
		n := min(len(data), len(v.signature))
		switch {
		case string(data[:n]) != v.signature[:n]:
		case n < len(v.signature):
			return Header{}, 0, ErrIncomplete
		default:
			return v.parse(data)
		}
	}
	return Header{}, 0, ErrNone
}
