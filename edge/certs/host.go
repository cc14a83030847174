package certs

import (
	"fmt"
	"net"
	"net/netip"
	"strings"

	"golang.org/x/net/idna"
)

const maxHost = 253 // octets of a DNS name in text form, RFC 1035

// canonical brings a host, with or without port, into the form the tables use: lower case, no port, no
// brackets, no root dot; addresses in their shortest form. It reports false for what is no host at all, so
// that nothing odd falls through to a laxer policy. It does not allocate for a host that is canonical already.
func canonical(host string) (string, bool) {
	if strings.HasPrefix(host, "[") {
		return canonicalBracketed(host)
	}
	if i := strings.IndexByte(host, ':'); i >= 0 {
		if !digits(host[i+1:]) {
			return canonicalAddr(host)
		}
		host = host[:i]
	}
	host = strings.TrimSuffix(host, ".")
	if !validName(host) {
		return "", false
	}
	return strings.ToLower(host), true
}

func canonicalBracketed(host string) (string, bool) {
	end := strings.IndexByte(host, ']')
	if end < 0 {
		return "", false
	}
	if port := host[end+1:]; port != "" && (port[0] != ':' || !digits(port[1:])) {
		return "", false
	}
	return canonicalAddr(host[1:end])
}

func canonicalAddr(s string) (string, bool) {
	addr, err := netip.ParseAddr(s)
	if err != nil || addr.Zone() != "" {
		return "", false
	}
	return addr.Unmap().String(), true
}

func digits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return len(s) <= 5
}

// validName holds s to letters, digits, hyphens and underscores in labels of 1 to 63 octets.
func validName(s string) bool {
	if len(s) == 0 || len(s) > maxHost {
		return false
	}
	label := 0
	for i := range len(s) {
		switch c := s[i]; {
		case c == '.':
			if label == 0 {
				return false
			}
			label = 0
			continue
		case 'a' <= c|0x20 && c|0x20 <= 'z', '0' <= c && c <= '9', c == '-', c == '_':
			label++
		default:
			return false
		}
		if label > 63 {
			return false
		}
	}
	return label > 0
}

// hostPattern brings a host of a Site or of an allow rule into canonical form. U-labels become A-labels.
func hostPattern(s string) (string, error) {
	if s == "*" {
		return s, nil
	}
	name, prefix := s, ""
	if strings.HasPrefix(s, "*.") {
		name, prefix = s[2:], "*."
	}
	if ascii, err := idna.Lookup.ToASCII(name); err == nil && prefix+ascii != "" {
		name = ascii
	}
	host, ok := canonical(name)
	if !ok || (prefix != "" && isIP(host)) || strings.Contains(name, ":") && !isIP(host) {
		return "", fmt.Errorf("host %q: not a name, an address, \"*.name\" or \"*\"", s)
	}
	return prefix + host, nil
}

// isIP tells an address from a name; host is canonical. No name consists of digits and dots alone.
func isIP(host string) bool {
	for i := range len(host) {
		switch c := host[i]; {
		case c == ':':
			return true
		case c != '.' && (c < '0' || c > '9'):
			return false
		}
	}
	return true
}

// localIP is the address a client without SNI connected to, or "".
func localIP(local net.Addr) string {
	if local == nil {
		return ""
	}
	ap, err := netip.ParseAddrPort(local.String())
	if err != nil || ap.Addr().IsUnspecified() {
		return ""
	}
	return ap.Addr().Unmap().WithZone("").String()
}
