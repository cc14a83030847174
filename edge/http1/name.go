package http1

// A nameKind is what a field's name means to the wire.
type nameKind uint8

const (
	plain nameKind = iota
	nameHost
	nameLength
	nameCoding
	nameConnection
	nameUpgrade
	nameExpect
	nameTE
	nameDropped // hop-by-hop, or never passed on
)

// kindOf classes a valid field name.
func kindOf(name []byte) nameKind {
	switch len(name) {
	case 2:
		return kindIf(name, "te", nameTE)
	case 4:
		return kindIf(name, "host", nameHost)
	case 5:
		return kindIf(name, "proxy", nameDropped) // "httpoxy": CGI takes it for the variable HTTP_PROXY
	case 6:
		return kindIf(name, "expect", nameExpect)
	case 7:
		return kindIf(name, "upgrade", nameUpgrade) | kindIf(name, "trailer", nameDropped)
	case 10:
		return kindIf(name, "connection", nameConnection) | kindIf(name, "keep-alive", nameDropped)
	case 14:
		return kindIf(name, "content-length", nameLength) | kindIf(name, "http2-settings", nameDropped)
	case 16:
		return kindIf(name, "proxy-connection", nameDropped)
	case 17:
		return kindIf(name, "transfer-encoding", nameCoding)
	}
	return plain
}

func kindIf(name []byte, want string, k nameKind) nameKind {
	if lower(name[0]) == want[0] && EqualFold(name, want) {
		return k
	}
	return plain
}

// reserved are names that say who the client is, what it may do or how the content is read, beside those that
// begin with x-forwarded-.
var reserved = []string{
	"forwarded", "via", "x-real-ip", "x-client-ip", "true-client-ip", "cf-connecting-ip", "x-request-id",
	"x-original-url", "x-rewrite-url", "x-http-method-override",
	"authorization", "proxy-authorization", "cookie", "content-type", "content-encoding",
}

const forwardedPrefix = "x-forwarded-"

// isReserved tells whether name, with a hyphen for each underscore, frames, routes or is reserved: gateways in
// the manner of CGI (RFC 3875 4.1.18) take both spellings for the same field.
func isReserved(name []byte) bool {
	var mem [32]byte
	if len(name) > len(mem) {
		return hasPrefixDashed(name)
	}
	dashed := mem[:len(name)]
	for i, c := range name {
		if c == '_' {
			c = '-'
		}
		dashed[i] = c
	}
	if kindOf(dashed) != plain || hasPrefixDashed(dashed) {
		return true
	}
	for _, f := range reserved {
		if EqualFold(dashed, f) {
			return true
		}
	}
	return false
}

func hasPrefixDashed(name []byte) bool {
	if len(name) < len(forwardedPrefix) {
		return false
	}
	for i := range len(forwardedPrefix) {
		c := lower(name[i])
		if c == '_' {
			c = '-'
		}
		if c != forwardedPrefix[i] {
			return false
		}
	}
	return true
}

// notTrailers are plain names that must not be merged from a trailer section (RFC 9110 6.5.1), beside those
// that isReserved covers.
var notTrailers = []string{
	"set-cookie", "www-authenticate", "proxy-authenticate", "content-range", "cache-control", "max-forwards",
	"range", "if-match", "if-none-match", "if-modified-since", "if-unmodified-since", "if-range", "age", "date",
	"expires", "location", "retry-after", "vary", "pragma", "authentication-info",
	"proxy-authentication-info", "accept", "accept-encoding", "accept-language", "accept-charset", "referer",
	"user-agent", "origin", "status", "traceparent", "tracestate",
}

// TrailerAllowed tells whether a trailer field of that name may be passed on: it neither frames, routes,
// authenticates nor changes how the message is read. The name must be valid.
func TrailerAllowed(name []byte) bool {
	if len(name) == 0 || name[0] == ':' || isReserved(name) {
		return false
	}
	for _, f := range notTrailers {
		if EqualFold(name, f) {
			return false
		}
	}
	return true
}
