package proxyproto

import (
	"bytes"
	"net/netip"
	"strconv"
)

const (
	signature1 = "PROXY "
	maxLine    = 107 // with its CRLF
)

// parse1 reads the line of version 1: PROXY TCP4 source destination port port.
func parse1(data []byte) (Header, int, error) {
	end := bytes.IndexByte(data[:min(len(data), maxLine)], '\n')
	switch {
	case end < 0 && len(data) >= maxLine:
		return Header{}, 0, errLong
	case end < 0:
		return Header{}, 0, ErrIncomplete
	case data[end-1] != '\r':
		return Header{}, 0, errLine
	}
	h, err := parseLine(string(data[len(signature1) : end-1]))
	return h, end + 1, err
}

// parseLine reads what stands between the signature and the CRLF. Behind UNKNOWN anything may stand.
func parseLine(line string) (Header, error) {
	var word [5]string // family, source, destination, port, port
	n := 0
	for start, i := 0, 0; i <= len(line); i++ {
		if i < len(line) && line[i] != ' ' {
			continue
		}
		if n < len(word) {
			word[n] = line[start:i]
		}
		n, start = n+1, i+1
	}
	switch {
	case word[0] == "UNKNOWN":
		return Header{}, nil
	case word[0] != "TCP4" && word[0] != "TCP6":
		return Header{}, errFamily
	case n != len(word):
		return Header{}, errLine
	}
	source, err := parseEnd(word[0], word[1], word[3])
	if err != nil {
		return Header{}, err
	}
	destination, err := parseEnd(word[0], word[2], word[4])
	if err != nil {
		return Header{}, err
	}
	return Header{source, destination}, nil
}

func parseEnd(family, address, port string) (netip.AddrPort, error) {
	a, err := netip.ParseAddr(address)
	if err != nil || a.Zone() != "" || a.Is4() != (family == "TCP4") {
		return netip.AddrPort{}, errAddress
	}
	p, err := strconv.ParseUint(port, 10, 16)
	if err != nil || strconv.FormatUint(p, 10) != port {
		return netip.AddrPort{}, errPort
	}
	return netip.AddrPortFrom(a.Unmap(), uint16(p)), nil
}
