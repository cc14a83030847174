package listen

import (
	"crypto/tls"
	"slices"
)

// acmeProtocol is what a certificate authority speaks to validate a name (RFC 8737): a handshake and no more.
const acmeProtocol = "acme-tls/1"

// withProtocols is a copy of c whose handshakes choose among protocols, also where GetConfigForClient
// decides. Session tickets that c has set explicitly stay; else they are the copy's.
func withProtocols(c *tls.Config, protocols []string) *tls.Config {
	c = c.Clone()
	c.NextProtos = protocols
	// Records of 1400 bytes at first help slow readers of a page and cost a system call each.
	c.DynamicRecordSizingDisabled = true
	if get := c.GetConfigForClient; get != nil {
		c.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
			chosen, err := get(hello)
			if chosen == nil || err != nil || slices.Equal(chosen.NextProtos, protocols) {
				return chosen, err
			}
			chosen = chosen.Clone()
			chosen.NextProtos, chosen.DynamicRecordSizingDisabled = protocols, true
			return chosen, nil
		}
	}
	return c
}
