package discover_test

import (
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedge-lb/wedge/edge/discover"
	"github.com/wedge-lb/wedge/edge/discover/dnstest"
)

const srv = "_api._tcp.test"

func services(s *dnstest.Server) *discover.Services {
	return discover.NewServices(discover.DNSOptions{Name: srv, Scheme: "https", Resolver: s.Address()})
}

func TestServicesOfTheLowestPriorityAreMembers(t *testing.T) {
	s := dnstest.Start(t)
	s.Set(
		"_api._tcp.test. 60 SRV 10 5 8001 A.test.", "_api._tcp.test. 60 SRV 10 0 8002 b.test.",
		"_api._tcp.test. 60 SRV 20 9 8003 standby.test.",
		"a.test. 7 A 10.0.0.1", "b.test. 60 AAAA 2001:db8::2", "standby.test. 60 A 10.0.0.3",
	)
	f := look(t, services(s))
	assert.Equal(t, []discover.Member{
		{ID: "a.test:8001", Scheme: "https", Address: "10.0.0.1:8001", Weight: 5},
		{ID: "b.test:8002", Scheme: "https", Address: "[2001:db8::2]:8002", Weight: 1},
	}, f.Members, "a weight of 0 is 1")
	assert.Equal(t, 7*time.Second, f.TTL, "the shortest, of targets too")
	assert.Zero(t, s.Asked("udp", "standby.test", "A"))
	t.Run("the next one when that has gone", func(t *testing.T) {
		s.Set("_api._tcp.test. 60 SRV 20 9 8003 standby.test.", "standby.test. 60 A 10.0.0.3")
		assert.Equal(t, []string{"standby.test:8003"}, ids(look(t, services(s)).Members))
	})
}

func TestATargetIsTheSameAtAnotherAddress(t *testing.T) {
	s := dnstest.Start(t)
	s.Set("_api._tcp.test. 60 SRV 1 1 80 pod-0.test.", "pod-0.test. 60 A 10.0.0.1")
	source := services(s)
	before := look(t, source).Members
	s.Set("_api._tcp.test. 60 SRV 1 1 80 pod-0.test.", "pod-0.test. 60 A 10.0.0.2")
	after := look(t, source).Members
	assert.Equal(t, ids(before), ids(after))
	assert.Equal(t, "10.0.0.2:80", after[0].Address)
	t.Run("one of several is known by its address", func(t *testing.T) {
		s.Set("_api._tcp.test. 60 SRV 1 3 80 many.test.", "many.test. 60 A 10.0.0.2", "many.test. 60 AAAA 2001:db8::1")
		want := []string{"many.test:80/10.0.0.2:80", "many.test:80/[2001:db8::1]:80"}
		assert.Equal(t, want, ids(look(t, source).Members))
	})
	t.Run("a name that is too long for an id leaves it to the address", func(t *testing.T) {
		long := strings.Repeat(strings.Repeat("a", 60)+".", 3) + "test."
		s.Set("_api._tcp.test. 60 SRV 1 3 80 "+long, long+" 60 A 10.0.0.2")
		assert.Equal(t, []string{"10.0.0.2:80"}, ids(look(t, source).Members))
	})
}

func TestServicesAreTheSameInAnyOrder(t *testing.T) {
	s := dnstest.Start(t)
	records := []string{ // the same target twice, with other weights
		"_api._tcp.test. 60 SRV 1 7 80 a.test.", "_api._tcp.test. 60 SRV 1 3 80 a.test.",
		"_api._tcp.test. 60 SRV 1 3 81 a.test.", "_api._tcp.test. 60 SRV 1 2 80 b.test.",
		"a.test. 60 A 10.0.0.1", "b.test. 60 A 10.0.0.1",
	}
	source := services(s)
	s.Set(records...)
	want := look(t, source).Members
	require.Equal(t, []string{"a.test:80", "a.test:81", "b.test:80"}, ids(want))
	for range 10 {
		rand.Shuffle(len(records), func(i, j int) { records[i], records[j] = records[j], records[i] })
		s.Set(records...)
		assert.Equal(t, want, look(t, source).Members)
	}
}

