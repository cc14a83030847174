package admin

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"strings"
)

// address is where the API listens: a unix socket or TCP.
type address struct {
	network string // unix or tcp
	name    string // path, or host:port
}

// maxSocketPath is what a unix address holds on Linux, without the final zero.
const maxSocketPath = 107

func parseAddress(s string) (address, error) {
	if path, ok := strings.CutPrefix(s, "unix://"); ok {
		switch {
		case !filepath.IsAbs(path):
			return address{}, fmt.Errorf("%q: want an absolute path, as in unix:///run/wedge/admin.sock", s)
		case len(path) > maxSocketPath:
			return address{}, fmt.Errorf("%q: a socket's path has at most %d bytes", s, maxSocketPath)
		}
		return address{"unix", filepath.Clean(path)}, nil
	}
	if _, _, err := net.SplitHostPort(s); err != nil {
		return address{}, fmt.Errorf("%q: want unix:///PATH or HOST:PORT", s)
	}
	return address{"tcp", s}, nil
}

func (a address) host() string {
	host, _, _ := net.SplitHostPort(a.name) // parsed before
	return host
}

// private tells whether only this machine reaches the address.
func (a address) private() bool { return a.network == "unix" || isLoopback(a.host()) }

func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}

func (a address) check(token string) error {
	if !a.private() && token == "" {
		return errors.New("every machine that reaches it could do everything: give it a token, or use unix:///PATH")
	}
	return nil
}
