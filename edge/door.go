package edge

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strconv"
	"sync"

	"github.com/wedge-lb/wedge/edge/admin"
	"github.com/wedge-lb/wedge/edge/config"
	"github.com/wedge-lb/wedge/edge/listen"
	"github.com/wedge-lb/wedge/edge/proxy"
)

// place is what identifies a door: a reload that names the same place keeps its sockets.
type place struct {
	address   string
	secure    bool
	protocols listen.Protocols
}

// A door is one address in service: a TCP socket, with the UDP socket of the same port where h3 is spoken.
type door struct {
	place
	server *listen.Server
	tcp    net.Listener
	udp    net.PacketConn
	wg     sync.WaitGroup
}

// doorDeps are what every door opens to.
type doorDeps struct {
	handler listen.Handler
	refuse  func(x *proxy.Exchange, status int, reason string)
	tls     func(protocols ...string) *tls.Config
	guard   func(*tls.ConnectionState, net.Addr) proxy.Guard
	logger  *slog.Logger
	keys    *quicKeys
}

// places are the doors that a configuration wants.
func places(c *config.Config) []place {
	var list []place
	if a := c.Server.Listen.HTTP; a != "" {
		list = append(list, place{address: a, protocols: listen.H1})
	}
	if a := c.Server.Listen.HTTPS; a != "" {
		list = append(list, place{address: a, secure: true, protocols: protocolSet(c.Server.Protocols)})
	}
	return list
}

var protocolBits = map[string]listen.Protocols{proxy.H1: listen.H1, proxy.H2: listen.H2, proxy.H3: listen.H3}

func protocolSet(names []string) listen.Protocols {
	var set listen.Protocols
	for _, n := range names {
		set |= protocolBits[n]
	}
	return set
}

const quicProtocol = "h3"

// openDoor binds the sockets of p. Nothing is accepted until serve.
func openDoor(p place, d doorDeps, limits listen.Limits, proxies listen.Proxies) (*door, error) {
	o := &door{place: p}
	if err := o.bind(); err != nil {
		return nil, err
	}
	options := listen.Options{
		Handler: d.handler, Refuse: d.refuse, Protocols: p.protocols, Limits: limits, Proxies: proxies,
		Logger: d.logger,
	}
	if p.secure {
		options.TLS, options.QUIC = d.tls(p.protocols.TCP()...), d.tls(quicProtocol)
		options.Guard = d.guard
		options.ResetKey, options.TokenKey = &d.keys.Reset, &d.keys.Token
		if o.udp != nil {
			options.AltPort = uint16(o.port())
		}
	}
	o.server = listen.New(options)
	return o, nil
}

// bind opens TCP and, for h3, UDP on the same port. With port 0 another port is tried if the first that is
// free for TCP is not for UDP.
func (o *door) bind() error {
	const tries = 20
	var err error
	for range tries {
		if o.tcp, err = listenTCP(o.address); err != nil {
			return fmt.Errorf("listen: %w", err)
		}
		if !o.secure || o.protocols&listen.H3 == 0 {
			return nil
		}
		host, port, _ := net.SplitHostPort(o.address)
		if o.udp, err = net.ListenPacket("udp", net.JoinHostPort(host, strconv.Itoa(o.port()))); err == nil {
			return nil
		}
		err = errors.Join(fmt.Errorf("listen: %w", err), o.tcp.Close())
		if port != "0" {
			return err
		}
	}
	return err
}

func (o *door) port() int { return o.tcp.Addr().(*net.TCPAddr).Port }

// describe tells an operator what o is.
func (o *door) describe() []admin.Listener {
	st := o.server.Stats()
	list := []admin.Listener{{Network: "tcp", Address: o.tcp.Addr().String(), Protocols: []string{proxy.H1},
		Connections: st.OpenPlain}}
	if o.secure {
		list[0].Connections, list[0].Protocols = st.OpenTLS, nil
		for name, bit := range protocolBits {
			if bit != listen.H3 && o.protocols&bit != 0 {
				list[0].Protocols = append(list[0].Protocols, name+" over TLS")
			}
		}
		slices.Sort(list[0].Protocols)
	}
	if o.udp != nil {
		list = append(list, admin.Listener{Network: "udp", Address: o.udp.LocalAddr().String(),
			Protocols: []string{proxy.H3}, Connections: st.OpenQUIC})
	}
	return list
}

// serve accepts until close or shutdown; it returns at once.
func (o *door) serve(failed func(error)) {
	run := func(serve func() error) {
		o.wg.Go(func() {
			if err := serve(); err != nil {
				failed(fmt.Errorf("listener %s: %w", o.address, err))
			}
		})
	}
	ctx := context.Background() // Shutdown ends them
	if !o.secure {
		run(func() error { return o.server.ServeTCP(ctx, o.tcp) })
		return
	}
	if o.protocols&(listen.H1|listen.H2) != 0 {
		run(func() error { return o.server.ServeTLS(ctx, o.tcp) })
	}
	if o.udp != nil {
		run(func() error { return o.server.ServeQUIC(ctx, o.udp) })
	}
}

// shutdown drains: see listen.Server.Shutdown. All that serve started has ended when it returns.
func (o *door) shutdown(ctx context.Context) error {
	err := o.server.Shutdown(ctx)
	o.wg.Wait()
	o.tcp.Close() // where TCP was only held for the port
	return err
}

// discard closes the sockets of a door that never served.
func (o *door) discard() {
	o.tcp.Close()
	if o.udp != nil {
		o.udp.Close()
	}
}