func TestAddressesThatCameAlongAreNotAskedFor(t *testing.T) {
	s := dnstest.Start(t)
	s.Set("_api._tcp.test. 60 SRV 1 1 80 a.test.", "_api._tcp.test. 60 SRV 1 1 80 b.test.",
		"a.test. 60 A 10.0.0.1", "b.test. 60 A 10.0.0.2")
	s.Lie(func(m *dns.Msg) {
		for name, last := range map[string]byte{"a.test.": 9, "evil.test.": 66} {
			m.Extra = append(m.Extra, &dns.A{Hdr: dns.RR_Header{Name: name, Rrtype: dns.TypeA, Class: dns.ClassINET,
				Ttl: 3}, A: net.IPv4(10, 0, 0, last)})
		}
	})
	f := look(t, services(s))
	require.Equal(t, []string{"a.test:80", "b.test:80"}, ids(f.Members))
	assert.Equal(t, "10.0.0.9:80", f.Members[0].Address)
	assert.Equal(t, 3*time.Second, f.TTL)
	assert.Zero(t, s.Asked("udp", "a.test", "A")+s.Asked("udp", "evil.test", "A"))
	assert.Equal(t, 1, s.Asked("udp", "b.test", "A"))
}

func TestWeightsBeyondTheBoundKeepTheirShares(t *testing.T) {
	s := dnstest.Start(t)
	s.Set("_api._tcp.test. 60 SRV 1 65535 80 a.test.", "_api._tcp.test. 60 SRV 1 32768 80 b.test.",
		"_api._tcp.test. 60 SRV 1 1 80 c.test.", "_api._tcp.test. 60 SRV 2 65535 80 d.test.",
		"a.test. 60 A 10.0.0.1", "b.test. 60 A 10.0.0.2", "c.test. 60 A 10.0.0.3")
	var weights []uint32
	for _, m := range look(t, services(s)).Members {
		weights = append(weights, m.Weight)
	}
	assert.Equal(t, []uint32{1000, 500, 1}, weights)
}

func TestServicesThatCannotBe(t *testing.T) {
	s := dnstest.Start(t)
	for name, tt := range map[string]struct {
		records []string
		want    string
	}{
		"no such name":            {nil, "no service"},
		"there is decidedly none": {[]string{"_api._tcp.test. 60 SRV 0 0 0 ."}, "no service"},
		"no port":                 {[]string{"_api._tcp.test. 60 SRV 0 0 0 a.test."}, "name no host and port"},
		"no host's name":          {[]string{`_api._tcp.test. 60 SRV 0 0 1 a\"b.test.`}, "name no host and port"},
		"a target without address": {[]string{"_api._tcp.test. 60 SRV 0 0 1 a.test."},
			"no target has an address"},
		"addresses that no backend can have": {[]string{"_api._tcp.test. 60 SRV 0 0 1 a.test.", "a.test. 1 A 0.0.0.0"},
			"no backend can have"},
	} {
		t.Run(name, func(t *testing.T) {
			s.Set(tt.records...)
			assert.Contains(t, fails(t, services(s)), tt.want)
		})
	}
	t.Run("the server fails", func(t *testing.T) {
		s.Stop()
		assert.Contains(t, fails(t, services(s)), "connection refused")
	})
}

func TestATargetWhoseServersFailKeepsItsAddress(t *testing.T) {
	s := dnstest.Start(t)
	records := []string{"_api._tcp.test. 60 SRV 1 1 80 a.test.", "_api._tcp.test. 60 SRV 1 1 80 b.test.",
		"a.test. 60 A 10.0.0.1", "b.test. 60 A 10.0.0.2"}
	s.Set(records...)
	source := services(s)
	want := look(t, source).Members
	s.Lie(func(m *dns.Msg) {
		if m.Question[0].Name == "b.test." {
			m.Rcode = dns.RcodeServerFailure
		}
	})
	f := look(t, source)
	assert.Equal(t, want, f.Members)
	assert.ErrorContains(t, f.Missed, "SERVFAIL")
	s.Lie(func(m *dns.Msg) {
		if m.Question[0].Name != srv+"." {
			m.Rcode = dns.RcodeServerFailure
		}
	})
	assert.Contains(t, fails(t, source), "SERVFAIL", "if no target is answered for, nothing is known")
}

func TestManyTargetsAreBounded(t *testing.T) {
	s := dnstest.Start(t)
	var records []string
	for i := range 1200 {
		records = append(records, fmt.Sprintf("_api._tcp.test. 60 SRV 1 1 %d a.test.", i+1))
	}
	s.Set(append(records, "a.test. 60 A 10.0.0.1")...)
	assert.Len(t, look(t, services(s)).Members, discover.MaxMembers)
	assert.Equal(t, 1, s.Asked("udp", "a.test", "A"), "asked for once")
}
