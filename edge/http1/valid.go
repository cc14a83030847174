package http1

import (
	"bytes"
	"net/netip"
)

// ValidMethod tells whether m is a token of a sensible length.
func ValidMethod(m []byte) bool { return len(m) > 0 && len(m) <= 64 && all(m, isToken) }

// ValidFieldName tells whether n is a token.
func ValidFieldName(n []byte) bool { return len(n) > 0 && all(n, isToken) }

// ValidFieldValue tells whether v has no control byte but HTAB and no white space around it (RFC 9110 5.5).
func ValidFieldValue(v []byte) bool {
	if len(trim(v)) != len(v) {
		return false
	}
	i := valueEnd(v, 0)
	for i < len(v) && v[i] == '\t' {
		i = valueEnd(v, i+1)
	}
	return i == len(v)
}

// ValidAuthority tells whether a is a host name or an IP address (IPv6 in brackets) with an optional port. It
// is narrower than RFC 3986's grammar: no user, no escapes, no sub-delimiters, no empty label or port.
func ValidAuthority(a []byte) bool {
	if len(a) == 0 || len(a) > 262 {
		return false
	}
	if a[0] == '[' {
		return validLiteral(a)
	}
	host, port, found := bytes.Cut(a, []byte{':'})
	if found && !validPort(port) {
		return false
	}
	return len(host) > 0 && len(host) <= 255 && host[0] != '.' && all(host, isHost) &&
		!bytes.Contains(host, []byte(".."))
}

func validLiteral(a []byte) bool {
	end := bytes.IndexByte(a, ']')
	if end < 0 {
		return false
	}
	if rest := a[end+1:]; len(rest) > 0 && (rest[0] != ':' || !validPort(rest[1:])) {
		return false
	}
	ip, err := netip.ParseAddr(string(a[1:end]))
	return err == nil && ip.Is6() && ip.Zone() == ""
}

func validPort(p []byte) bool {
	n, ok := parseDecimal(p)
	return ok && n <= 65535 && len(p) <= 5
}

// parseDecimal reads 1*DIGIT; false if it is not, or too large for an int64.
func parseDecimal(b []byte) (int64, bool) {
	if len(b) == 0 {
		return 0, false
	}
	var n int64
	for _, c := range b {
		d := int64(c) - '0'
		if d < 0 || d > 9 || n > (1<<63-1-d)/10 {
			return 0, false
		}
		n = n*10 + d
	}
	return n, true
}

// SameAuthority tells whether two authorities name the same host and port, where the scheme's own port may be
// left out.
func SameAuthority(scheme, a, b []byte) bool {
	return equalFoldBytes(withoutPort(scheme, a), withoutPort(scheme, b))
}

func withoutPort(scheme, a []byte) []byte {
	if EqualFold(scheme, "https") {
		return bytes.TrimSuffix(a, []byte(":443"))
	}
	return bytes.TrimSuffix(a, []byte(":80"))
}

func equalFoldBytes(a, b []byte) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if lower(a[i]) != lower(b[i]) {
			return false
		}
	}
	return true
}
