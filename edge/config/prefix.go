package config

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
)

// parsePrefix reads a network such as 10.0.0.0/8, or one address.
func parsePrefix(text string) (netip.Prefix, error) {
	if !strings.Contains(text, "/") {
		a, err := netip.ParseAddr(text)
		if err != nil || a.Zone() != "" || a.Is4In6() {
			return netip.Prefix{}, errors.New("want a network such as 10.0.0.0/8 or an address")
		}
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(text)
	if err != nil || p.Addr().Is4In6() {
		return netip.Prefix{}, errors.New("want a network such as 10.0.0.0/8 or an address")
	}
	if p != p.Masked() {
		return netip.Prefix{}, fmt.Errorf("the address has bits beyond the prefix; did you mean %q?", p.Masked())
	}
	return p, nil
}
