package proxy

import (
	"bytes"
	"net/netip"

	"github.com/wedge-lb/wedge/edge/http1"
)

// client finds the address that a request came from: the peer's, or if that is a trusted proxy the last one
// that is not, of X-Forwarded-For or, if there is none, of Forwarded. (Where both are there and differ,
// X-Forwarded-For wins: more proxies see to it.) An entry that names no address ends the search at the one
// behind it.
func (x *Exchange) client() netip.Addr {
	addr := x.Peer.Addr().Unmap()
	if x.trusted = covered(x.gen.Trusted, addr); !x.trusted {
		return addr
	}
	if chain := x.list("x-forwarded-for"); len(chain) > 0 {
		return x.origin(addr, chain, cutLast, parseHop)
	}
	return x.origin(addr, x.list("forwarded"), cutElement, parseElement)
}

// origin follows a list of hops from the nearest, behind addr, to the first that is no trusted proxy.
func (x *Exchange) origin(addr netip.Addr, list []byte, cut func(list []byte) (before, last []byte),
	parse func(hop []byte) (netip.Addr, bool)) netip.Addr {
	for len(list) > 0 {
		var last []byte
		list, last = cut(list)
		hop, ok := parse(last)
		if !ok {
			return addr
		}
		if addr = hop; !covered(x.gen.Trusted, addr) {
			return addr
		}
	}
	return addr
}

// whence is the client's address, with its port if it is the peer.
func (x *Exchange) whence() netip.AddrPort {
	a, port := x.pick.ClientIP, uint16(0)
	if a == x.Peer.Addr().Unmap() {
		port = x.Peer.Port()
	}
	return netip.AddrPortFrom(a, port)
}

