package discover

// DNSOptions say what Addresses and Services ask for.
type DNSOptions struct {
	Name     string // of the host, or of SRV records
	Port     uint16 // of Addresses
	Scheme   string // http or https; default http
	Resolver string // host:port of the server to ask; default: those of System
	System   string // default /etc/resolv.conf
	// Forget has names whose servers fail without addresses, while others are answered; else they keep theirs.
	Forget bool
}

func (o DNSOptions) hosts() hosts {
	if o.System == "" {
		o.System = resolvConf
	}
	return hosts{resolver: resolver{server: o.Resolver, system: o.System}, forget: o.Forget}
}

func (o DNSOptions) scheme() string {
	if o.Scheme == "" {
		return "http"
	}
	return o.Scheme
}
