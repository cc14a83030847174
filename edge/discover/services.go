package discover

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"net/netip"
	"slices"
	"strconv"

	"github.com/miekg/dns"
)

// Services are the SRV records of a name (RFC 2782), of the lowest priority there is: the others stand by
// until it has gone from the answer. Weights count, 0 as 1.
type Services struct {
	opt   DNSOptions
	hosts hosts
}

// NewServices makes the source.
func NewServices(o DNSOptions) *Services { return &Services{opt: o, hosts: o.hosts()} }

// Look asks for the records, and for the addresses of targets that did not come with them.
func (s *Services) Look(ctx context.Context) (Finding, error) {
	m, err := s.hosts.resolver.ask(ctx, s.opt.Name, dns.TypeSRV)
	if err != nil {
		return Finding{}, err
	}
	answer := read(m.Answer, s.opt.Name, dns.TypeSRV)
	group, groupErr := lowest(answer.services)
	if len(group) == 0 {
		if groupErr == nil {
			groupErr = fmt.Errorf("dns %s: no service", s.opt.Name)
		}
		return Finding{}, groupErr
	}
	b := s.addresses(ctx, group, m.Extra)
	members, err := bounded(s.members(group, b.addresses))
	missed := errors.Join(groupErr, b.missed, err)
	switch {
	case b.silent, len(members) == 0 && missed != nil:
		return Finding{}, missed
	case len(members) == 0:
		return Finding{}, fmt.Errorf("dns %s: no target has an address", s.opt.Name)
	}
	return Finding{Members: members, TTL: min(answer.ttl, b.ttl), Missed: missed}, nil
}

// addresses of the targets of group: those that came along, and those that are asked for.
func (s *Services) addresses(ctx context.Context, group []service, extra []dns.RR) book {
	came := map[string][]netip.Addr{}
	ttl := maxPause
	var names []string
	for _, t := range group {
		if _, seen := came[t.target]; seen || slices.Contains(names, t.target) {
			continue
		}
		a, aaaa := read(extra, t.target, dns.TypeA), read(extra, t.target, dns.TypeAAAA)
		if list := append(a.addresses, aaaa.addresses...); len(list) > 0 {
			came[t.target], ttl = list, min(ttl, a.ttl, aaaa.ttl)
			continue
		}
		names = append(names, t.target)
	}
	b := s.hosts.find(ctx, names)
	for target, list := range came {
		b.addresses[target] = list
	}
	b.ttl = min(b.ttl, ttl)
	b.silent = b.silent && len(came) == 0
	return b
}

// service is where an SRV record points.
type service struct {
	target string
	port   uint16
	weight uint32 // 1 to maxWeight
}

var errTargets = errors.New("dns: SRV records that name no host and port")

// lowest are the services of the lowest priority. A target of "." says that there is none.
func lowest(list []*dns.SRV) ([]service, error) {
	priority, heaviest := math.MaxInt, uint32(maxWeight)
	var bad error
	var usable []*dns.SRV
	for _, r := range list {
		switch {
		case r.Target == ".":
			continue
		case hostName(r.Target) == "" || r.Port == 0:
			bad = errTargets
			continue
		case len(usable) == MaxMembers:
			continue
		}
		usable = append(usable, r)
		priority = min(priority, int(r.Priority))
	}
	for _, r := range usable {
		if int(r.Priority) == priority {
			heaviest = max(heaviest, uint32(r.Weight))
		}
	}
	var group []service
	for _, r := range usable {
		if int(r.Priority) == priority {
			weight := uint32(r.Weight) * maxWeight / heaviest // as it is, unless one is beyond the bound
			group = append(group, service{hostName(r.Target), r.Port, max(weight, 1)})
		}
	}
	return group, bad
}

// members are the addresses of a group's targets.
func (s *Services) members(group []service, addresses map[string][]netip.Addr) []Member {
	var list []Member
	for _, t := range group {
		found := addresses[t.target]
		for _, a := range found {
			address := netip.AddrPortFrom(a, t.port).String()
			list = append(list, Member{
				ID: t.id(address, len(found)), Scheme: s.opt.scheme(), Address: address, Weight: t.weight,
			})
			if len(list) > 2*MaxMembers {
				return list
			}
		}
	}
	return list
}

// id is the target's name and port, which outlasts its address; one of several addresses is named beside it.
func (t service) id(address string, of int) string {
	id := net.JoinHostPort(t.target, strconv.Itoa(int(t.port)))
	if of > 1 {
		id += "/" + address
	}
	if !isID(id) {
		return address // the name is too long
	}
	return id
}
