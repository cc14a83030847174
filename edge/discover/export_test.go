package discover

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"testing"

	"github.com/miekg/dns"
)

// AskServers asks servers in turn for the A records of a name.
func AskServers(t *testing.T, servers []string, name string) (list []string) {
	t.Helper()
	r := &resolver{}
	m, err := r.askEach(context.Background(), servers, name, dns.TypeA)
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range read(m.Answer, name, dns.TypeA).addresses {
		list = append(list, a.String())
	}
	return list
}

// ReadAnswer makes members of a packet as if it was the answer to every question.
func ReadAnswer(packet []byte, name string) ([]Member, error) {
	m := new(dns.Msg)
	if err := m.Unpack(packet); err != nil {
		return nil, err
	}
	var list []Member
	a := Addresses{opt: DNSOptions{Port: 80}}
	for _, kind := range []uint16{dns.TypeA, dns.TypeAAAA} {
		for _, address := range read(m.Answer, name, kind).addresses {
			list = append(list, a.member(address))
		}
	}
	s := Services{}
	group, err := lowest(read(m.Answer, name, dns.TypeSRV).services)
	found := map[string][]netip.Addr{}
	for _, t := range group {
		found[t.target] = read(m.Extra, t.target, dns.TypeA).addresses
	}
	list, cut := bounded(append(list, s.members(group, found)...))
	return list, errors.Join(err, cut)
}

// ReadContainers makes members of an answer of Docker.
func ReadContainers(o DockerOptions, data []byte) (Finding, error) { return NewDocker(o).members(data) }

// Valid tells what is wrong with a member.
func (m Member) Valid() error {
	if err := m.valid(); err != nil {
		return fmt.Errorf("%+v: %w", m, err)
	}
	return nil
}
