package discover_test

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedge-lb/wedge/edge/discover"
	"github.com/wedge-lb/wedge/edge/discover/dnstest"
)

func addresses(s *dnstest.Server) *discover.Addresses {
	return discover.NewAddresses(discover.DNSOptions{Name: "api.test", Port: 8080, Resolver: s.Address()})
}

func TestEachAddressIsAMember(t *testing.T) {
	s := dnstest.Start(t)
	s.Set("api.test. 30 A 10.0.0.2", "api.test. 20 A 10.0.0.1", "api.test. 60 AAAA 2001:db8::1", "other.test. 1 A 10.9.9.9")
	f := look(t, addresses(s))
	assert.Equal(t, []discover.Member{
		{ID: "10.0.0.1:8080", Scheme: "http", Address: "10.0.0.1:8080", Weight: 1},
		{ID: "10.0.0.2:8080", Scheme: "http", Address: "10.0.0.2:8080", Weight: 1},
		{ID: "[2001:db8::1]:8080", Scheme: "http", Address: "[2001:db8::1]:8080", Weight: 1},
	}, f.Members)
	assert.Equal(t, 20*time.Second, f.TTL, "the shortest")
	assert.NoError(t, f.Missed)
}

func TestMembersKeepTheirIDsInAnyOrder(t *testing.T) {
	s := dnstest.Start(t)
	var records []string
	for i := range 20 {
		records = append(records, fmt.Sprintf("api.test. 1 A 10.0.0.%d", i+1))
	}
	source := addresses(s)
	s.Set(records...)
	want := look(t, source).Members
	require.Len(t, want, 20)
	for range 10 {
		rand.Shuffle(len(records), func(i, j int) { records[i], records[j] = records[j], records[i] })
		s.Set(records...)
		assert.Equal(t, want, look(t, source).Members)
	}
}

func TestAnAddressIsItsOwnAnswer(t *testing.T) {
	for host, id := range map[string]string{"10.1.2.3": "10.1.2.3:80", "2001:db8::9": "[2001:db8::9]:80"} {
		f := look(t, discover.NewAddresses(discover.DNSOptions{Name: host, Port: 80, Resolver: "127.0.0.1:1"}))
		assert.Equal(t, []string{id}, ids(f.Members))
	}
}

func TestAliasesAreFollowedWithinTheAnswer(t *testing.T) {
	s := dnstest.Start(t)
	s.Set("api.test. 60 CNAME a.test.", "a.test. 5 CNAME b.test.", "b.test. 60 A 10.0.0.1")
	f := look(t, addresses(s))
	assert.Equal(t, []string{"10.0.0.1:8080"}, ids(f.Members))
	assert.Equal(t, 5*time.Second, f.TTL, "aliases age too")
	t.Run("and in a circle not for ever", func(t *testing.T) {
		s.Set("api.test. 60 CNAME a.test.", "a.test. 5 CNAME api.test.")
		assert.Equal(t, "dns api.test: no address", fails(t, addresses(s)))
	})
}

func TestWhatDoesNotFitComesOverTCP(t *testing.T) {
	s := dnstest.Start(t)
	var records []string
	for i := range 200 {
		records = append(records, fmt.Sprintf("api.test. 60 A 10.0.1.%d", i))
	}
	s.Set(records...)
	assert.Len(t, look(t, addresses(s)).Members, 200)
	assert.Equal(t, 1, s.Asked("tcp", "api.test", "A"))
	assert.Equal(t, 0, s.Asked("tcp", "api.test", "AAAA"))
}

func TestAPoolIsBounded(t *testing.T) {
	s := dnstest.Start(t)
	var records []string
	for i := range 1500 {
		records = append(records, fmt.Sprintf("api.test. 60 A 10.1.%d.%d", i/250, i%250))
	}
	s.Set(records...)
	f := look(t, addresses(s))
	assert.Len(t, f.Members, discover.MaxMembers)
	assert.EqualError(t, f.Missed, "1500 backends are more than 1000; the others are not used")
}

