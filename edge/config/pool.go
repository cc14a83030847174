package config

import "time"

// Pool is a set of backends that can answer the same requests. It has Backends or
// Discover.
type Pool struct {
	Strategy string    `yaml:"strategy" default:"default"` // a name in strategies
	Affinity Affinity  `yaml:"affinity"`
	Backends []Backend `yaml:"backends"`
	Discover *Discover `yaml:"discover"`
	Health   Health    `yaml:"health"`
	Limits   Capacity  `yaml:"limits"`
	Retry    Retry     `yaml:"retry"`

	// SlowStart is how long a backend that comes back, or is new in a running edge,
	// takes to its whole weight; 0 = it has it at once.
	SlowStart time.Duration `yaml:"slow_start" max:"1h"`
	Upstream  Upstream      `yaml:"upstream"`
}

// Affinity is how a client that a strategy pinned finds its backend again.
type Affinity struct {
	// Carrier is what brings the token: a cookie; a response field that the client
	// sends back; or a URL parameter, whose value the response field tells.
	Carrier string `yaml:"carrier" default:"cookie" enum:"cookie,header,query"`
	Cookie  Cookie `yaml:"cookie"`
	Header  string `yaml:"header" default:"wedge-pin"` // of the carriers header and query
	Query   string `yaml:"query" default:"wedge_pin"`  // of the carrier query

	// Session is the application's own session id, which pins without a token.
	Session *Session `yaml:"session"` // nil = tokens only

	// A pin ends when it was not used for Idle, and MaxAge after it was made.
	Idle   time.Duration `yaml:"idle" default:"30m" min:"1s" max:"8760h"`
	MaxAge time.Duration `yaml:"max_age" default:"24h" min:"1s" max:"8760h"`

	// Secret and Secrets authenticate the token; at most one of the two is given.
	// Of several the first signs and all verify. None = a key made by the edge
	// and kept in the state directory.
	Secret        Secret   `yaml:"secret"`
	Secrets       []Secret `yaml:"secrets"`
	OnUnavailable string   `yaml:"on_unavailable" default:"repin" enum:"repin,borrow,fail"`
}

// Session is where the application's session ids are found: kind:NAME, the kind
// being cookie, header or query.
type Session struct {
	Source []string `yaml:"source,required"` // in the request; the first that is there counts
	Learn  []string `yaml:"learn"`           // in the response that creates one; cookie or header only

	// Entries is how many sessions are remembered; the one unused for longest goes first.
	Entries int `yaml:"entries" default:"100000" min:"1" max:"10000000"`
	// SaveEvery is how often they are written to the state directory.
	SaveEvery time.Duration `yaml:"save_every" default:"5s" min:"100ms" max:"1h"`
}

// Cookie carries the affinity token.
type Cookie struct {
	Name     string `yaml:"name"` // "" = wedge-POOL, behind __Host- or __Secure- on TLS
	Path     string `yaml:"path" default:"/"`
	Domain   string `yaml:"domain"` // "" = the host that answered
	SameSite string `yaml:"same_site" default:"lax" enum:"lax,strict,none"`
	Secure   *bool  `yaml:"secure"` // nil = on TLS
	HTTPOnly bool   `yaml:"http_only" default:"true"`

	// MaxAge is how long a browser keeps the cookie; 0 = until it is closed.
	MaxAge time.Duration `yaml:"max_age" max:"8760h"`
}

// Backend is one server of a pool.
type Backend struct {
	ID     string            `yaml:"id"`           // "" = host:port of the URL
	URL    string            `yaml:"url,required"` // http://host[:port] or https://host[:port]
	Weight int               `yaml:"weight" default:"1" min:"1" max:"1000"`
	Zone   string            `yaml:"zone"`
	Labels map[string]string `yaml:"labels"`
	State  string            `yaml:"state" default:"ready" enum:"ready,drain,maintenance"`
}

