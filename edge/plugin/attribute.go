package plugin

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/wedge-lb/wedge/edge/balance"
	"github.com/wedge-lb/wedge/sdk/abi"
)

// An Attribute is one thing of a request that a strategy declared it wants to see.
type Attribute struct {
	Kind abi.Kind
	Name string // of a header (lower case), cookie or query parameter
	Form abi.Form
}

// String gives the name that grants use, for example "header:authorization".
func (a Attribute) String() string {
	if a.Kind.Named() {
		return a.Kind.String() + ":" + a.Name
	}
	return a.Kind.String()
}

// Label is the name for operators: String, and whether the strategy sees no more than a hash.
func (a Attribute) Label() string {
	if a.Form == abi.FormHash {
		return a.String() + " (hashed)"
	}
	return a.String()
}

// newAttribute checks what a guest declares.
func newAttribute(kind, form uint32, name []byte) (Attribute, error) {
	a := Attribute{Kind: abi.Kind(kind), Form: abi.Form(form), Name: string(name)}
	switch {
	case !a.Kind.Valid():
		return a, fmt.Errorf("attribute of unknown kind %d", kind)
	case !a.Form.Valid():
		return a, fmt.Errorf("attribute %s: unknown form %d", a.Kind, form)
	case !a.Kind.Named():
		a.Name = ""
		return a, nil
	case len(name) == 0 || len(name) > abi.MaxNameLen || printable(name, len(name)) != a.Name:
		return a, fmt.Errorf("attribute %s: its name must have 1 to %d printable bytes", a.Kind, abi.MaxNameLen)
	case a.Kind == abi.KindHeader:
		if !isToken(name) {
			return a, fmt.Errorf("attribute %s: not the name of a header", a)
		}
		a.Name = strings.ToLower(a.Name)
	}
	return a, nil
}

// granted tells whether the guest may have the attribute: the hash always, and what lets its holder act for
// a client only if the operator said so. A grant of header:cookie holds for every cookie.
func (a Attribute) granted(grants []string) bool {
	if a.Form == abi.FormHash {
		return true
	}
	switch {
	case a.Kind == abi.KindCookie:
		return slices.Contains(grants, a.String()) || slices.Contains(grants, "header:cookie")
	case a.Kind == abi.KindHeader && secretHeader(a.Name):
		return slices.Contains(grants, a.String())
	}
	return true
}

func secretHeader(name string) bool {
	return name == "authorization" || name == "proxy-authorization" || name == "cookie"
}

// value is the attribute's raw form; false if the request has none. What is not bytes already is written
// into scratch, which value may grow.
func (a *Attribute) value(r *balance.Request, scratch *[]byte) ([]byte, bool) {
	switch a.Kind {
	case abi.KindClientIP:
		ip := r.ClientIP.As16()
		*scratch = append((*scratch)[:0], ip[:]...)
		return *scratch, r.ClientIP.IsValid()
	case abi.KindMethod:
		return r.Method, len(r.Method) > 0
	case abi.KindScheme:
		return r.Scheme, len(r.Scheme) > 0
	case abi.KindAuthority:
		return r.Authority, len(r.Authority) > 0
	case abi.KindPath:
		return r.Path, len(r.Path) > 0
	case abi.KindQuery:
		return r.Query, r.HasQuery
	case abi.KindHeader, abi.KindCookie, abi.KindQueryParam:
		return a.named(r)
	}
	s := text(a.Kind, r)
	*scratch = append((*scratch)[:0], s...)
	return *scratch, s != ""
}

// text is the value of the kinds that are strings.
func text(k abi.Kind, r *balance.Request) string {
	switch k {
	case abi.KindProtocol:
		return r.Protocol
	case abi.KindSNI:
		return r.SNI
	case abi.KindCountry:
		return r.Located()
	}
	return r.Route
}

// named is the value of the kinds that have a name.
func (a *Attribute) named(r *balance.Request) ([]byte, bool) {
	if a.Kind == abi.KindQueryParam {
		return queryParam(r.Query, a.Name)
	}
	if r.Header == nil {
		return nil, false
	}
	if a.Kind == abi.KindHeader {
		return r.Header.Get(a.Name)
	}
	return cookieOf(r.Header, a.Name)
}

// cookieOf is the first value of a cookie's name over all Cookie fields: clients of HTTP/2 and HTTP/3 may
// send a field for each cookie.
func cookieOf(h balance.Header, name string) ([]byte, bool) {
	repeated, ok := h.(balance.RepeatedHeader)
	if !ok {
		line, _ := h.Get("cookie")
		return cookie(line, name)
	}
	for line, next := repeated.Next("cookie", 0); next > 0; line, next = repeated.Next("cookie", next) {
		if value, ok := cookie(line, name); ok {
			return value, true
		}
	}
	return nil, false
}

// cookie is the first value of a name in a Cookie field, as received.
func cookie(line []byte, name string) ([]byte, bool) {
	for len(line) > 0 {
		var pair []byte
		pair, line, _ = bytes.Cut(line, []byte{';'})
		pair = bytes.Trim(pair, " \t")
		if len(pair) > len(name) && pair[len(name)] == '=' && string(pair[:len(name)]) == name {
			return pair[len(name)+1:], true
		}
	}
	return nil, false
}

// queryParam is the first value of a name in a query, as received: nothing is decoded.
func queryParam(query []byte, name string) ([]byte, bool) {
	for len(query) > 0 {
		var pair []byte
		pair, query, _ = bytes.Cut(query, []byte{'&'})
		key, value, _ := bytes.Cut(pair, []byte{'='})
		if string(key) == name {
			return value, true
		}
	}
	return nil, false
}
