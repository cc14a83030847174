package upstream

import (
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/wedge-lb/wedge/edge/http1"
	"github.com/wedge-lb/wedge/edge/proxyproto"
)

// announce tells the backend who the client of a new connection is, and what it connected to: if that is not
// known, the backend itself.
func announce(s *socket, r *http1.Request, patience time.Duration) error {
	h := proxyproto.Header{Source: r.Client, Destination: r.Local}
	if a := h.Destination.Addr(); !a.IsValid() || a.IsUnspecified() {
		if remote, ok := s.RemoteAddr().(*net.TCPAddr); ok {
			to := remote.AddrPort()
			h.Destination = netip.AddrPortFrom(to.Addr().Unmap(), to.Port())
		}
	}
	s.writeFor = patience
	if _, err := s.Write(proxyproto.Append(nil, h)); err != nil {
		return fmt.Errorf("PROXY header: %w", err)
	}
	return nil
}
