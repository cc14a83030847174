package abi

// Kind is what of a request an attribute shows. The zero value is not a kind.
type Kind uint32

// The kinds of attribute. Named kinds carry the name of a header, cookie or query parameter.
const (
	KindClientIP   Kind = 1  // 16 bytes, IPv4 mapped into IPv6
	KindMethod     Kind = 2  // bytes as received
	KindScheme     Kind = 3  // bytes as received
	KindAuthority  Kind = 4  // bytes as received
	KindPath       Kind = 5  // normalised as for routing
	KindQuery      Kind = 6  // bytes as received, without the question mark
	KindHeader     Kind = 7  // named; first value
	KindCookie     Kind = 8  // named; first value
	KindQueryParam Kind = 9  // named; first value
	KindProtocol   Kind = 10 // h1, h2 or h3
	KindSNI        Kind = 11 // server name of the TLS handshake
	KindCountry    Kind = 12 // ISO 3166 code, two letters
	KindRoute      Kind = 13 // name of the route that matched
)

// kindNames is in the order of the kinds; index 0 is not a kind.
func kindNames() [14]string {
	return [...]string{
		"", "client_ip", "method", "scheme", "authority", "path", "query", "header",
		"cookie", "query_param", "protocol", "sni", "country", "route",
	}
}

// Valid reports whether k is a kind of this version.
func (k Kind) Valid() bool { return k >= KindClientIP && k <= KindRoute }

// Named reports whether an attribute of this kind carries a name.
func (k Kind) Named() bool { return k >= KindHeader && k <= KindQueryParam }

// String gives the name used in configuration and in ABI.md, or "kind(?)".
func (k Kind) String() string {
	if !k.Valid() {
		return "kind(?)"
	}
	return kindNames()[k]
}

// Form is the shape in which the host gives an attribute.
type Form uint32

// The forms of an attribute.
const (
	FormRaw  Form = 0 // the bytes of the kind's table entry
	FormHash Form = 1 // 8 bytes: SipHash-2-4 of the raw form under the pool's secret, little endian
)

// HashSize is the length in bytes of an attribute in FormHash.
const HashSize = 8

// Valid reports whether f is a form of this version.
func (f Form) Valid() bool { return f <= FormHash }
