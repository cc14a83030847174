package http2

import "encoding/binary"

// A Kind is the type of a frame. There are others, which are ignored.
type Kind uint8

// The types (RFC 9113 6, RFC 9218 7.1).
const (
	Data           Kind = 0x0
	Headers        Kind = 0x1
	Priority       Kind = 0x2
	Reset          Kind = 0x3
	Settings       Kind = 0x4
	PushPromise    Kind = 0x5
	Ping           Kind = 0x6
	GoAway         Kind = 0x7
	WindowUpdate   Kind = 0x8
	Continuation   Kind = 0x9
	PriorityUpdate Kind = 0x10
)

// The flags.
const (
	FlagEndStream  = 0x1
	FlagAck        = 0x1
	FlagEndHeaders = 0x4
	FlagPadded     = 0x8
	FlagPriority   = 0x20
)

const (
	// Preface is what a client says first.
	Preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
	// HeaderSize is the size of a frame's header.
	HeaderSize = 9
	// MaxPayload is the most that we take in a frame, and every client does.
	MaxPayload = 16 << 10

	streamMask = 1<<31 - 1
)

// A Header is that of a frame.
type Header struct {
	Length int
	Kind   Kind
	Flags  uint8
	Stream uint32
}

// parseHeader reads the first HeaderSize bytes of b.
func parseHeader(b []byte) Header {
	return Header{
		Length: int(b[0])<<16 | int(b[1])<<8 | int(b[2]), Kind: Kind(b[3]), Flags: b[4],
		Stream: binary.BigEndian.Uint32(b[5:]) & streamMask,
	}
}

// Has tells whether a flag is set.
func (h Header) Has(flag uint8) bool { return h.Flags&flag != 0 }

// Check holds a frame to the length, and to the kind of stream, that its type demands. A Priority of another
// length ends the connection too: its stream may be one that cannot be reset.
func (h Header) Check() *Error {
	switch h.Kind {
	case Data, Headers, Continuation:
		return onStream(h, true)
	case Priority:
		return onStream(h, h.Length == 5)
	case Reset:
		return onStream(h, h.Length == 4)
	case PushPromise:
		return errPush
	case WindowUpdate:
		return sized(h.Length == 4)
	case Settings:
		return offStream(h, h.Length%6 == 0 && !(h.Has(FlagAck) && h.Length > 0))
	case Ping:
		return offStream(h, h.Length == 8)
	case GoAway:
		return offStream(h, h.Length >= 8)
	case PriorityUpdate:
		return offStream(h, h.Length >= 4)
	}
	return nil
}

func onStream(h Header, fits bool) *Error {
	if h.Stream == 0 {
		return errStreamZero
	}
	return sized(fits)
}

func offStream(h Header, fits bool) *Error {
	if h.Stream != 0 {
		return errStreamGiven
	}
	return sized(fits)
}

func sized(fits bool) *Error {
	if !fits {
		return errSize
	}
	return nil
}

// Unpad takes the padding off the payload of a Data or Headers frame (RFC 9113 6.1).
func Unpad(h Header, payload []byte) ([]byte, *Error) {
	if !h.Has(FlagPadded) {
		return payload, nil
	}
	if len(payload) == 0 || int(payload[0]) >= len(payload) {
		return nil, errPadding
	}
	return payload[1 : len(payload)-int(payload[0])], nil
}

// Fragment is the part of a field block that a Headers frame holds. A stream that depends on itself is an
// error of the stream, whose block must be decoded all the same.
func Fragment(h Header, payload []byte) ([]byte, *Error) {
	b, err := Unpad(h, payload)
	if err != nil || !h.Has(FlagPriority) {
		return b, err
	}
	if len(b) < 5 {
		return nil, errSize
	}
	if binary.BigEndian.Uint32(b)&streamMask == h.Stream {
		err = errItself
	}
	return b[5:], err
}

// CheckPriority refuses a Priority frame by which a stream depends on itself (RFC 7540 5.3.1): it has no
// other effect.
func CheckPriority(h Header, payload []byte) *Error {
	if binary.BigEndian.Uint32(payload)&streamMask == h.Stream {
		return errItselfAlone
	}
	return nil
}

// Increment is that of a WindowUpdate.
func Increment(h Header, payload []byte) (int32, *Error) {
	n := int32(binary.BigEndian.Uint32(payload) & streamMask)
	switch {
	case n > 0:
		return n, nil
	case h.Stream == 0:
		return 0, errIncrement
	}
	return 0, errIncrementOf
}

// Prioritized is the stream of a PriorityUpdate, and its field value.
func Prioritized(payload []byte) (stream uint32, value []byte, err *Error) {
	stream = binary.BigEndian.Uint32(payload) & streamMask
	if stream == 0 {
		return 0, nil, errStreamID
	}
	return stream, payload[4:], nil
}
