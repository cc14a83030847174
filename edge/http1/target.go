package http1

import "bytes"

// SetTarget fills Path, Query and HasQuery from a path with its query, as a request line or :path has it. It
// normalises in t's memory. Method must be set; the asterisk is for OPTIONS only.
func (r *Request) SetTarget(t []byte) error {
	if len(t) == 1 && t[0] == '*' {
		if string(r.Method) != "OPTIONS" {
			return errTarget
		}
		r.Path, r.Query, r.HasQuery = t, nil, false
		return nil
	}
	path := t
	r.Query, r.HasQuery = nil, false
	if q := bytes.IndexByte(t, '?'); q >= 0 {
		path, r.Query, r.HasQuery = t[:q], t[q+1:], true
		if !all(r.Query, isQuery) {
			return errQuery
		}
	}
	var err error
	r.Path, err = NormalizePath(path)
	return err
}

var (
	slash    = []byte("/")
	asterisk = []byte("*")
)

// setAbsolute takes a target in absolute form (RFC 9112 3.2.2). The scheme must be the connection's.
func (r *Request) setAbsolute(t []byte) error {
	n := bytes.Index(t, []byte("://"))
	if n < 0 {
		return errTarget
	}
	if !equalFoldBytes(t[:n], r.Scheme) {
		return errScheme
	}
	t = t[n+3:]
	end := bytes.IndexAny(t, "/?#")
	if end < 0 {
		end = len(t)
	}
	if r.Authority = t[:end]; !ValidAuthority(r.Authority) {
		return errHost
	}
	switch rest := t[end:]; {
	case len(rest) == 0 && string(r.Method) == "OPTIONS":
		r.Path = asterisk
	case len(rest) == 0:
		r.Path = slash
	case rest[0] == '?':
		r.Path, r.Query, r.HasQuery = slash, rest[1:], true
		if !all(r.Query, isQuery) {
			return errQuery
		}
	default:
		return r.SetTarget(rest)
	}
	return nil
}
