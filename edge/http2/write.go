package http2

import "encoding/binary"

// AppendHeader appends the header of a frame.
func AppendHeader(b []byte, h Header) []byte {
	b = append(b, byte(h.Length>>16), byte(h.Length>>8), byte(h.Length), byte(h.Kind), h.Flags)
	return binary.BigEndian.AppendUint32(b, h.Stream)
}

// AppendSettings appends settings, each with its value.
func AppendSettings(b []byte, s ...[2]uint32) []byte {
	b = AppendHeader(b, Header{Length: 6 * len(s), Kind: Settings})
	for _, one := range s {
		b = binary.BigEndian.AppendUint16(b, uint16(one[0]))
		b = binary.BigEndian.AppendUint32(b, one[1])
	}
	return b
}

// AppendSettingsAck appends the acknowledgement of settings.
func AppendSettingsAck(b []byte) []byte {
	return AppendHeader(b, Header{Kind: Settings, Flags: FlagAck})
}

// AppendPing appends a ping, or the answer to one.
func AppendPing(b, data []byte, ack bool) []byte {
	h := Header{Length: 8, Kind: Ping}
	if ack {
		h.Flags = FlagAck
	}
	return append(AppendHeader(b, h), data[:8]...)
}

// AppendReset appends a RST_STREAM.
func AppendReset(b []byte, stream uint32, code Code) []byte {
	b = AppendHeader(b, Header{Length: 4, Kind: Reset, Stream: stream})
	return binary.BigEndian.AppendUint32(b, uint32(code))
}

// AppendGoAway appends a GOAWAY; streams beyond last are not served.
func AppendGoAway(b []byte, last uint32, code Code, reason string) []byte {
	b = AppendHeader(b, Header{Length: 8 + len(reason), Kind: GoAway})
	b = binary.BigEndian.AppendUint32(b, last)
	b = binary.BigEndian.AppendUint32(b, uint32(code))
	return append(b, reason...)
}

// AppendWindowUpdate appends one; stream 0 is the connection's.
func AppendWindowUpdate(b []byte, stream uint32, n int32) []byte {
	b = AppendHeader(b, Header{Length: 4, Kind: WindowUpdate, Stream: stream})
	return binary.BigEndian.AppendUint32(b, uint32(n))
}

// AppendHeaders appends a field block as Headers and as many Continuation frames as it needs. first is the
// connection's first block: it says that we keep no dynamic table, whatever the client would allow (RFC 7541
// 4.2).
func AppendHeaders(b []byte, stream uint32, block []byte, end, first bool) []byte {
	h := Header{Kind: Headers, Stream: stream}
	if end {
		h.Flags = FlagEndStream
	}
	extra := 0
	if first {
		extra = 1
	}
	n := min(len(block), MaxPayload-extra)
	for {
		if h.Length = n + extra; n == len(block) {
			h.Flags |= FlagEndHeaders
		}
		b = AppendHeader(b, h)
		if extra > 0 {
			b = append(b, 0x20)
		}
		b = append(b, block[:n]...)
		if block = block[n:]; len(block) == 0 {
			return b
		}
		h.Kind, h.Flags, extra = Continuation, 0, 0
		n = min(len(block), MaxPayload)
	}
}
