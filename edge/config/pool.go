package config

import "time"

// Pool is a set of backends that can answer the same requests.
type Pool struct {
	Strategy string    `yaml:"strategy" default:"default"` // a name in strategies
	Affinity Affinity  `yaml:"affinity"`
	Backends []Backend `yaml:"backends,required"`
	Health   Health    `yaml:"health"`
	Retry    Retry     `yaml:"retry"`
	Upstream Upstream  `yaml:"upstream"`
}

// Affinity is how a client that a strategy pinned finds its backend again.
type Affinity struct {
	Cookie Cookie `yaml:"cookie"`

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

// Health is how backends are found to be unable to serve.
type Health struct {
	Active  *Active `yaml:"active"` // nil = no probes
	Passive Passive `yaml:"passive"`
}

// Active probes each backend with a GET.
type Active struct {
	Path           string        `yaml:"path" default:"/"`
	Interval       time.Duration `yaml:"interval" default:"5s" min:"10ms" max:"1h"`
	Timeout        time.Duration `yaml:"timeout" default:"1s" min:"1ms" max:"1h"`
	HealthyAfter   int           `yaml:"healthy_after" default:"2" min:"1" max:"1000"`
	UnhealthyAfter int           `yaml:"unhealthy_after" default:"3" min:"1" max:"1000"`
	Status         []int         `yaml:"status" min:"100" max:"599"` // that are healthy; none = 200 to 399
}

// Passive ejects a backend for what requests met.
type Passive struct {
	// ConnectErrors is how many in a row eject; 0 = none do.
	ConnectErrors int           `yaml:"connect_errors" default:"3" min:"0" max:"1000000"`
	EjectFor      time.Duration `yaml:"eject_for" default:"30s" min:"10ms" max:"24h"`
	MaxEjected    Percent       `yaml:"max_ejected" default:"50%"` // of the pool, at a time
}

// Retry is how often a request that could not be sent is tried again.
type Retry struct {
	Attempts int     `yaml:"attempts" default:"3" min:"1" max:"100"` // in all, each on another backend
	Budget   Percent `yaml:"budget" default:"20%"`                   // of requests
}

// Upstream is how backends are talked to.
type Upstream struct {
	Protocol string `yaml:"protocol" default:"h1" enum:"h1,h2c,h2"`

	// ConnectTimeout is for TCP and TLS, ResponseTimeout for the wait for a
	// response's head.
	ConnectTimeout  time.Duration `yaml:"connect_timeout" default:"3s" min:"1ms" max:"10m"`
	ResponseTimeout time.Duration `yaml:"response_timeout" default:"30s" min:"1ms" max:"24h"`
	// BodyTimeout is for each step of a body: a stream that is silent for longer is cut.
	BodyTimeout    time.Duration `yaml:"body_timeout" default:"5m" min:"1ms" max:"24h"`
	MaxConnections int           `yaml:"max_connections" default:"1024" min:"1" max:"1000000"` // to a backend
	TLS            UpstreamTLS   `yaml:"tls"`                                                  // for https URLs
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
