package listen

import (
	"net/http"

	"github.com/wedge-lb/wedge/edge/http1"
)

// An h3Head is what a field section has but fields.
type h3Head struct {
	method, scheme, authority, path []byte // nil = absent
	protocol                        []byte // of an extended CONNECT
	fields                          bool   // one has been seen: there may be no more pseudo-fields
	preferred                       bool   // it told a priority
	cookies                         int
}

var errNoScheme = &http1.Error{Status: http.StatusBadRequest, Reason: "invalid scheme"}

// readFields makes the exchange's request of a field section, but for what Check does.
func (st *h3Stream) readFields(section []byte) error {
	q, h := &st.x.Request, &st.names
	*h = h3Head{}
	if err := st.head.begin(section, st.limits.HeaderBytes); err != nil {
		return err
	}
	for st.head.more() {
		name, value, err := st.head.next()
		switch {
		case err != nil:
		case len(name) > 0 && name[0] == ':':
			err = h.pseudo(name, value)
		case hasUpper(name):
			err = errH3Name
		default:
			err = st.field(name, value)
		}
		if err != nil {
			return err
		}
	}
	if h.cookies > 1 {
		q.Fields = joinCookies(q.Fields)
	}
	if st.c.aware.Load() && !h.preferred {
		st.str.SetPriority(defaultUrgency, false)
	}
	return st.target()
}

// pseudo takes a pseudo-field (RFC 9114 4.3.1).
func (h *h3Head) pseudo(name, value []byte) error {
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
		return errH3Pseudo
	}
	*to = value
	return nil
}

// field takes a field; those of one hop make a message malformed (RFC 9114 4.2).
func (st *h3Stream) field(name, value []byte) error {
	st.names.fields = true
	switch string(name) {
	case "connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade":
		return errH3Hop
	case "cookie":
		st.names.cookies++
	case "priority":
		st.names.preferred = true
		st.c.aware.Store(true)
		st.str.SetPriority(parsePriority(value))
	}
	f := &st.x.Request.Fields
	if f.Add(name, value); len(*f)-max(st.names.cookies-1, 0) > st.limits.HeaderFields {
		return errSection
	}
	return nil
}

// target puts the pseudo-fields to where they belong.
func (st *h3Stream) target() error {
	q, h := &st.x.Request, &st.names
	switch {
	case h.method == nil:
		return errH3Pseudo
	case string(h.method) == http.MethodConnect:
		return errNoConnect
	case h.scheme == nil || h.path == nil || h.protocol != nil:
		return errH3Pseudo
	case !http1.EqualFold(h.scheme, "https"):
		return errNoScheme
	}
	q.Method, q.Scheme, q.Authority = h.method, schemeHTTPS, h.authority
	return q.SetTarget(h.path)
}

// joinCookies makes one field of cookies that came in crumbs (RFC 9114 4.2.1).
func joinCookies(f http1.Fields) http1.Fields {
	kept, first := f[:0], -1
	var whole []byte
	for _, c := range f {
		switch {
		case string(c.Name) != "cookie":
			kept = append(kept, c)
		case first < 0:
			first, whole = len(kept), append(whole, c.Value...)
			kept = append(kept, c)
		default:
			whole = append(append(whole, "; "...), c.Value...)
		}
	}
	kept[first].Value = whole
	return kept
}

func hasUpper(name []byte) bool {
	for _, c := range name {
		if 'A' <= c && c <= 'Z' {
			return true
		}
	}
	return false
}
