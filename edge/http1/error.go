package http1

import "errors"

// ErrIncomplete is when the bytes are a good beginning and more are needed.
var ErrIncomplete = errors.New("http1: head incomplete")

// An Error is why a message is not taken. What a client sends wrong is answered with Status, and the
// connection closed; what a backend sends wrong is a bad gateway whatever Status says.
type Error struct {
	Status int
	Reason string // constant text, for logs
}

func (e *Error) Error() string { return "http1: " + e.Reason }

func bad(reason string) *Error { return &Error{400, reason} }

var (
	errMethod       = bad("invalid method")
	errTarget       = bad("invalid request target")
	errPath         = bad("invalid path")
	errDots         = bad("dot segment in the path")
	errEscape       = bad("invalid percent-encoding in the path")
	errQuery        = bad("invalid query")
	errLine         = bad("invalid start line")
	errStatus       = bad("invalid status code")
	errBareCR       = bad("CR without LF")
	errBareLF       = bad("LF without CR")
	errControl      = bad("control byte in a field")
	errFold         = bad("folded field line")
	errColonSpace   = bad("white space before the colon")
	errName         = bad("invalid field name")
	errAlias        = bad("underscore alias of a reserved field")
	errValue        = bad("invalid field value")
	errHost         = bad("invalid host")
	errHostMissing  = bad("no host")
	errHostTwice    = bad("more than one host")
	errHostDiffers  = bad("host differs from the target")
	errScheme       = bad("invalid scheme")
	errConnection   = bad("invalid connection field")
	errLength       = bad("invalid content length")
	errLengthTwice  = bad("more than one content length")
	errLengthCoding = bad("content length and transfer coding")
	errCoding       = bad("invalid transfer coding")
	errCodingOld    = bad("transfer coding in HTTP/1.0")
	errUpgrade      = bad("101 without an upgrade")
	errUpgradeBody  = bad("upgrade with a body")
	errHopField     = bad("connection-specific field")
	errChunkSize    = bad("invalid chunk size")
	errChunkExt     = bad("invalid chunk extension")
	errChunkEnd     = bad("chunk data without its end")
	errTrailers     = &Error{431, "trailers too large"}

	errNoConnect     = &Error{405, "method CONNECT"}
	errNoTrace       = &Error{405, "method TRACE"}
	errLineTooLong   = &Error{414, "request line too long"}
	errExpect        = &Error{417, "unknown expectation"}
	errHeadTooLarge  = &Error{431, "head too large"}
	errTooManyFields = &Error{431, "too many fields"}
	errCodingUnknown = &Error{501, "transfer coding not known"}
	errVersion       = &Error{505, "HTTP version not known"}
)
