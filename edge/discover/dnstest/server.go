// Package dnstest is a DNS server on loopback for tests: it answers from records that change, fails, cuts and
// lies on demand.
package dnstest

import (
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"
)

// A Server answers over UDP and TCP on one port of loopback, until the test ends. It is safe for concurrent use.
type Server struct {
	t       testing.TB
	address string
	servers []*dns.Server

	mu    sync.Mutex
	zone  []dns.RR
	lie   func(answer *dns.Msg)
	serve func(w dns.ResponseWriter, q *dns.Msg)
	asked map[string]int
	down  bool
}

// Start starts a server whose zone is empty.
func Start(t testing.TB) *Server {
	t.Helper()
	s := &Server{t: t, asked: map[string]int{}}
	packets, streams := listen(t)
	s.address = packets.LocalAddr().String()
	s.servers = []*dns.Server{{PacketConn: packets, Handler: s}, {Listener: streams, Handler: s}}
	var ended sync.WaitGroup
	for _, each := range s.servers {
		started := make(chan struct{})
		each.NotifyStartedFunc = func() { close(started) }
		ended.Go(func() { _ = each.ActivateAndServe() })
		<-started
	}
	t.Cleanup(func() {
		s.Stop()
		ended.Wait()
	})
	return s
}

// listen binds UDP and TCP to one port.
func listen(t testing.TB) (net.PacketConn, net.Listener) {
	for range 20 {
		packets, err := net.ListenPacket("udp", "127.0.0.1:0")
		require.NoError(t, err)
		if streams, err := net.Listen("tcp", packets.LocalAddr().String()); err == nil {
			return packets, streams
		}
		packets.Close()
	}
	require.FailNow(t, "no port for UDP and TCP")
	return nil, nil
}

// Address is host:port of the server.
func (s *Server) Address() string { return s.address }

// Stop ends the server: nothing listens any more.
func (s *Server) Stop() {
	s.mu.Lock()
	down := s.down
	s.down = true
	s.mu.Unlock()
	if down {
		return
	}
	for _, each := range s.servers {
		_ = each.Shutdown()
	}
}

// Set replaces the zone by records as a zone file has them.
func (s *Server) Set(records ...string) {
	s.t.Helper()
	var zone []dns.RR
	for _, text := range records {
		rr, err := dns.NewRR(text)
		require.NoError(s.t, err, text)
		zone = append(zone, rr)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.zone = zone
}

// Lie has f change each answer of the zone before it is sent; nil = the zone's word holds.
func (s *Server) Lie(f func(answer *dns.Msg)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lie = f
}

// Serve has f answer instead of the zone; nil = the zone does.
func (s *Server) Serve(f func(w dns.ResponseWriter, q *dns.Msg)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.serve = f
}

// Asked counts the questions for a name and a type, such as A, by network, udp or tcp.
func (s *Server) Asked(network, name, kind string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked[network+" "+dns.Fqdn(name)+" "+kind]
}

// ServeDNS answers one question.
func (s *Server) ServeDNS(w dns.ResponseWriter, q *dns.Msg) {
	s.mu.Lock()
	network := w.LocalAddr().Network()
	s.asked[network+" "+q.Question[0].Name+" "+dns.TypeToString[q.Question[0].Qtype]]++
	serve, lie, zone := s.serve, s.lie, s.zone
	s.mu.Unlock()
	if serve != nil {
		serve(w, q)
		return
	}
	m := answer(zone, q)
	if lie != nil {
		lie(m)
	}
	if edns := q.IsEdns0(); network == "udp" && edns != nil {
		m.Truncate(int(edns.UDPSize()))
	}
	_ = w.WriteMsg(m) // who asked may have left
}

// answer reads the zone, along aliases.
func answer(zone []dns.RR, q *dns.Msg) *dns.Msg {
	m := new(dns.Msg).SetReply(q)
	name, known := q.Question[0].Name, false
	for next := name; next != ""; {
		name, next = next, ""
		for _, rr := range zone {
			if !strings.EqualFold(rr.Header().Name, name) {
				continue
			}
			known = true
			if alias, ok := rr.(*dns.CNAME); ok && len(m.Answer) < 100 {
				m.Answer, next = append(m.Answer, rr), alias.Target
			} else if rr.Header().Rrtype == q.Question[0].Qtype {
				m.Answer = append(m.Answer, rr)
			}
		}
	}
	if !known {
		m.Rcode = dns.RcodeNameError
	}
	return m
}
