package certs

import (
	"net"
	"strings"
)

// table is what one Apply made: immutable, swapped whole.
type table struct {
	exact    map[string]*Policy  // names and addresses
	suffix   map[string]*Policy  // ".example.com" for "*.example.com"
	any      *Policy             // for "*"
	policies []*Policy           // in the order of the settings
	managed  map[string]*managed // hosts of ACME sites that are kept whether used or not
	acme     *authority          // nil without ACME sites
}

// policy finds who decides for host, which is canonical: exact, then the pattern for exactly its first label,
// then "*". Package route finds sites in the same way.
func (t *table) policy(host string) *Policy {
	if p, ok := t.exact[host]; ok {
		return p
	}
	if len(t.suffix) > 0 {
		if p, ok := t.suffix[afterLabel(host)]; ok {
			return p
		}
	}
	return t.any
}

// afterLabel is host from its first dot on, "" if it has none.
func afterLabel(host string) string {
	if i := strings.IndexByte(host, '.'); i > 0 {
		return host[i:]
	}
	return ""
}

// forClient is the policy of a handshake: by SNI, or without one by the address that was connected to.
func (t *table) forClient(sni string, local net.Addr) *Policy {
	if sni == "" {
		if ip := localIP(local); ip != "" {
			return t.policy(ip)
		}
		return t.any
	}
	host, ok := canonical(sni)
	if !ok {
		return nil
	}
	return t.policy(host)
}

func (t *table) add(p *Policy, pattern string) {
	switch {
	case pattern == "*":
		t.any = p
	case strings.HasPrefix(pattern, "*."):
		t.suffix[pattern[1:]] = p
	default:
		t.exact[pattern] = p
	}
}

// holder returns the policy that already has pattern, or nil.
func (t *table) holder(pattern string) *Policy {
	switch {
	case pattern == "*":
		return t.any
	case strings.HasPrefix(pattern, "*."):
		return t.suffix[pattern[1:]]
	}
	return t.exact[pattern]
}

// demands reports whether host, which was once ordered on demand, still would be.
func (t *table) demands(host string) bool {
	p := t.policy(host)
	if p == nil {
		return false
	}
	s, ok := p.source.(*acmeSource)
	return ok && s.rule != nil && s.hosts[host] == nil && s.rule.allows(host)
}
