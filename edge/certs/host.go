package certs

import (
	"fmt"
	"net"
	"net/netip"
	"strings"

	"golang.org/x/net/idna"
)

const maxHost = 253 // octets of a DNS name in text form, RFC 1035

// canonical brings the host of a request or of a hello, with or without port, into the form the tables use:
// lower case, no port, no brackets, no root dot. It reports false for what is no host at all, so that nothing
// odd falls through to a laxer policy. It reads hosts as package route does, and does not allocate for one
// that is canonical already.
func canonical(host string) (string, bool) {
	if strings.HasPrefix(host, "[") {
		return canonicalBracketed(host)
	}
	if i := strings.IndexByte(host, ':'); i >= 0 {
		if !digits(host[i+1:]) {
			return "", false
		}
		host = host[:i]
	}
	if len(host) > 1 {
		host = strings.TrimSuffix(host, ".")
	}
	if !validName(host) {
		return "", false
	}
	return strings.ToLower(host), true
}

// canonicalBracketed takes an IPv6 address as it is written: only its shortest form names a host of a site.
func canonicalBracketed(host string) (string, bool) {
	end := strings.IndexByte(host, ']')
	if end < 0 {
		return "", false
	}
	if port := host[end+1:]; port != "" && (port[0] != ':' || !digits(port[1:])) {
		return "", false
	}
	if _, err := netip.ParseAddr(host[1:end]); err != nil {
		return "", false
	}
	return strings.ToLower(host[1:end]), true
}

func digits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
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
	if addr, err := netip.ParseAddr(strings.Trim(s, "[]")); err == nil && addr.Zone() == "" {
		return addr.String(), nil
	}
	name, wild := strings.CutPrefix(s, "*.")
	if ascii, err := idna.Lookup.ToASCII(name); err == nil {
		name = ascii
	}
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	if !validName(name) || isIP(name) {
		return "", fmt.Errorf("host %q: not a name, an address, \"*.name\" or \"*\"", s)
	}
	if wild {
		return "*." + name, nil
	}
	return name, nil
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
