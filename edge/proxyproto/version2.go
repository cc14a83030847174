package proxyproto

import (
	"encoding/binary"
	"net/netip"
)

const (
	signature2 = "\r\n\r\n\x00\r\nQUIT\n"
	fixed      = len(signature2) + 4 // version and command, family, length

	local, proxied = 0x20, 0x21 // version 2 and the command
	stream4        = 0x11
	stream6        = 0x21
)

// addresses is how long the addresses of each family are. Those of families that are no TCP are of no use.
var addresses = map[byte]int{
	0x00: 0, stream4: 12, 0x12: 12, stream6: 36, 0x22: 36, 0x31: 216, 0x32: 216,
}

// parse2 reads the binary header of version 2. TLVs must fit and are skipped; what a LOCAL header or one of
// no family holds is not looked at.
func parse2(data []byte) (Header, int, error) {
	if len(data) < fixed {
		return Header{}, 0, ErrIncomplete
	}
	command, family := data[12], data[13]
	if command != local && command != proxied {
		return Header{}, 0, errVersion
	}
	size, known := addresses[family]
	if !known {
		return Header{}, 0, errFamily
	}
	length := fixed + int(binary.BigEndian.Uint16(data[14:]))
	switch {
	case length > MaxLen:
		return Header{}, 0, errLength
	case command == proxied && length-fixed < size:
		return Header{}, 0, errShort
	case len(data) < length:
		return Header{}, 0, ErrIncomplete
	case command == local || family == 0:
		return Header{}, length, nil
	}
	body := data[fixed:length]
	if !fits(body[size:]) {
		return Header{}, 0, errTLV
	}
	return ends(family, body), length, nil
}

// ends is the header with the addresses of a TCP family.
func ends(family byte, body []byte) Header {
	size := 4
	switch family {
	case stream4:
	case stream6:
		size = 16
	default:
		return Header{}
	}
	source, _ := netip.AddrFromSlice(body[:size])
	destination, _ := netip.AddrFromSlice(body[size : 2*size])
	ports := body[2*size:]
	return Header{
		netip.AddrPortFrom(source.Unmap(), binary.BigEndian.Uint16(ports)),
		netip.AddrPortFrom(destination.Unmap(), binary.BigEndian.Uint16(ports[2:])),
	}
}

// fits tells whether a vector of type, length and value ends where it should.
func fits(vector []byte) bool {
	const head = 3
	for len(vector) > 0 {
		if len(vector) < head {
			return false
		}
		next := head + int(binary.BigEndian.Uint16(vector[1:]))
		if next > len(vector) {
			return false
		}
		vector = vector[next:]
	}
	return true
}

// Append appends h in the form of version 2. Ends of two families are told as IPv6. The zero Header is LOCAL.
func Append(dst []byte, h Header) []byte {
	dst = append(dst, signature2...)
	source, destination := h.Source.Addr(), h.Destination.Addr()
	switch {
	case !source.IsValid() || !destination.IsValid():
		return append(dst, local, 0, 0, 0)
	case source.Is4() && destination.Is4():
		dst = append(dst, proxied, stream4, 0, 12)
		dst = append(dst, source.AsSlice()...)
		dst = append(dst, destination.AsSlice()...)
	default:
		from, to := source.As16(), destination.As16()
		dst = append(dst, proxied, stream6, 0, 36)
		dst = append(append(dst, from[:]...), to[:]...)
	}
	dst = binary.BigEndian.AppendUint16(dst, h.Source.Port())
	return binary.BigEndian.AppendUint16(dst, h.Destination.Port())
}
