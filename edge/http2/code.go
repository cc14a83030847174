package http2

// A Code says why a stream or a connection ends (RFC 9113 7).
type Code uint32

// The codes.
const (
	NoError Code = iota
	ProtocolError
	InternalError
	FlowControlError
	SettingsTimeout
	StreamClosed
	FrameSizeError
	RefusedStream
	Cancel
	CompressionError
	ConnectError
	EnhanceYourCalm
)

// An Error is what a client did wrong, and how far that reaches.
type Error struct {
	Code   Code
	Stream bool   // ends the stream; else the connection
	Reason string // constant text, told to the client
}

func (e *Error) Error() string { return "h2: " + e.Reason }

func connError(code Code, reason string) *Error { return &Error{Code: code, Reason: reason} }

func streamError(code Code, reason string) *Error {
	return &Error{Code: code, Stream: true, Reason: reason}
}

var (
	errTooLarge     = connError(FrameSizeError, "frame too large")
	errSize         = connError(FrameSizeError, "frame of a size that its type does not have")
	errStreamZero   = connError(ProtocolError, "frame needs a stream")
	errStreamGiven  = connError(ProtocolError, "frame is of no stream")
	errPush         = connError(ProtocolError, "push from a client")
	errPadding      = connError(ProtocolError, "more padding than frame")
	errInterleaved  = connError(ProtocolError, "frame within a field block")
	errContinuation = connError(ProtocolError, "continuation of nothing")
	errIdle         = connError(ProtocolError, "frame of an idle stream")
	errStreamID     = connError(ProtocolError, "invalid stream identifier")
	errClosed       = connError(StreamClosed, "fields of a closed stream")
	errEnded        = streamError(StreamClosed, "frame behind the end of its stream")
	errTrailersEnd  = streamError(ProtocolError, "trailers that do not end their stream")
	errRefused      = streamError(RefusedStream, "too many streams")
	errItself       = streamError(ProtocolError, "stream depends on itself")
	errItselfAlone  = connError(ProtocolError, "stream depends on itself")
	errIncrement    = connError(ProtocolError, "window update of 0")
	errIncrementOf  = streamError(ProtocolError, "window update of 0")
	errWindow       = connError(FlowControlError, "window too large")
	errWindowOf     = streamError(FlowControlError, "window too large")
	errSetting      = connError(ProtocolError, "invalid setting")
	errSettingFlow  = connError(FlowControlError, "invalid initial window")
	errBlock        = connError(CompressionError, "invalid field block")
	errBlockLarge   = connError(EnhanceYourCalm, "field block too large")
	errFlood        = connError(EnhanceYourCalm, "too many frames of no use")
	errResets       = connError(EnhanceYourCalm, "too many streams reset")
)
