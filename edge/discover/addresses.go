package discover

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
)

// Addresses are the A and AAAA records of a name, each a member of the same port. Search domains and files of
// hosts do not count.
type Addresses struct {
	opt   DNSOptions
	hosts hosts
}

// NewAddresses makes the source.
func NewAddresses(o DNSOptions) *Addresses { return &Addresses{opt: o, hosts: o.hosts()} }

// Look asks for both kinds of addresses. If one of the two gets no answer, its last ones stay.
func (s *Addresses) Look(ctx context.Context) (Finding, error) {
	if literal, err := netip.ParseAddr(s.opt.Name); err == nil {
		return Finding{Members: []Member{s.member(literal)}, TTL: maxPause}, nil
	}
	b := s.hosts.find(ctx, []string{s.opt.Name})
	list := b.addresses[s.opt.Name]
	switch {
	case b.silent, len(list) == 0 && b.missed != nil:
		return Finding{}, b.missed
	case len(list) == 0:
		return Finding{}, fmt.Errorf("dns %s: no address", s.opt.Name)
	}
	var members []Member
	for _, a := range list {
		members = append(members, s.member(a))
	}
	members, err := bounded(members)
	return Finding{Members: members, TTL: b.ttl, Missed: errors.Join(b.missed, err)}, nil
}

func (s *Addresses) member(a netip.Addr) Member {
	address := netip.AddrPortFrom(a, s.opt.Port).String()
	return Member{ID: address, Scheme: s.opt.scheme(), Address: address, Weight: 1}
}
