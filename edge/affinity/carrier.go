package affinity

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// A Carrier is what brings a client's token back.
type Carrier uint8

const (
	InCookie Carrier = iota // the cookie
	InHeader                // a field, as the response had it
	InQuery                 // a URL parameter; a field of the response tells its value
)

// ParseCarrier reads a carrier by its name in the configuration; "" = cookie.
func ParseCarrier(name string) (Carrier, error) {
	switch name {
	case "", "cookie":
		return InCookie, nil
	case "header":
		return InHeader, nil
	case "query":
		return InQuery, nil
	}
	return InCookie, fmt.Errorf("carrier %q: want cookie, header or query", name)
}

const (
	defaultHeader = "wedge-pin"
	defaultQuery  = "wedge_pin"
)

// reserved are fields that mean something else.
var reserved = []string{
	"authorization", "cache-control", "connection", "content-encoding", "content-length", "content-type",
	"cookie", "date", "expect", "forwarded", "host", "keep-alive", "location", "origin", "proxy-authorization", "range",
	"referer", "set-cookie", "te", "trailer", "transfer-encoding", "upgrade", "vary", "via", "x-request-id",
}

// carry sets what brings tokens.
func (a *Affinity) carry(o Options, pool string) error {
	a.carrier = o.Carrier
	if o.Carrier == InCookie {
		if err := o.Cookie.compile(a, pool); err != nil {
			return &OptionError{"cookie", err}
		}
		return nil
	}
	a.header = cmp.Or(o.Header, defaultHeader)
	lower := strings.ToLower(a.header)
	if strings.ContainsFunc(a.header, notToken) {
		return &OptionError{"header", fmt.Errorf("%q: want the name of a field", a.header)}
	}
	if slices.Contains(reserved, lower) || strings.HasPrefix(lower, "x-forwarded-") {
		return &OptionError{"header", fmt.Errorf("%q has a meaning of its own; want another name", a.header)}
	}
	if a.query = []byte(cmp.Or(o.Query, defaultQuery)); strings.ContainsFunc(string(a.query), notParameter) {
		return &OptionError{"query",
			fmt.Errorf("%q: want the name of a URL parameter: letters, digits, - and _", a.query)}
	}
	return nil
}

// notParameter tells what the name of a URL parameter may not have: it would be written in more than one way.
func notParameter(r rune) bool { return notToken(r) || strings.ContainsRune("!#$%&'*+^`|~", r) }

// Carrier is what brings tokens; a nil *Affinity has none to bring.
func (a *Affinity) Carrier() Carrier {
	if a == nil {
		return InCookie
	}
	return a.carrier
}

// Header is the field that tells a token, unless a cookie does.
func (a *Affinity) Header() string { return a.header }

// TakeField checks one value of the request field into t; the field is to be dropped. Of several values the
// first valid one counts.
func (a *Affinity) TakeField(t *Token, value []byte, now time.Time) {
	if !t.Valid {
		a.Check(t, value, now)
	}
}

// TakeQuery looks for the pool's parameter in a query, checks what it carries into t, and gives the query
// without it; the other parameters stay byte by byte and in order. The first valid token of several counts.
// If found is false, rest is query itself; else it is written to dst[:0] (which may be query[:0]), and kept
// tells whether any parameter is left. It allocates only if dst lacks room.
func (a *Affinity) TakeQuery(t *Token, dst, query []byte, now time.Time) (rest []byte, kept, found bool) {
	if a == nil || a.carrier != InQuery {
		return query, true, false
	}
	for start := 0; start <= len(query); {
		end := parameterEnd(query, start)
		value, own := parameter(query[start:end], a.query)
		switch {
		case own && !found:
			dst, found, kept = append(dst[:0], query[:max(start-1, 0)]...), true, start > 0
		case !own && found:
			if kept {
				dst = append(dst, '&')
			}
			dst, kept = append(dst, query[start:end]...), true
		}
		if own {
			a.TakeField(t, value, now)
		}
		start = end + 1
	}
	if !found {
		return query, true, false
	}
	return dst, kept, true
}

// parameterEnd is where the parameter from start ends.
func parameterEnd(query []byte, start int) int {
	for start < len(query) && query[start] != '&' {
		start++
	}
	return start
}

// parameter is the value of a parameter as it is written, if it has that name.
func parameter(pair, name []byte) (value []byte, ok bool) {
	if len(pair) < len(name) || string(pair[:len(name)]) != string(name) {
		return nil, false
	}
	switch {
	case len(pair) == len(name):
		return nil, true
	case pair[len(name)] == '=':
		return pair[len(name)+1:], true
	}
	return nil, false
}

// AppendToken appends the token that pins the client to the backend that answered, as AppendSetCookie does.
func (a *Affinity) AppendToken(dst []byte, t *Token, backend string, now time.Time) []byte {
	issued := now
	switch {
	case t.Valid && string(t.Backend()) == backend:
		issued = time.UnixMicro(t.issued)
	case now.UnixMicro() < t.after:
		issued = time.UnixMicro(t.after)
	}
	return a.Append(dst, backend, issued, now)
}
