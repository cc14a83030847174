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
// names no host in disguise (unknown, or a word behind an underscore).
func parseElement(element []byte) (netip.Addr, bool) {
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
