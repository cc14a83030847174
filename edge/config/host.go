package config

import (
	"fmt"
	"net/netip"
	"strings"
)

const maxHost = 253 // bytes of a name, RFC 1035

// hostFault says why s is no host of a site; "" = it is one.
func hostFault(s string) string {
	name := strings.TrimPrefix(s, "*.")
	a, err := netip.ParseAddr(strings.Trim(name, "[]"))
	switch {
	case s == "*":
		return ""
	case err == nil && (name != s || a.Zone() != "" || a.Is4In6()):
		return "not an address that clients could ask for"
	case err == nil:
		return canonicalFault(s, a.String())
	case strings.ContainsAny(name, "/:@"):
		return "want a host alone, without scheme, port or path"
	case strings.Contains(name, "*"):
		return "a * stands alone, or for the whole first label as in *.example.com"
	case strings.ContainsFunc(name, func(r rune) bool { return r >= 0x80 }):
		return "write an international name in its ASCII form, xn--..."
	case !isName(strings.TrimSuffix(name, ".")):
		return "not a host name"
	}
	return canonicalFault(s, strings.ToLower(strings.TrimSuffix(s, ".")))
}

func canonicalFault(s, canonical string) string {
	if s == canonical {
		return ""
	}
	return fmt.Sprintf("not the canonical form; did you mean %q?", canonical)
}

// isName holds s to labels of letters, digits, hyphens and underscores.
func isName(s string) bool {
	for label := range strings.SplitSeq(s, ".") {
		if len(label) == 0 || len(label) > 63 || strings.ContainsFunc(label, notInLabel) {
			return false
		}
	}
	return len(s) <= maxHost
}

func notInLabel(r rune) bool {
	return r != '-' && r != '_' && !('0' <= r && r <= '9') && !('a' <= r|0x20 && r|0x20 <= 'z')
}

// reserved are the ends of names that no public CA issues for (RFC 6761, RFC 6762,
// RFC 8375 and ICANN's reservation of internal).
var reserved = []string{".localhost", ".local", ".internal", ".test", ".example", ".invalid", ".home.arpa"}

// isPublic reports whether a public CA could issue for host, which is no pattern.
func isPublic(host string) bool {
	if _, err := netip.ParseAddr(host); err == nil || !strings.Contains(host, ".") {
		return false
	}
	for _, end := range reserved {
		if strings.HasSuffix(host, end) {
			return false
		}
	}
	return true
}
