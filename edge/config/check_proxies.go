package config

// proxies checks that somebody may send the PROXY headers that are to be read.
func (k *checker) proxies() {
	const path = "server.proxy_protocol"
	s := k.c.Server
	if s.ProxyProtocol != "off" && len(s.TrustedProxies) == 0 && k.sound("server.trusted_proxies") {
		k.refuse(path, "no peer may send it: list the proxies in server.trusted_proxies")
	}
}

// announced checks that the connections to a pool's backends can begin with a PROXY header: such a one is of
// one client, and those of HTTP/2 are shared.
func (k *checker) announced(path string, u Upstream) {
	if u.ProxyProtocol != "off" && u.Protocol != "h1" && k.sound(path+".protocol") {
		k.refuse(path+".proxy_protocol", "connections of %s are shared by clients; want protocol: h1, "+
			"or off: X-Forwarded-For and Forwarded name the client", u.Protocol)
	}
}
