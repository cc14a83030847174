package plugin

import "strings"

// isToken tells whether name can be the name of a field (RFC 9110, section 5.6.2).
func isToken(name []byte) bool {
	for _, c := range name {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0:
		default:
			return false
		}
	}
	return len(name) > 0
}

// isValue tells whether v can be the value of a field: no control character but the tab, so no line can end
// in it.
func isValue(v []byte) bool {
	for _, c := range v {
		if c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}

// settable tells whether a strategy may add a field of this lower-case name to a response. Fields of the
// connection and of the framing are the edge's.
func settable(name []byte) bool {
	switch string(name) {
	case "connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade",
		"content-length", "content-encoding", "content-range", "host", "http2-settings", "proxy-authenticate",
		"proxy-authorization":
		return false
	}
	return isToken(name)
}
