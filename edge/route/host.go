package route

import (
	"bytes"
	"errors"
	"net/netip"
	"strings"
)

// maxHost is the most bytes of a host without its port (RFC 1035, section 2.3.4).
const maxHost = 255

type hostKind uint8

const (
	exactHost hostKind = iota
	wildcardHost
	anyHost
)

// parseHost reads a configured host into the form that canonical gives a request's.
func parseHost(s string) (hostKind, string, error) {
	if s == "*" {
		return anyHost, "", nil
	}
	if a, err := netip.ParseAddr(strings.Trim(s, "[]")); err == nil {
		return exactHost, addressHost(a), nil
	}
	kind := exactHost
	rest, wild := strings.CutPrefix(s, "*.")
	if wild {
		kind = wildcardHost
	}
	if strings.Contains(rest, "*") {
		return 0, "", errors.New("a * stands alone or for the whole first label, as in *.example.com")
	}
	if strings.ContainsAny(rest, ":/[]") {
		return 0, "", errors.New("write the name alone, without scheme, port or path")
	}
	name, err := parseName(rest)
	return kind, name, err
}

func addressHost(a netip.Addr) string {
	if a.Is6() {
		return "[" + a.String() + "]"
	}
	return a.String()
}

func parseName(s string) (string, error) {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return "", errors.New("write an international name in its ASCII form, as xn--NAME")
		}
	}
	var buf [maxHost]byte
	n, ok := canonical(&buf, []byte(s))
	name := string(buf[:n])
	if !ok || n == 0 || name[0] == '.' || strings.HasSuffix(name, ".") || strings.Contains(name, "..") {
		return "", errors.New("not a host name")
	}
	return name, nil
}

// canonical writes host into buf in lower case without its port and one trailing dot. It is false for what is
// no name and no address; an empty host is one (HTTP/1.0 without Host).
func canonical(buf *[maxHost]byte, host []byte) (int, bool) {
	if len(host) > 0 && host[0] == '[' {
		return canonicalAddress(buf, host)
	}
	host, ok := cutPort(host, bytes.IndexByte(host, ':'))
	if !ok || len(host) > maxHost {
		return 0, false
	}
	n := len(host)
	if n > 1 && host[n-1] == '.' {
		n--
	}
	for i, c := range host[:n] {
		if c = hostByte[c]; c == 0 {
			return 0, false
		}
		buf[i] = c
	}
	return n, true
}

// canonicalAddress is canonical for an IPv6 address in brackets.
func canonicalAddress(buf *[maxHost]byte, host []byte) (int, bool) {
	end := bytes.IndexByte(host, ']') + 1
	if end < 4 || end > maxHost {
		return 0, false
	}
	colon := -1
	if end < len(host) {
		if colon = end; host[end] != ':' {
			return 0, false
		}
	}
	host, ok := cutPort(host, colon)
	for i, c := range host {
		if i > 0 && i < end-1 && c != ':' && hostByte[c] == 0 {
			return 0, false
		}
		if buf[i] = c; hostByte[c] != 0 {
			buf[i] = hostByte[c]
		}
	}
	return end, ok
}

// cutPort cuts host at the colon (-1 = none); what follows it must be digits, or nothing (RFC 3986, 3.2.3).
func cutPort(host []byte, colon int) ([]byte, bool) {
	if colon < 0 {
		return host, true
	}
	for _, c := range host[colon+1:] {
		if c < '0' || c > '9' {
			return nil, false
		}
	}
	return host[:colon], true
}

// afterLabel is what follows the first label and its dot, nil if there is none.
func afterLabel(name []byte) []byte {
	if dot := bytes.IndexByte(name, '.'); dot > 0 {
		return name[dot+1:]
	}
	return nil
}

// hostByte is the lower-case form of each byte that a name or an IPv4 address may have, 0 for the others.
var hostByte = func() (t [256]byte) {
	for c := range 256 {
		switch b := byte(c); {
		case 'a' <= b && b <= 'z', '0' <= b && b <= '9', b == '-', b == '.', b == '_':
			t[c] = b
		case 'A' <= b && b <= 'Z':
			t[c] = b | 0x20
		}
	}
	return t
}()
