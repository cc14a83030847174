package edge

import (
	"github.com/wedge-lb/wedge/edge/config"
	"github.com/wedge-lb/wedge/edge/listen"
)

var proxyModes = map[string]listen.ProxyMode{
	"off": listen.ProxyOff, "optional": listen.ProxyOptional, "required": listen.ProxyRequired,
}

// proxies are the peers that may say, below HTTP, whom their connections are from.
func proxies(c *config.Config) listen.Proxies {
	return listen.Proxies{Mode: proxyModes[c.Server.ProxyProtocol], Trusted: c.Server.TrustedProxies}
}