func TestServersThatFailAreFollowedByTheNext(t *testing.T) {
	for _, name := range []string{"SERVFAIL", "REFUSED", "NOTIMP"} {
		t.Run(name, func(t *testing.T) {
			s := dnstest.Start(t)
			s.Serve(func(w dns.ResponseWriter, q *dns.Msg) {
				_ = w.WriteMsg(new(dns.Msg).SetRcode(q, dns.StringToRcode[name]))
			})
			assert.Equal(t, fmt.Sprintf("dns api.test A, server %s: %s", s.Address(), name), fails(t, addresses(s)))
			assert.Equal(t, 2, s.Asked("udp", "api.test", "A"), "in two rounds")
		})
	}
	t.Run("nobody there", func(t *testing.T) {
		s := dnstest.Start(t)
		s.Stop()
		assert.Contains(t, fails(t, addresses(s)), "connection refused")
	})
	t.Run("no answer", func(t *testing.T) {
		s := dnstest.Start(t)
		s.Serve(func(dns.ResponseWriter, *dns.Msg) {})
		assert.Contains(t, fails(t, addresses(s)), "no answer in time")
	})
}

func TestTheSystemsServersAreAskedInTurn(t *testing.T) {
	s := dnstest.Start(t)
	s.Set("api.test. 60 A 10.0.0.1")
	_, port, err := net.SplitHostPort(s.Address())
	require.NoError(t, err)
	conf := filepath.Join(t.TempDir(), "resolv.conf")
	write := func(text string) { require.NoError(t, os.WriteFile(conf, []byte(text), 0o600)) }
	t.Run("at port 53", func(t *testing.T) {
		write("search example.com\nnameserver 127.0.0.9\nnameserver 127.0.0.10\noptions ndots:5\n") // nobody there
		source := discover.NewAddresses(discover.DNSOptions{Name: "api.test", Port: 1, System: conf})
		assert.Contains(t, fails(t, source), "server 127.0.0.10:53: ", "the last that was asked")
	})
	t.Run("by the first that answers", func(t *testing.T) {
		got := discover.AskServers(t, []string{"127.0.0.9:" + port, s.Address()}, "api.test")
		assert.Equal(t, []string{"10.0.0.1"}, got)
	})
	t.Run("there must be one", func(t *testing.T) {
		write("search example.com\n")
		source := discover.NewAddresses(discover.DNSOptions{Name: "api.test", Port: 1, System: conf})
		assert.Contains(t, fails(t, source), "no DNS server is named there")
	})
}

func TestNoAddressIsAFailure(t *testing.T) {
	s := dnstest.Start(t)
	t.Run("no such name", func(t *testing.T) {
		assert.Equal(t, "dns api.test: no address", fails(t, addresses(s)))
		assert.Equal(t, 1, s.Asked("udp", "api.test", "A"), "that is an answer: nobody else is asked")
	})
	t.Run("no record of the type", func(t *testing.T) {
		s.Set("api.test. 60 TXT x")
		assert.Equal(t, "dns api.test: no address", fails(t, addresses(s)))
	})
}

func TestHalfAnAnswerKeepsTheOtherHalf(t *testing.T) {
	for forget, want := range map[bool][]string{
		false: {"10.0.0.2:8080", "[2001:db8::1]:8080"},
		true:  {"10.0.0.2:8080"},
	} {
		t.Run(fmt.Sprint("forget ", forget), func(t *testing.T) {
			s := dnstest.Start(t)
			s.Set("api.test. 60 A 10.0.0.1", "api.test. 60 AAAA 2001:db8::1")
			source := discover.NewAddresses(discover.DNSOptions{
				Name: "api.test", Port: 8080, Resolver: s.Address(), Forget: forget})
			require.Len(t, look(t, source).Members, 2)
			s.Set("api.test. 60 A 10.0.0.2")
			s.Lie(func(m *dns.Msg) {
				if m.Question[0].Qtype == dns.TypeAAAA {
					m.Rcode = dns.RcodeServerFailure
				}
			})
			f := look(t, source)
			assert.Equal(t, want, ids(f.Members))
			assert.ErrorContains(t, f.Missed, "SERVFAIL")
			assert.Zero(t, f.TTL, "the rest is asked for soon")
		})
	}
}

func TestAnOldServerIsAskedWithoutEDNS(t *testing.T) {
	s := dnstest.Start(t)
	s.Set("api.test. 60 A 10.0.0.1")
	for _, question := range []bool{true, false} {
		s.Serve(func(w dns.ResponseWriter, q *dns.Msg) {
			m := new(dns.Msg).SetReply(q)
			if q.IsEdns0() != nil {
				if m.Rcode = dns.RcodeFormatError; !question {
					m.Question = nil
				}
			} else if q.Question[0].Qtype == dns.TypeA {
				m.Answer = []dns.RR{&dns.A{Hdr: dns.RR_Header{Name: "api.test.", Rrtype: dns.TypeA, Class: dns.ClassINET,
					Ttl: 9}, A: net.IPv4(10, 0, 0, 1)}}
			}
			_ = w.WriteMsg(m)
		})
		assert.Equal(t, []string{"10.0.0.1:8080"}, ids(look(t, addresses(s)).Members))
	}
}

