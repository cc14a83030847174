package sdk

import "github.com/wedge-lb/wedge/sdk/abi"

// Request is what a strategy may know of one request: the attributes it declared, which
// backends were tried, and to whom the client is pinned. It is valid during one Pick.
type Request struct {
	Host
	frame    []byte // at least the fixed header
	excluded uint32 // number of backends already tried
}

// Attempt is 0 for the first try, 1 for the first retry, and so on.
func (r *Request) Attempt() int { return int(le32(r.frame, abi.RequestAttempt)) }

// Pinned is the backend that a valid affinity token names, in whatever state it is.
func (r *Request) Pinned() (backend int, ok bool) {
	p := le32(r.frame, abi.RequestPinned)
	return int(p) - 1, p != 0
}

// Excluded is how many backends were tried already.
func (r *Request) Excluded() int { return int(r.excluded) }

// Excludes reports whether a backend was tried already and must not be chosen.
func (r *Request) Excludes(backend int) bool {
	if r.excluded == 0 {
		return false
	}
	return r.listed(uint32(backend))
}

func (r *Request) listed(backend uint32) bool {
	off := uint64(le32(r.frame, abi.RequestExcludedOff))
	for range r.excluded {
		if off+abi.ExcludedSize > uint64(len(r.frame)) {
			return false
		}
		if le32(r.frame, uint32(off)) == backend {
			return true
		}
		off += abi.ExcludedSize
	}
	return false
}

// Bytes is the raw form of an attribute, or its hash if it was declared Hashed. ok is false if
// the request does not have it. The bytes may be cut, and are valid until Pick returns.
func (r *Request) Bytes(a Attribute) (b []byte, ok bool) {
	if a.slot == 0 || a.slot > le32(r.frame, abi.RequestSlots) {
		return nil, false
	}
	off := uint64(abi.RequestSpans) + uint64(a.slot-1)*abi.SpanSize
	if off+abi.SpanSize > uint64(len(r.frame)) {
		return nil, false
	}
	return span(r.frame, uint32(off))
}

// Hash is 64 bits for an attribute: the host's keyed hash if it was declared Hashed, else Sum64
// of its bytes. ok is false if the request does not have the attribute.
func (r *Request) Hash(a Attribute) (h uint64, ok bool) {
	b, ok := r.Bytes(a)
	switch {
	case !ok:
		return 0, false
	case a.form == abi.FormHash && len(b) == abi.HashSize:
		return le64(b, 0), true
	}
	return Sum64(b), true
}

// Spare names the next best backend after the chosen one. The host tries spares, in order, if
// the chosen one cannot be reached, instead of asking the strategy again.
func (r *Request) Spare(backend int) { r.spare(uint32(backend)) }

// SetHeader adds a field to the response. The host refuses names that frame the message.
func (r *Request) SetHeader(name, value string) { r.setHeader(name, value) }

// Respond makes the edge answer by itself.
func (r *Request) Respond(status int, contentType string, body []byte) Decision {
	r.respond(uint32(status), contentType, body)
	return Decision{abi.NewDecision(abi.VerdictRespond, 0, 0, 0)}
}