// Discover is where backends come from that the file does not name; exactly one of
// File, DNS, DNSSRV and Docker is given.
type Discover struct {
	File   File    `yaml:"file"`    // YAML or JSON: a list of backends as in backends; watched
	DNS    string  `yaml:"dns"`     // host:port, each A and AAAA record being a backend
	DNSSRV string  `yaml:"dns_srv"` // name of SRV records
	Docker *Docker `yaml:"docker"`

	Scheme   string        `yaml:"scheme" default:"http" enum:"http,https"` // of DNS, DNSSRV and Docker
	Resolver string        `yaml:"resolver"`                                // host:port; "" = the system's
	Interval time.Duration `yaml:"interval" default:"5s" min:"100ms" max:"1h"`
	// OnFailure is what becomes of the backends while their source fails.
	OnFailure string `yaml:"on_failure" default:"keep_last" enum:"keep_last,empty"`
}

// Docker finds the running containers that have a label.
type Docker struct {
	Socket string `yaml:"socket" default:"/var/run/docker.sock"`
	Label  string `yaml:"label,required"`                        // NAME or NAME=VALUE
	Port   int    `yaml:"port" default:"80" min:"1" max:"65535"` // unless the label wedge.port says another
}

// Health is how backends are found to be unable to serve.
type Health struct {
	Active  *Active `yaml:"active"` // nil = no probes
	Passive Passive `yaml:"passive"`

	// Panic is the share of backends below which health is no longer believed and
	// all are used; 0 = never.
	Panic Percent `yaml:"panic" default:"0%"`
}

// Active probes each backend.
type Active struct {
	// Type is a GET, a TCP connection, or the gRPC health service.
	Type           string        `yaml:"type" default:"http" enum:"http,tcp,grpc"`
	Path           string        `yaml:"path" default:"/"`
	Host           string        `yaml:"host"` // of the request; "" = the backend's address
	Interval       time.Duration `yaml:"interval" default:"5s" min:"10ms" max:"1h"`
	Timeout        time.Duration `yaml:"timeout" default:"1s" min:"1ms" max:"1h"`
	HealthyAfter   int           `yaml:"healthy_after" default:"2" min:"1" max:"1000"`
	UnhealthyAfter int           `yaml:"unhealthy_after" default:"3" min:"1" max:"1000"`
	Status         []int         `yaml:"status" min:"100" max:"599"` // that are healthy; none = 200 to 399
	Body           string        `yaml:"body"`                       // that the answer must contain
	Service        string        `yaml:"service"`                    // of gRPC; "" = the server as a whole
}

// Passive ejects a backend for what requests met.
type Passive struct {
	// ConnectErrors and Consecutive5xx are how many in a row eject; 0 = none do.
	ConnectErrors  int `yaml:"connect_errors" default:"3" min:"0" max:"1000000"`
	Consecutive5xx int `yaml:"consecutive_5xx" default:"0" min:"0" max:"1000000"`

	// ErrorRate is the share of failed requests and 5xx in Window that ejects, once
	// there were MinRequests; 0 = none does.
	ErrorRate   Percent       `yaml:"error_rate" default:"0%"`
	Window      time.Duration `yaml:"window" default:"10s" min:"100ms" max:"1h"`
	MinRequests int           `yaml:"min_requests" default:"20" min:"1" max:"1000000"`

	EjectFor   time.Duration `yaml:"eject_for" default:"30s" min:"10ms" max:"24h"`
	MaxEjected Percent       `yaml:"max_ejected" default:"50%"` // of the pool, at a time
}

// Capacity bounds what a pool takes on; 0 = no bound.
type Capacity struct {
	MaxInFlight        int `yaml:"max_in_flight" default:"0" min:"0" max:"10000000"`         // of the pool
	BackendMaxInFlight int `yaml:"backend_max_in_flight" default:"0" min:"0" max:"10000000"` // of each backend

	// PinnedReserve is the share of the two that only pinned requests may use. All of it would be an edge
	// that lets nobody in.
	PinnedReserve Percent `yaml:"pinned_reserve" default:"0%" min:"0%" max:"99%"`

	// Queue is how many requests may wait for room, QueueTimeout for how long.
	Queue        int           `yaml:"queue" default:"1024" min:"0" max:"1000000"`
	QueueTimeout time.Duration `yaml:"queue_timeout" default:"1s" min:"1ms" max:"10m"`
}