func TestAddressesThatNoBackendHasAreRefused(t *testing.T) {
	bad := []string{
		"api.test. 9 A 0.0.0.0", "api.test. 9 A 0.1.2.3", "api.test. 9 A 224.0.0.1", "api.test. 9 A 255.255.255.255",
		"api.test. 9 A 169.254.169.254", "api.test. 9 AAAA ::", "api.test. 9 AAAA ff02::1", "api.test. 9 AAAA fe80::1",
		"api.test. 9 AAAA ::ffff:0.0.0.0", "api.test. 9 AAAA ::ffff:169.254.169.254",
	}
	s := dnstest.Start(t)
	for _, record := range bad {
		s.Set(record)
		assert.Contains(t, fails(t, addresses(s)), "1 addresses that no backend can have", record)
	}
	s.Set(append(bad, "api.test. 9 A 10.0.0.1", "api.test. 9 AAAA ::ffff:10.0.0.1")...)
	f := look(t, addresses(s))
	assert.Equal(t, []string{"10.0.0.1:8080"}, ids(f.Members), "and a mapped address is its own")
	assert.Error(t, f.Missed)
}

// TestLiesAreNotTaken has what is not the answer sent before it.
func TestLiesAreNotTaken(t *testing.T) {
	poison := func(m *dns.Msg) {
		m.Answer = []dns.RR{&dns.A{Hdr: dns.RR_Header{Name: m.Question[0].Name, Rrtype: dns.TypeA,
			Class: dns.ClassINET, Ttl: 9999}, A: net.IPv4(6, 6, 6, 6)}}
	}
	for name, lie := range map[string]func(*dns.Msg) []byte{
		"another id": func(m *dns.Msg) []byte {
			m.Id++
			return pack(m)
		},
		"another name": func(m *dns.Msg) []byte {
			m.Question[0].Name = "evil.test."
			return pack(m)
		},
		"another type": func(m *dns.Msg) []byte {
			m.Question[0].Qtype = dns.TypeTXT
			return pack(m)
		},
		"another class": func(m *dns.Msg) []byte {
			m.Question[0].Qclass = dns.ClassCHAOS
			return pack(m)
		},
		"no question": func(m *dns.Msg) []byte {
			m.Question = nil
			return pack(m)
		},
		"a question back": func(m *dns.Msg) []byte {
			m.Response = false
			return pack(m)
		},
		"another operation": func(m *dns.Msg) []byte {
			m.Opcode = dns.OpcodeNotify
			return pack(m)
		},
		"cut in a record":    func(m *dns.Msg) []byte { return pack(m)[:len(pack(m))-3] },
		"noise":              func(m *dns.Msg) []byte { return []byte("GET / HTTP/1.1\r\n\r\n") },
		"an empty datagram":  func(m *dns.Msg) []byte { return nil },
		"records of another": func(m *dns.Msg) []byte { return nil },
	} {
		t.Run(name, func(t *testing.T) {
			s := dnstest.Start(t)
			s.Serve(func(w dns.ResponseWriter, q *dns.Msg) {
				m := new(dns.Msg).SetReply(q)
				poison(m)
				_, _ = w.Write(lie(m))
				m = new(dns.Msg).SetReply(q)
				if q.Question[0].Qtype == dns.TypeA {
					poison(m)
					m.Answer[0].Header().Name = "evil.test."
					m.Answer = append(m.Answer, &dns.A{Hdr: dns.RR_Header{Name: "API.test.", Rrtype: dns.TypeA,
						Class: dns.ClassINET, Ttl: 9}, A: net.IPv4(10, 0, 0, 1)})
				}
				_ = w.WriteMsg(m)
			})
			assert.Equal(t, []string{"10.0.0.1:8080"}, ids(look(t, addresses(s)).Members))
		})
	}
}

func pack(m *dns.Msg) []byte {
	b, err := m.Pack()
	if err != nil {
		panic(err)
	}
	return b
}

func TestALieOverTCPIsAFailure(t *testing.T) {
	s := dnstest.Start(t)
	s.Serve(func(w dns.ResponseWriter, q *dns.Msg) {
		m := new(dns.Msg).SetReply(q)
		if m.Truncated = w.LocalAddr().Network() == "udp"; !m.Truncated {
			m.Id++
		}
		_ = w.WriteMsg(m)
	})
	assert.Contains(t, fails(t, addresses(s)), "an answer to another question")
}
