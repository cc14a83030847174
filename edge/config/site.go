package config

import "time"

// Site is a set of hosts and what answers for them. It has To or Routes.
type Site struct {
	// Hosts are names in lower case without port, such as shop.example.com,
	// *.example.com (one label) or * (any).
	Hosts  []string `yaml:"hosts,required"`
	TLS    SiteTLS  `yaml:"tls"`
	To     []string `yaml:"to"` // URLs of backends: a pool of its own with every default
	Routes []Route  `yaml:"routes"`
}

// Route sends what matches to a pool: to Pool, or to one of Pools by weight.
type Route struct {
	Match Match  `yaml:"match"`
	Pool  string `yaml:"pool"`

	// Pools share the clients by weight; a client stays with its share, and a pinned one
	// with the pool that has its pin.
	Pools []Share `yaml:"pools"`
	// Failover are pools that stand in, in order, while no backend of those before is
	// available.
	Failover []string      `yaml:"failover"`
	Strategy string        `yaml:"strategy"`          // "" = the pool's
	Timeout  time.Duration `yaml:"timeout" max:"24h"` // to the response's head, all attempts together; 0 = none
}

// Share is a pool and its part of a route's clients.
type Share struct {
	Pool   string `yaml:"pool,required"`
	Weight int    `yaml:"weight" default:"1" min:"0" max:"1000000"`
}

// Match holds the conditions of a route; all must hold, an absent one does.
type Match struct {
	Path   string   `yaml:"path"`   // "" = any; * is one segment, ** at the end the rest
	Method []string `yaml:"method"` // in upper case; none = any
}