// Retry is when a request that got no good answer is tried again.
type Retry struct {
	Attempts int     `yaml:"attempts" default:"3" min:"1" max:"100"` // in all
	Budget   Percent `yaml:"budget" default:"20%"`                   // of requests; 0% = none at all

	// On is what is tried again. A request of which nothing was written always is, by
	// connect_error; all else only if its method is idempotent and its body was kept:
	// so, once, by connect_error, if a kept connection ends before any answer.
	On []string `yaml:"on" default:"connect_error" enum:"connect_error,reset,timeout,500,502,503,504"`
	// PerTryTimeout is for the head of each attempt's answer; 0 = the upstream's response_timeout.
	PerTryTimeout time.Duration `yaml:"per_try_timeout" max:"24h"`
	// BodyBytes is how much of a body is kept to be sent again.
	BodyBytes Size `yaml:"body_bytes" default:"64KiB" min:"0B" max:"16MiB"`
}

// Upstream is how backends are talked to.
type Upstream struct {
	Protocol string `yaml:"protocol" default:"h1" enum:"h1,h2c,h2"`

	// ConnectTimeout is for TCP and TLS, ResponseTimeout for the wait for a
	// response's head.
	ConnectTimeout  time.Duration `yaml:"connect_timeout" default:"3s" min:"1ms" max:"10m"`
	ResponseTimeout time.Duration `yaml:"response_timeout" default:"30s" min:"1ms" max:"24h"`
	// BodyTimeout is for each step of a body: a stream that is silent for longer is cut.
	BodyTimeout time.Duration `yaml:"body_timeout" default:"5m" min:"1ms" max:"24h"`
	// MaxConnections are to one backend; beyond them up to Queue requests wait for
	// QueueTimeout.
	MaxConnections int           `yaml:"max_connections" default:"1024" min:"1" max:"1000000"`
	Queue          int           `yaml:"queue" default:"1024" min:"0" max:"1000000"`
	QueueTimeout   time.Duration `yaml:"queue_timeout" default:"5s" min:"1ms" max:"10m"`
	// MaxIdle connections to one backend wait for requests, each at most for
	// IdleTimeout; Lifetime is how long one is used at all.
	MaxIdle     int           `yaml:"max_idle" default:"512" min:"1" max:"1000000"`
	IdleTimeout time.Duration `yaml:"idle_timeout" default:"60s" min:"10ms" max:"24h"`
	Lifetime    time.Duration `yaml:"lifetime" default:"1h" min:"100ms" max:"168h"`
	// ProxyProtocol begins each connection with the client's address; then it serves
	// one request.
	ProxyProtocol string      `yaml:"proxy_protocol" default:"off" enum:"off,v2"`
	TLS           UpstreamTLS `yaml:"tls"` // for https URLs
}

// UpstreamTLS is how a backend's certificate is verified, and what the edge shows of itself.
type UpstreamTLS struct {
	CA         File   `yaml:"ca"`          // PEM file; default: the system's
	ServerName string `yaml:"server_name"` // default: the URL's host

	// Certificate and Key are shown to backends that ask for a client certificate;
	// both are given or neither.
	Certificate File `yaml:"certificate"` // PEM chain, the edge's own first
	Key         File `yaml:"key"`         // PEM
}

// DefaultPool returns a pool without backends, with the default of every key.
func DefaultPool() Pool { return defaults[Pool]() }

// DefaultBackend returns the backend at url with the default of every other key.
func DefaultBackend(url string) Backend {
	b := defaults[Backend]()
	b.URL = url
	return b
}
