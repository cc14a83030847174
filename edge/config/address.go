package config

import (
	"errors"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// splitAddress reads host:port; the host may be empty where anyHost, the port may be 0
// where anyPort.
func splitAddress(s string, anyHost, anyPort bool) (host string, port uint16, err error) {
	host, digits, err := net.SplitHostPort(s)
	if err != nil {
		return "", 0, errors.New("want host:port, or :port for every address")
	}
	n, err := strconv.ParseUint(digits, 10, 16)
	if err != nil || digits[0] == '+' || (n == 0 && !anyPort) {
		return "", 0, errors.New("want a port from 1 to 65535")
	}
	if (host != "" || !anyHost) && !isDialable(host) {
		return "", 0, errors.New("the host is no name and no address")
	}
	return host, uint16(n), nil
}

func isDialable(host string) bool {
	if _, err := netip.ParseAddr(host); err == nil {
		return true
	}
	return isName(strings.TrimSuffix(host, "."))
}

// Address returns the scheme, http or https, and the host:port of the URL.
func (b Backend) Address() (scheme, address string, err error) {
	if !strings.ContainsAny(b.URL, "@/") {
		return "", "", errors.New("want a URL; did you mean \"http://" + b.URL + "\"?")
	}
	u, err := url.Parse(b.URL)
	if err != nil {
		return "", "", errors.New("not a URL") // the text may hold a password
	}
	port := map[string]string{"http": "80", "https": "443"}[u.Scheme]
	switch {
	case port == "":
		return "", "", errors.New("want http://host:port or https://host:port")
	case u.User != nil:
		return "", "", errors.New("a backend's URL holds no user and no password")
	case (u.Path != "" && u.Path != "/") || strings.ContainsAny(b.URL, "?#"):
		return "", "", errors.New("a backend's URL has no path and no query: requests keep theirs")
	}
	if u.Port() != "" || strings.HasSuffix(u.Host, ":") {
		port = u.Port()
	}
	address = net.JoinHostPort(u.Hostname(), port)
	_, _, err = splitAddress(address, false, false)
	return u.Scheme, address, err
}

// Name returns the id of the backend: its own, or else the host:port of the URL.
func (b Backend) Name() string {
	if b.ID != "" {
		return b.ID
	}
	_, address, _ := b.Address()
	return address
}

// AdminAddress returns the network, unix or tcp, and the address of the admin listener.
func (c *Config) AdminAddress() (network, address string) {
	switch path, unix := strings.CutPrefix(c.Admin.Listen, "unix://"); {
	case c.Admin.Listen == "":
		return "unix", strings.TrimSuffix(string(c.StateDir), "/") + "/admin.sock"
	case unix:
		return "unix", path
	}
	return "tcp", c.Admin.Listen
}
