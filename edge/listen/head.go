package listen

import (
	"net/http"

	"github.com/wedge-lb/wedge/edge/http1"
)

// A sectionHead is what the field section of a request has but fields (RFC 9113 8.3.1, RFC 9114 4.3.1).
type sectionHead struct {
	method, scheme, authority, path []byte // nil = absent
	protocol                        []byte // of an extended CONNECT (RFC 8441)
	priority                        []byte // value of the field; nil = absent
	fields                          bool   // one has been seen: there may be no more pseudo-fields
	cookies                         int
}

// malformed is why a message of HTTP/2 or 3 is none: its stream is reset.
type malformed string

func (m malformed) Error() string { return "malformed: " + string(m) }

const (
	errPseudo      = malformed("invalid pseudo-field")
	errUpperName   = malformed("upper-case field name")
	errHop         = malformed("connection-specific field")
	errBodyLength  = malformed("body is not of its declared length")
	errTrailerLine = malformed("invalid trailer field")
)

var (
	errNoConnect  = &http1.Error{Status: http.StatusMethodNotAllowed, Reason: "method CONNECT"}
	errNoScheme   = &http1.Error{Status: http.StatusBadRequest, Reason: "invalid scheme"}
	errNoProtocol = &http1.Error{Status: http.StatusNotImplemented, Reason: "unknown protocol"}
	// errSection is when a field section is larger than the client was told it may be.
	errSection = &http1.Error{Status: http.StatusRequestHeaderFieldsTooLarge, Reason: "fields too large"}
)

// take takes a line of the section; there may be most fields. An error is malformed, or errSection.
func (h *sectionHead) take(q *http1.Request, name, value []byte, most int) error {
	switch {
	case len(name) > 0 && name[0] == ':':
		return h.pseudo(name, value)
	case hasUpper(name):
		return errUpperName
	}
	return h.field(q, name, value, most)
}

func (h *sectionHead) pseudo(name, value []byte) error {
	var to *[]byte
	switch string(name) {
	case ":method":
		to = &h.method
	case ":scheme":
		to = &h.scheme
	case ":authority":
		to = &h.authority
	case ":path":
		to = &h.path
	case ":protocol":
		to = &h.protocol
	}
	if to == nil || *to != nil || h.fields || len(value) == 0 {
		return errPseudo
	}
	*to = value
	return nil
}

// field takes a field; those of one hop make a message malformed (RFC 9113 8.2.2, RFC 9114 4.2).
func (h *sectionHead) field(q *http1.Request, name, value []byte, most int) error {
	h.fields = true
	switch string(name) {
	case "connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade":
		return errHop
	case "te":
		if !http1.EqualFold(value, "trailers") {
			return errHop
		}
	case "cookie":
		h.cookies++
	case "priority":
		h.priority = value
	}
	if q.Fields.Add(name, value); len(q.Fields)-max(h.cookies-1, 0) > most {
		return errSection
	}
	return nil
}

// target puts the pseudo-fields to where they belong. connects tells whether an extended CONNECT is known.
func (h *sectionHead) target(q *http1.Request, connects bool) error {
	connect := string(h.method) == http.MethodConnect
	switch {
	case h.method == nil:
		return errPseudo
	case connect && (h.protocol == nil || !connects):
		return errNoConnect
	case h.scheme == nil || h.path == nil || h.protocol != nil && !connect:
		return errPseudo
	case !http1.EqualFold(h.scheme, "https"):
		return errNoScheme
	}
	q.Method, q.Scheme, q.Authority = h.method, schemeHTTPS, h.authority
	if connect {
		q.Method = methodGet // as which it goes to a backend of HTTP/1.1
	}
	return q.SetTarget(h.path)
}

var methodGet = []byte(http.MethodGet)

// joinCookies makes one field of cookies that came in crumbs (RFC 9113 8.2.3, RFC 9114 4.2.1). It appends to
// mem, and gives it back.
func joinCookies(f http1.Fields, mem []byte) (http1.Fields, []byte) {
	kept, first, begin := f[:0], -1, len(mem)
	for _, c := range f {
		switch {
		case string(c.Name) != "cookie":
			kept = append(kept, c)
		case first < 0:
			first, mem = len(kept), append(mem, c.Value...)
			kept = append(kept, c)
		default:
			mem = append(append(mem, "; "...), c.Value...)
		}
	}
	kept[first].Value = mem[begin:len(mem):len(mem)]
	return kept, mem
}

// takeTrailer keeps a trailer if it may be passed on.
func takeTrailer(f *http1.Fields, name, value []byte) error {
	switch {
	case len(name) > 0 && name[0] == ':':
		return errPseudo
	case hasUpper(name):
		return errUpperName
	case !http1.ValidFieldName(name) || !http1.ValidFieldValue(value):
		return errTrailerLine
	case http1.ForbiddenField(name):
		return errHop
	case http1.TrailerAllowed(name):
		f.Add(name, value)
	}
	return nil
}

func hasUpper(name []byte) bool {
	for _, c := range name {
		if 'A' <= c && c <= 'Z' {
			return true
		}
	}
	return false
}
