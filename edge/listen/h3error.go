package listen

import "github.com/quic-go/quic-go"

// An h3Code says why a stream or a connection ends (RFC 9114 8.1, RFC 9204 6).
type h3Code uint64

const (
	h3NoError          h3Code = 0x100
	h3Internal         h3Code = 0x102
	h3StreamCreation   h3Code = 0x103
	h3ClosedCritical   h3Code = 0x104
	h3FrameUnexpected  h3Code = 0x105
	h3FrameMalformed   h3Code = 0x106
	h3ExcessiveLoad    h3Code = 0x107
	h3BadID            h3Code = 0x108
	h3BadSettings      h3Code = 0x109
	h3MissingSettings  h3Code = 0x10a
	h3RequestRejected  h3Code = 0x10b
	h3Incomplete       h3Code = 0x10d
	h3MessageMalformed h3Code = 0x10e
	qpackDecompression h3Code = 0x200
	qpackEncoderStream h3Code = 0x201
	qpackDecoderStream h3Code = 0x202
)

// An h3Error is what a client did wrong, and how far that reaches.
type h3Error struct {
	code   h3Code
	stream bool   // ends the stream; else the connection
	reason string // constant text, told to the client
}

func (e *h3Error) Error() string { return "h3: " + e.reason }

func connError(code h3Code, reason string) *h3Error { return &h3Error{code: code, reason: reason} }

// malformedH3 is how a malformed message ends its stream.
func malformedH3(m malformed) *h3Error {
	return &h3Error{code: h3MessageMalformed, stream: true, reason: string(m)}
}

var (
	errH3Truncated  = connError(h3FrameMalformed, "frame cut short by the end of its stream")
	errH3Unexpected = connError(h3FrameUnexpected, "frame has no place here")
	errH3Block      = connError(qpackDecompression, "invalid field section")
	errH3Incomplete = &h3Error{code: h3Incomplete, stream: true, reason: "stream ended before a request"}
	errH3Trailers   = &h3Error{code: h3ExcessiveLoad, stream: true, reason: "trailers too large"}
)

// stop ends both directions of a stream.
func stop(s *quic.Stream, code h3Code) {
	s.CancelRead(quic.StreamErrorCode(code))
	s.CancelWrite(quic.StreamErrorCode(code))
}

// closeFor ends a connection.
func closeFor(c *quic.Conn, e *h3Error) {
	c.CloseWithError(quic.ApplicationErrorCode(e.code), e.reason)
}
