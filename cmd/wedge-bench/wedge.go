package main

import (
	"fmt"
	"path/filepath"
	"strings"
)

const edgeName = "wedge"

// An edgeStrategy is one way to run the edge.
type edgeStrategy struct {
	name, use, options string
	cookie             string // that pins a client, by the beginning of its name
}

// pick is what the edge runs in every scenario but the one that compares strategies.
var pick = edgeStrategy{use: "builtin/stateless", options: "{ algorithm: round_robin }"}

// strategies are compared with each other; the first is what the others are measured by.
var strategies = []edgeStrategy{
	{name: "fallback"},
	{name: "stateless", use: "builtin/stateless", options: "{ algorithm: round_robin }"},
	{name: "stateless p2c", use: "builtin/stateless", options: "{ algorithm: p2c }"},
	{name: "ip-affinity", use: "builtin/ip-affinity", options: "{}"},
	{name: "cookie-sticky", use: "builtin/cookie-sticky", options: "{}", cookie: "wedge-"},
	{name: "consistent-hash", use: "builtin/consistent-hash", options: "{ key: [header:accept-language] }"},
}

// edge makes the contender that runs the edge with one strategy.
func (e edgeStrategy) edge(program string) contender {
	c := contender{
		name: edgeName, program: program, version: []string{"--version"}, cookie: e.cookie,
		launch: e.launch, admin: func(s site) string { return filepath.Join(s.dir, "state", "admin.sock") },
	}
	if e.name != "" {
		c.name += " " + e.name
	}
	return c
}

func (e edgeStrategy) launch(program string, s site) (launch, error) {
	listener, secure := "http", ""
	if s.secure {
		listener = "https"
		secure = fmt.Sprintf("tls: { certificate: %q, key: %q }, ", s.pair.certificate, s.pair.key)
	}
	strategy, strategies := "fallback", "" // the edge's own choice, without a plugin
	if e.use != "" {
		strategy, strategies = "bench", fmt.Sprintf("strategies:\n  bench: { use: %s, options: %s }\n", e.use, e.options)
	}
	var c strings.Builder
	fmt.Fprintf(&c, `version: 1
state_dir: %q
server:
  listen: { %s: %q }
  drain_timeout: 1s
  limits: { connections: 20000, connections_per_address: 20000 }
logging: { level: warn, access: { format: "off" } }
%spools:
  bench:
    strategy: %s
    health: { active: { path: /, interval: 5s } }
    backends:
`, filepath.Join(s.dir, "state"), listener, s.address(), strategies, strategy)
	for i, b := range s.backends {
		fmt.Fprintf(&c, "      - { id: b%d, url: \"http://%s\" }\n", i+1, b)
	}
	fmt.Fprintf(&c, "sites:\n  - { hosts: [localhost], %sroutes: [{ pool: bench }] }\n", secure)
	path, err := s.file("wedge.yaml", c.String())
	return launch{args: []string{program, "run", "-c", path}, env: oneProcessor()}, err
}
