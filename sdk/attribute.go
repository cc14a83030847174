package sdk

import (
	"errors"
	"strconv"
	"strings"

	"github.com/wedge-lb/wedge/sdk/abi"
)

// Attribute is something a request may have. Make one with a function of its kind, declare it
// with Config.Need, and read it with the value that Need returned. The zero value is never there.
type Attribute struct {
	name string
	kind abi.Kind
	form abi.Form
	slot uint32 // 1 + slot of the host; 0 = not declared
}

// Header is the first value of a request header. Names compare without regard to case.
func Header(name string) Attribute {
	return Attribute{kind: abi.KindHeader, name: strings.ToLower(name)}
}

// Cookie is the first value of a cookie. Raw cookies need the operator's grant; hashed ones do not.
func Cookie(name string) Attribute { return Attribute{kind: abi.KindCookie, name: name} }

// QueryParam is the first value of a parameter of the query.
func QueryParam(name string) Attribute { return Attribute{kind: abi.KindQueryParam, name: name} }

// ClientIP is the client's address, 16 bytes; IPv4 is mapped into IPv6.
func ClientIP() Attribute { return Attribute{kind: abi.KindClientIP} }

// Method is the request method.
func Method() Attribute { return Attribute{kind: abi.KindMethod} }

// Scheme is http or https.
func Scheme() Attribute { return Attribute{kind: abi.KindScheme} }

// Authority is the host and port the client asked for.
func Authority() Attribute { return Attribute{kind: abi.KindAuthority} }

// Path is the path, normalised as for routing.
func Path() Attribute { return Attribute{kind: abi.KindPath} }

// Query is the whole query, without the question mark.
func Query() Attribute { return Attribute{kind: abi.KindQuery} }

// Protocol is h1, h2 or h3.
func Protocol() Attribute { return Attribute{kind: abi.KindProtocol} }

// SNI is the server name of the TLS handshake.
func SNI() Attribute { return Attribute{kind: abi.KindSNI} }

// Country is the ISO 3166 code of the client's country, if the edge has a GeoIP database.
func Country() Attribute { return Attribute{kind: abi.KindCountry} }

// RouteName is the name of the route that matched.
func RouteName() Attribute { return Attribute{kind: abi.KindRoute} }

// Hashed is the attribute as a hash of 8 bytes under the pool's secret: enough for affinity,
// the same on every edge of a fleet, and not predictable by a client.
func (a Attribute) Hashed() Attribute {
	a.form = abi.FormHash
	return a
}

// String names the attribute as in the operator's files, for example "header:x-tenant-id".
func (a Attribute) String() string {
	if a.kind.Named() {
		return a.kind.String() + ":" + a.name
	}
	return a.kind.String()
}

// ParseAttribute reads the form that options use: client_ip, method, scheme, authority, path,
// query, protocol, sni, country, route, header:NAME, cookie:NAME or query:NAME.
func ParseAttribute(text string) (Attribute, error) {
	kind, name, named := strings.Cut(text, ":")
	if named {
		return parseNamed(text, kind, name)
	}
	for k := abi.Kind(1); k.Valid(); k++ {
		if k.String() == text && !k.Named() {
			return Attribute{kind: k}, nil
		}
	}
	return Attribute{}, attributeError(text, "want client_ip, method, scheme, authority, path, query, "+
		"protocol, sni, country, route, header:NAME, cookie:NAME or query:NAME")
}

func parseNamed(text, kind, name string) (Attribute, error) {
	if !validName(name) {
		return Attribute{}, attributeError(text, "want a name of 1 to "+strconv.Itoa(abi.MaxNameLen)+
			" visible characters after the colon")
	}
	switch kind {
	case "header":
		return Header(name), nil
	case "cookie":
		return Cookie(name), nil
	case "query", abi.KindQueryParam.String():
		return QueryParam(name), nil
	}
	return Attribute{}, attributeError(text, "want header:NAME, cookie:NAME or query:NAME")
}

func validName(name string) bool {
	if name == "" || len(name) > abi.MaxNameLen {
		return false
	}
	return strings.IndexFunc(name, func(c rune) bool { return c <= ' ' || c == 0x7f }) < 0
}

func attributeError(text, want string) error { return errors.New(strconv.Quote(text) + ": " + want) }
