package config

import (
	"net/netip"
	"time"
)

// Server is what faces the clients.
type Server struct {
	// Listen is taken as a whole: a file that gives it gives every address.
	Listen Listen `yaml:"listen,whole"`

	// Protocols are spoken over TLS and QUIC; plain HTTP is always h1.
	Protocols []string `yaml:"protocols" default:"h1,h2,h3" enum:"h1,h2,h3"`

	// TrustedProxies are whose X-Forwarded-For, Forwarded and PROXY protocol count; none by
	// default.
	TrustedProxies []netip.Prefix `yaml:"trusted_proxies"`

	// ProxyProtocol, version 1 or 2, is read from trusted proxies' TCP connections: never,
	// if it is there, or always; then TCP connections of others are refused.
	ProxyProtocol string `yaml:"proxy_protocol" default:"off" enum:"off,optional,required"`

	// DrainTimeout is how long requests in flight may take when the edge stops.
	DrainTimeout time.Duration `yaml:"drain_timeout" default:"30s" max:"24h"`
	Limits       Limits        `yaml:"limits"`
}

// Listen holds the addresses of the edge, host:port, the host optional. Without
// HTTPS the edge is a plain HTTP balancer; with it, HTTP serves ACME and redirects
// to HTTPS, and HTTPS is TCP (h1, h2) and UDP (h3). A file without listen has both.
type Listen struct {
	HTTP  string `yaml:"http" default:":80"`   // "" = no plain listener
	HTTPS string `yaml:"https" default:":443"` // "" = no TLS listener
}

// Limits bound what clients may use.
type Limits struct {
	HeaderBytes  Size `yaml:"header_bytes" default:"32KiB" min:"1KiB" max:"1MiB"` // of a request's head
	LineBytes    Size `yaml:"line_bytes" default:"16KiB" min:"1KiB" max:"1MiB"`   // of a request line
	TrailerBytes Size `yaml:"trailer_bytes" default:"8KiB" min:"64B" max:"1MiB"`
	HeaderFields int  `yaml:"header_fields" default:"100" min:"10" max:"10000"`

	// The first two are for the whole of it, the others for a wait without a request
	// (idle) or a byte, tunnels being connections after an upgrade.
	HandshakeTimeout time.Duration `yaml:"handshake_timeout" default:"10s" min:"10ms" max:"5m"`
	HeaderTimeout    time.Duration `yaml:"header_timeout" default:"10s" min:"10ms" max:"10m"`
	BodyTimeout      time.Duration `yaml:"body_timeout" default:"30s" min:"10ms" max:"1h"`
	IdleTimeout      time.Duration `yaml:"idle_timeout" default:"75s" min:"10ms" max:"24h"`
	TunnelTimeout    time.Duration `yaml:"tunnel_timeout" default:"1h" min:"10ms" max:"168h"`

	// MinRate is what a client must take or send in bytes a second, once BodyTimeout
	// in all was spent waiting for it.
	MinRate Size `yaml:"min_rate" default:"256B" min:"1B" max:"1GiB"`

	Connections           int `yaml:"connections" default:"10000" min:"1" max:"10000000"`
	ConnectionsPerAddress int `yaml:"connections_per_address" default:"1000" min:"1" max:"10000000"`
	Handshakes            int `yaml:"handshakes" default:"2048" min:"1" max:"10000000"` // in progress
	Streams               int `yaml:"streams" default:"100" min:"1" max:"100000"`       // of one connection
}

// Admin is the listener of the admin API and the metrics.
type Admin struct {
	// Listen is unix:///PATH, or host:port together with a token. Default:
	// admin.sock in the state directory.
	Listen string `yaml:"listen"`
	Token  Secret `yaml:"token"` // bearer token; required on TCP
}

// GeoIP is where a client's country is looked up.
type GeoIP struct {
	Database File `yaml:"database"` // MaxMind DB with countries; "" = no country is known
}

// Logging is what is written about the edge and its requests.
type Logging struct {
	Level  string    `yaml:"level" default:"info" enum:"debug,info,warn,error"`
	Access AccessLog `yaml:"access"`
}

// AccessLog is one line a request.
type AccessLog struct {
	Format string `yaml:"format" default:"json" enum:"json,off"`
	Output Output `yaml:"output" default:"stdout"`

	// RedactHeaders are fields whose values are not written.
	RedactHeaders []string `yaml:"redact_headers" default:"authorization,cookie"`
}