func covered(prefixes []netip.Prefix, a netip.Addr) bool {
	for _, p := range prefixes {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// maxHops bounds the hops that are told in another notation, in which they may take more room.
const maxHops = 32

// convert gives the nearest hops of a list in another notation (RFC 7239 7.4). Those that name no address are
// unknown there.
func (x *Exchange) convert(list []byte, cut func(list []byte) (before, last []byte),
	parse func(hop []byte) (netip.Addr, bool), write func(dst []byte, hop netip.Addr) []byte) []byte {
	var hops [maxHops]netip.Addr
	n := 0
	for ; len(list) > 0 && n < maxHops; n++ {
		var last []byte
		list, last = cut(list)
		hops[n], _ = parse(last)
	}
	start := len(x.scratch)
	for n--; n >= 0; n-- {
		if x.scratch = write(x.scratch, hops[n]); n > 0 {
			x.scratch = append(x.scratch, ", "...)
		}
	}
	return x.scratch[start:]
}

// appendHop writes a hop of X-Forwarded-For.
func appendHop(dst []byte, hop netip.Addr) []byte {
	if !hop.IsValid() {
		return append(dst, "unknown"...)
	}
	return hop.AppendTo(dst)
}

// appendElement writes a hop of Forwarded.
func appendElement(dst []byte, hop netip.Addr) []byte {
	dst = append(dst, "for="...)
	if !hop.Is6() {
		return appendHop(dst, hop)
	}
	return append(appendHop(append(dst, `"[`...), hop), `]"`...)
}

// cutLast splits a comma-separated list before its last item, which is given without white space.
func cutLast(list []byte) (before, last []byte) {
	i := len(list)
	for i > 0 && list[i-1] != ',' {
		i--
	}
	return list[:max(i-1, 0)], trim(list[i:])
}

// cutElement is cutLast for a list with quoted strings, whose commas do not count. It goes from the end,
// which the nearest proxy wrote: a quote that somebody before it left open does not reach there.
func cutElement(list []byte) (before, last []byte) {
	quoted := false
	i := len(list)
	for ; i > 0; i-- {
		c := list[i-1]
		if c == '"' && !escaped(list[:i-1]) {
			quoted = !quoted
		}
		if c == ',' && !quoted {
			break
		}
	}
	return list[:max(i-1, 0)], trim(list[i:])
}

// escaped tells whether what follows b in a quoted string is escaped by its end.
func escaped(b []byte) bool {
	n := 0
	for n < len(b) && b[len(b)-1-n] == '\\' {
		n++
	}
	return n%2 == 1
}

// sound is the end of a Forwarded list behind what is malformed: a quote that somebody left open would take in what
// is appended.
func sound(list []byte) []byte {
	kept := len(list)
	for rest := list; len(rest) > 0; {
		var last []byte
		if rest, last = cutElement(rest); !wellFormed(last) {
			break
		}
		if kept = len(rest); list[kept] == ',' {
			kept++
		}
	}
	return trim(list[kept:])
}

// wellFormed tells whether an element of Forwarded is one or more parameters (RFC 7239 4), with some white space
// and bare addresses forgiven.
func wellFormed(element []byte) bool {
	for more := true; more; {
		var pair []byte
		pair, element = cutPair(element)
		more = len(element) > 0
		name, value, _ := bytes.Cut(pair, []byte{'='})
		if !bare(name) || !bare(value) && !quoted(value) {
			return false
		}
	}
	return true
}

// bare tells whether b can stand without quotes.
func bare(b []byte) bool {
	for _, c := range b {
		if c <= ' ' || c > '~' || c == '"' || c == '\\' || c == ',' || c == ';' {
			return false
		}
	}
	return len(b) > 0
}

// quoted tells whether b is one quoted string.
func quoted(b []byte) bool {
	end := len(b) - 1
	if end < 1 || b[0] != '"' {
		return false
	}
	for i := 1; i < end; i++ {
		switch b[i] {
		case '"':
			return false
		case '\\':
			i++
		}
	}
	return b[end] == '"' && !escaped(b[:end])
}

func trim(b []byte) []byte {
	for len(b) > 0 && (b[0] == ' ' || b[0] == '\t') {
		b = b[1:]
	}
	for len(b) > 0 && (b[len(b)-1] == ' ' || b[len(b)-1] == '\t') {
		b = b[:len(b)-1]
	}
	return b
}

// parseElement reads the address of an element of Forwarded (RFC 7239 4): its only for parameter, if that
// names no host in disguise (unknown, or a word behind an underscore). Of a malformed one nothing is believed.
func parseElement(element []byte) (netip.Addr, bool) {
	if !wellFormed(element) {
		return netip.Addr{}, false
	}
	var node []byte
	for len(element) > 0 {
		var pair []byte
		pair, element = cutPair(element)
		name, value, ok := bytes.Cut(pair, []byte{'='})
		if !ok || !http1.EqualFold(name, "for") {
			continue
		}
		if node != nil {
			return netip.Addr{}, false
		}
		node = value
	}
	if len(node) >= 2 && node[0] == '"' && node[len(node)-1] == '"' {
		node = node[1 : len(node)-1] // an address needs no escapes
	}
	return parseHop(dropPort(node))
}

// cutPair splits an element behind its first parameter, which is given without white space.
func cutPair(element []byte) (pair, rest []byte) {
	quoted := false
	for i, c := range element {
		if c == '"' && !escaped(element[:i]) {
			quoted = !quoted
		}
		if c == ';' && !quoted {
			return trim(element[:i]), element[i+1:]
		}
	}
	return trim(element), nil
}

// dropPort takes off a port in disguise (RFC 7239 6.3), which parseHop would stumble over.
func dropPort(node []byte) []byte {
	if i := bytes.LastIndexByte(node, ':'); i >= 0 && i+1 < len(node) && node[i+1] == '_' {
		return node[:i]
	}
	return node
}

// parseHop reads an address as proxies write it: 1.2.3.4, 1.2.3.4:5, ::1, [::1], [::1]:5.
func parseHop(b []byte) (netip.Addr, bool) {
	const longest = len("[0000:0000:0000:0000:0000:0000:255.255.255.255%0]:65535") + 16
	if len(b) == 0 || len(b) > longest {
		return netip.Addr{}, false
	}
	s := string(b)
	if a, err := netip.ParseAddr(s); err == nil {
		return a.Unmap().WithZone(""), true
	}
	if ap, err := netip.ParseAddrPort(s); err == nil {
		return ap.Addr().Unmap().WithZone(""), true
	}
	if b[0] == '[' && b[len(b)-1] == ']' {
		a, err := netip.ParseAddr(s[1 : len(s)-1])
		return a.Unmap().WithZone(""), err == nil
	}
	return netip.Addr{}, false
}
