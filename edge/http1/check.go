package http1

// Check holds a request that came over another protocol to the rules of Request's parser, so that it can be
// written as HTTP/1.1. Before it the caller has set Method, Scheme, Authority (nil = take it from Host), and
// Fields as received, and called SetTarget. Host is compared and removed, TE, Expect and Content-Length are
// taken out as the parser does, and Length is set to the declared one, Unknown if there is none: a caller
// that knows there is no body sets 0, after comparing. An error is an *Error.
func (r *Request) Check(lim Limits) error {
	if err := r.checkStart(); err != nil {
		return err
	}
	lim = lim.WithDefaults()
	if len(r.Fields) > lim.Fields {
		return errTooManyFields
	}
	if len(r.Method)+len(r.Path)+len(r.Query)+len(" ? HTTP/1.1\r\n") > lim.Line {
		return errLineTooLong
	}
	p := Parser{byTarget: true, head: head{length: -1}}
	kept, size := r.Fields[:0], len(r.Path)+len(r.Query)+len(r.Authority)
	for _, f := range r.Fields {
		size += len(f.Name) + len(f.Value) + 4
		kind, err := p.checkField(f)
		if err != nil {
			return err
		}
		if kind == plain {
			kept = append(kept, f)
		}
	}
	r.Fields = kept
	if size > lim.Head {
		return errHeadTooLarge
	}
	if r.Length = p.head.length; p.head.hasExpect && r.Length != 0 {
		r.Fields = append(r.Fields, Field{fieldExpect, p.head.expect})
	}
	return p.authority(r)
}

func (r *Request) checkStart() error {
	switch {
	case !ValidMethod(r.Method):
		return errMethod
	case string(r.Method) == "CONNECT":
		return errNoConnect
	case string(r.Method) == "TRACE":
		return errNoTrace
	case !EqualFold(r.Scheme, "http") && !EqualFold(r.Scheme, "https"):
		return errScheme
	case len(r.Path) == 0:
		return errPath
	}
	return nil
}

// checkField refuses what HTTP/2 and 3 forbid (RFC 9113 8.2.2) and notes what frames.
func (p *Parser) checkField(f Field) (nameKind, error) {
	if !ValidFieldName(f.Name) {
		return plain, errName
	}
	if !ValidFieldValue(f.Value) {
		return plain, errValue
	}
	kind := kindOf(f.Name)
	switch kind {
	case plain:
		if hasUnderline(f.Name) && isReserved(f.Name) {
			return plain, errAlias
		}
		return plain, nil
	case nameConnection, nameCoding, nameUpgrade:
		return kind, errHopField
	case nameDropped:
		if EqualFold(f.Name, "keep-alive") || EqualFold(f.Name, "proxy-connection") {
			return kind, errHopField
		}
	case nameTE:
		if !EqualFold(f.Value, "trailers") {
			return kind, errHopField
		}
	}
	return p.wire(kind, f.Value, true)
}

func hasUnderline(name []byte) bool {
	for _, c := range name {
		if c == '_' {
			return true
		}
	}
	return false
}

// ForbiddenField tells whether a field of that name may not be set by a configuration or a strategy: it
// frames the message or belongs to one hop.
func ForbiddenField(name []byte) bool { return !ValidFieldName(name) || kindOf(name) != plain }
