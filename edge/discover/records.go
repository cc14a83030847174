package discover

import (
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"
)

const maxChain = 16 // CNAMEs from a name to its records

// records are what an answer says of a name.
type records struct {
	addresses []netip.Addr
	services  []*dns.SRV
	refused   int // addresses that no backend can have
	ttl       time.Duration
}

// read finds the records of a kind that belong to name, or to the name that it is an alias of. Others are not
// the answer's business.
func read(list []dns.RR, name string, kind uint16) records {
	r := records{ttl: maxPause}
	name = dns.Fqdn(name)
	for range maxChain {
		next := ""
		for _, rr := range list {
			h := rr.Header()
			if h.Class != dns.ClassINET || !strings.EqualFold(h.Name, name) {
				continue
			}
			if alias, ok := rr.(*dns.CNAME); ok {
				next = alias.Target
				r.age(h)
			} else if h.Rrtype == kind {
				r.add(rr)
			}
		}
		if next == "" || len(r.addresses)+len(r.services)+r.refused > 0 {
			break
		}
		name = next
	}
	return r
}

// add takes a record in, each address once.
func (r *records) add(rr dns.RR) {
	var address netip.Addr
	switch rr := rr.(type) {
	case *dns.A:
		address, _ = netip.AddrFromSlice(rr.A)
	case *dns.AAAA:
		address, _ = netip.AddrFromSlice(rr.AAAA)
	case *dns.SRV:
		r.age(&rr.Hdr)
		r.services = append(r.services, rr)
		return
	default:
		return
	}
	r.age(rr.Header())
	if address = address.Unmap(); !usable(address) {
		r.refused++
	} else if len(r.addresses) < 2*MaxMembers && !slices.Contains(r.addresses, address) {
		r.addresses = append(r.addresses, address)
	}
}

// age lowers the TTL to that of h. One with its first bit set is 0 (RFC 2181 8).
func (r *records) age(h *dns.RR_Header) {
	ttl := h.Ttl
	if ttl > 1<<31-1 {
		ttl = 0
	}
	r.ttl = min(r.ttl, time.Duration(ttl)*time.Second)
}

var broadcast = netip.AddrFrom4([4]byte{255, 255, 255, 255})

// usable refuses what is no host, and link-local addresses: where clouds keep their secrets.
func usable(a netip.Addr) bool {
	switch {
	case !a.IsValid(), a.IsUnspecified(), a.IsMulticast(), a.IsLinkLocalUnicast(), a == broadcast:
		return false
	case a.Is4():
		return a.As4()[0] != 0
	}
	return true
}

// hostName is a name in the form that ids have; "" if it is no host's.
func hostName(name string) string {
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	odd := func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9') && !strings.ContainsRune("-_.", r)
	}
	if strings.ContainsFunc(name, odd) {
		return ""
	}
	return name
}
