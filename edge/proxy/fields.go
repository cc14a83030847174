package proxy

import (
	"github.com/wedge-lb/wedge/edge/http1"
	"github.com/wedge-lb/wedge/edge/observe"
)

// The fields that only the edge says of a request. What a client sends under these names is dropped, unless
// the client is a trusted proxy. (Names with an underscore never get here: the fronts refuse them.)
var (
	nameForwarded      = []byte("Forwarded")
	nameForwardedFor   = []byte("X-Forwarded-For")
	nameForwardedHost  = []byte("X-Forwarded-Host")
	nameForwardedProto = []byte("X-Forwarded-Proto")
	nameRequestID      = []byte("X-Request-Id")
	nameTrace          = []byte("Traceparent")
	nameVia            = []byte("Via")
	nameDate           = []byte("Date")
	nameContentType    = []byte("Content-Type")
	nameRetryAfter     = []byte("Retry-After")
	nameLocation       = []byte("Location")
	nameAllow          = []byte("Allow")
	nameSetCookie      = []byte("Set-Cookie")
	nameCacheControl   = []byte("Cache-Control")
)

// edgeOnly tells whether a request field is the edge's to say; newTrace, that it does not belong to the
// client's trace any more.
func edgeOnly(name []byte, newTrace bool) bool {
	switch len(name) {
	case len("via"):
		return http1.EqualFold(name, "via")
	case len("forwarded"): // as long as x-real-ip
		return http1.EqualFold(name, "forwarded") || http1.EqualFold(name, "x-real-ip")
	case len("tracestate"):
		return newTrace && http1.EqualFold(name, "tracestate")
	case len("traceparent"):
		return http1.EqualFold(name, "traceparent")
	case len("x-request-id"):
		return http1.EqualFold(name, "x-request-id")
	}
	const prefix = "x-forwarded-"
	return len(name) > len(prefix) && http1.EqualFold(name[:len(prefix)], prefix)
}

// sign makes the request's fields say where it came from: Forwarded (RFC 7239), X-Forwarded-For, -Host and
// -Proto, Via (RFC 9110 7.6.3), a request id and traceparent. A trusted proxy's own words are kept and added to.
func (x *Exchange) sign(newTrace bool) {
	f := &x.Request.Fields
	var said inbound
	if x.trusted {
		said.read(x)
	}
	kept := 0
	for i := range *f {
		field := &(*f)[i]
		if edgeOnly(field.Name, newTrace) && !(x.trusted && said.keeps(field.Name)) {
			continue
		}
		if kept != i {
			(*f)[kept] = *field
		}
		kept++
	}
	*f = (*f)[:kept]
	x.signClient(&said)
	f.Add(nameRequestID, x.requestID())
	f.Add(nameTrace, x.trace)
}

// inbound is what a trusted proxy already said.
type inbound struct {
	via, forwarded, chain, host, proto, id []byte
}

func (s *inbound) read(x *Exchange) {
	s.via, s.forwarded, s.chain = x.list("via"), sound(x.list("forwarded")), x.list("x-forwarded-for")
	switch { // the two must not contradict each other
	case len(s.chain) == 0:
		s.chain = x.convert(s.forwarded, cutElement, parseElement, appendHop)
	case len(s.forwarded) == 0:
		s.forwarded = x.convert(s.chain, cutLast, parseHop, appendElement)
	}
	s.host, s.proto, s.id = x.lastOf("x-forwarded-host"), x.lastOf("x-forwarded-proto"), x.lastOf("x-request-id")
}

// list is the value of a list field: several lines are one list, in order (RFC 9110 5.3). A proxy may append a
// line of its own behind the client's.
func (x *Exchange) list(name string) []byte {
	f := &x.Request.Fields
	all, at := f.Next(name, 0)
	for at > 0 {
		var more []byte
		if more, at = f.Next(name, at); at > 0 {
			all = x.join(all, more)
		}
	}
	return all
}

// lastOf is the last line of a field: the nearest proxy's.
func (x *Exchange) lastOf(name string) (value []byte) {
	for v, at := x.Request.Fields.Next(name, 0); at > 0; v, at = x.Request.Fields.Next(name, at) {
		value = v
	}
	return value
}

// keeps tells whether a trusted field stays as it is: those that sign neither replaces nor adds to.
func (s *inbound) keeps(name []byte) bool {
	for _, own := range [...]string{"via", "forwarded", "x-forwarded-for", "x-forwarded-host",
		"x-forwarded-proto", "x-request-id", "traceparent", "tracestate"} {
		if http1.EqualFold(name, own) {
			return false
		}
	}
	return true
}

func (x *Exchange) signClient(said *inbound) {
	f, r := &x.Request.Fields, &x.Request
	peer := x.peerText()
	f.Add(nameForwardedFor, x.join(said.chain, peer))
	f.Add(nameForwardedHost, either(said.host, r.Authority))
	f.Add(nameForwardedProto, either(said.proto, r.Scheme))
	f.Add(nameForwarded, x.forwarded(said.forwarded, peer))
	f.Add(nameVia, x.join(said.via, viaBy(x.Protocol)))
	if said.id != nil {
		x.id = append(x.id[:0], said.id...)
	}
}

var viaH1, viaH2, viaH3 = []byte("1.1 wedge"), []byte("2 wedge"), []byte("3 wedge")

func viaBy(protocol string) []byte {
	switch protocol {
	case H1:
		return viaH1
	case H2:
		return viaH2
	}
	return viaH3
}

func either(first, second []byte) []byte {
	if len(first) > 0 {
		return first
	}
	return second
}

// join appends item to a comma-separated list.
func (x *Exchange) join(list, item []byte) []byte {
	if len(list) == 0 {
		return item
	}
	start := len(x.scratch)
	x.scratch = append(x.scratch, list...)
	x.scratch = append(x.scratch, ", "...)
	x.scratch = append(x.scratch, item...)
	return x.scratch[start:]
}

// forwarded is the Forwarded value: an IPv6 address stands in brackets and quotes, and so does a host with a
// port (RFC 7239 4, 6).
func (x *Exchange) forwarded(before, peer []byte) []byte {
	start := len(x.scratch)
	s := x.scratch
	if len(before) > 0 {
		s = append(append(s, before...), ", "...)
	}
	s = append(s, "for="...)
	if x.Peer.Addr().Unmap().Is6() {
		s = append(append(append(s, `"[`...), peer...), `]"`...)
	} else {
		s = append(s, peer...)
	}
	s = append(append(append(s, `;host="`...), x.Request.Authority...), `";proto=`...)
	x.scratch = append(s, x.Request.Scheme...)
	return x.scratch[start:]
}

// peerText is the peer's address as text, kept while the connection's peer stays.
func (x *Exchange) peerText() []byte {
	if x.Peer != x.textOf || x.text == nil {
		x.textOf, x.text = x.Peer, x.Peer.Addr().Unmap().AppendTo(x.text[:0])
	}
	return x.text
}

// requestID is the id that the client, the backend and the log can all name.
func (x *Exchange) requestID() []byte {
	if len(x.id) == 0 {
		x.id = observe.AppendRequestID(x.id)
	}
	return x.id
}
