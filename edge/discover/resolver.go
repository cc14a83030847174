package discover

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"github.com/miekg/dns"
)

const (
	udpSize    = 1232 // bytes that an answer over UDP may have: what every path carries (DNS flag day 2020)
	maxPacket  = 4096 // bytes read of one that is larger nevertheless
	maxServers = 3    // as of resolv.conf
	rounds     = 2    // over the servers; the second waits twice as long
	firstTry   = time.Second
	resolvConf = "/etc/resolv.conf"
)

// A resolver asks DNS servers that recurse. Names are taken as they are: no search domain is added and no file
// of hosts is read.
type resolver struct {
	server string // host:port; "" = those of system
	system string
}

var errServers = errors.New("no DNS server is named there")

// servers are asked in turn. The system's are read each time: they change when a network does.
func (r *resolver) servers() ([]string, error) {
	if r.server != "" {
		return []string{r.server}, nil
	}
	conf, err := dns.ClientConfigFromFile(r.system)
	if err != nil {
		return nil, err
	}
	var list []string
	for _, s := range conf.Servers[:min(len(conf.Servers), maxServers)] {
		list = append(list, net.JoinHostPort(s, conf.Port))
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("%s: %w", r.system, errServers)
	}
	return list, nil
}

// ask gives the answer of the first server that knows: NOERROR or NXDOMAIN.
func (r *resolver) ask(ctx context.Context, name string, kind uint16) (*dns.Msg, error) {
	servers, err := r.servers()
	if err != nil {
		return nil, err
	}
	return r.askEach(ctx, servers, name, kind)
}

func (r *resolver) askEach(ctx context.Context, servers []string, name string, kind uint16) (m *dns.Msg, err error) {
	for round := range rounds {
		for _, s := range servers {
			if m, err = r.try(ctx, s, name, kind, firstTry<<round); err == nil {
				return m, nil
			}
			err = fmt.Errorf("dns %s %s, server %s: %w", name, dns.TypeToString[kind], s, err)
			if ctx.Err() != nil {
				return nil, err
			}
		}
	}
	return nil, err
}

// try asks one server, without EDNS (RFC 6891 7) if it does not know that.
func (r *resolver) try(ctx context.Context, server, name string, kind uint16, d time.Duration) (*dns.Msg, error) {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	q := new(dns.Msg).SetQuestion(dns.Fqdn(name), kind)
	q.SetEdns0(udpSize, false)
	m, err := query(ctx, server, q)
	if err == nil && m.Rcode == dns.RcodeFormatError {
		q.Extra = nil
		m, err = query(ctx, server, q)
	}
	switch {
	case err != nil:
		return nil, plain(ctx, err)
	case m.Rcode == dns.RcodeSuccess, m.Rcode == dns.RcodeNameError:
		return m, nil
	}
	return nil, errors.New(dns.RcodeToString[m.Rcode])
}

var errTimeout = errors.New("no answer in time")

// plain is err without what differs from one try to the next, so that it is told once.
func plain(ctx context.Context, err error) error {
	if ctx.Err() != nil || errors.Is(err, os.ErrDeadlineExceeded) {
		return errTimeout
	}
	var op *net.OpError
	if errors.As(err, &op) {
		return op.Err
	}
	return err
}

// query asks over UDP, and over TCP what does not fit.
func query(ctx context.Context, server string, q *dns.Msg) (*dns.Msg, error) {
	m, err := exchange(ctx, "udp", server, q, receive)
	if err == nil && m.Truncated {
		return exchange(ctx, "tcp", server, q, receiveStream)
	}
	return m, err
}

// exchange sends q and receives its answer, on a connection of its own: the port is as random as the id.
func exchange(ctx context.Context, network, server string, q *dns.Msg,
	receive func(*dns.Conn, *dns.Msg) (*dns.Msg, error)) (*dns.Msg, error) {
	conn, err := new(net.Dialer).DialContext(ctx, network, server)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	c := &dns.Conn{Conn: conn}
	if err := c.WriteMsg(q); err != nil {
		return nil, err
	}
	return receive(c, q)
}

// receive waits for the datagram that answers q; any other is nobody's.
func receive(c *dns.Conn, q *dns.Msg) (*dns.Msg, error) {
	packet := make([]byte, maxPacket)
	for {
		n, err := c.Conn.Read(packet)
		if err != nil {
			return nil, err
		}
		if m, ok := parseAnswer(packet[:n], q); ok {
			return m, nil
		}
	}
}

var errAnswer = errors.New("an answer to another question")

func receiveStream(c *dns.Conn, q *dns.Msg) (*dns.Msg, error) {
	packet, err := c.ReadMsgHeader(nil)
	if err != nil {
		return nil, err
	}
	m, ok := parseAnswer(packet, q)
	if !ok {
		return nil, errAnswer
	}
	return m, nil
}

// parseAnswer is false for what is not the answer to q.
func parseAnswer(packet []byte, q *dns.Msg) (*dns.Msg, bool) {
	m := new(dns.Msg)
	if m.Unpack(packet) != nil || !m.Response || m.Id != q.Id || m.Opcode != dns.OpcodeQuery {
		return nil, false
	}
	if len(m.Question) != 1 {
		return m, len(m.Question) == 0 && m.Rcode == dns.RcodeFormatError // it has not understood the question
	}
	asked, answered := q.Question[0], m.Question[0]
	return m, strings.EqualFold(asked.Name, answered.Name) && asked.Qtype == answered.Qtype &&
		asked.Qclass == answered.Qclass
}
