package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// A site is what a contender is told to serve.
type site struct {
	dir      string // its own folder
	port     int    // on 127.0.0.1
	secure   bool   // TLS 1.3, and h2 and h3 where it can; else plain HTTP/1.1
	pair     keyPair
	backends []string // host:port
}

func (s site) address() string { return fmt.Sprintf("127.0.0.1:%d", s.port) }

// file writes a file into the site's folder and returns its path.
func (s site) file(name, text string) (string, error) {
	path := filepath.Join(s.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		return "", fmt.Errorf("configuration of a contender: %w", err)
	}
	return path, nil
}

// A contender is a proxy that can be measured.
type contender struct {
	name    string
	program string // to be found in PATH, or a path
	version []string
	launch  func(program string, s site) (launch, error)
	admin   func(s site) string // unix socket of its metrics; nil = it has none
	cookie  string              // beginning of the name of one that requests bring once it was given; "" = none
}

// edge tells whether it is what this is all about.
func (c contender) edge() bool { return c.admin != nil }

// peers are those that the edge is compared with.
var peers = []contender{
	{name: "nginx", program: "nginx", version: []string{"-v"}, launch: nginxPeer},
	{name: "haproxy", program: "haproxy", version: []string{"-v"}, launch: haproxyPeer},
	{name: "caddy", program: "caddy", version: []string{"version"}, launch: caddyPeer},
	{name: "reverseproxy", launch: reverseProxyPeer},
}

func peerNames() []string {
	var names []string
	for _, p := range peers {
		names = append(names, p.name)
	}
	return names
}

// contenders are those of a scenario, the edge first, and what is to be told of those that are left out.
func contenders(s *scenario, o options) (list []contender, notes []string, err error) {
	if o.wedge != "" {
		list = s.edges(o.wedge)
	}
	for _, p := range peers {
		if s.wants(p.name, o.peers) {
			list = append(list, p)
		}
	}
	found := list[:0]
	for _, c := range list {
		program, err := find(c)
		switch {
		case err == nil:
			c.program = program
			found = append(found, c)
		case c.edge():
			return nil, nil, fmt.Errorf("%w; make build builds it", err)
		default:
			notes = append(notes, c.name+": not installed, "+remedy[c.name])
		}
	}
	return found, notes, nil
}

// wants tells whether a peer takes part; chosen are those that the call names, nil if it names none.
func (s *scenario) wants(peer string, chosen []string) bool {
	switch {
	case s.peers != nil && !slices.Contains(s.peers, peer):
		return false
	case chosen != nil:
		return slices.Contains(chosen, peer)
	case s.asked != nil:
		return slices.Contains(s.asked, peer)
	}
	return slices.Contains(native, peer)
}

var remedy = map[string]string{
	"nginx": "make tools installs it", "haproxy": "make tools installs it", "caddy": "see caddyserver.com",
}

// find is the path of a contender's program; it may be outside of a user's PATH, as nginx is on Debian.
func find(c contender) (string, error) {
	if c.program == "" {
		return os.Executable()
	}
	if path, err := exec.LookPath(c.program); err == nil {
		return filepath.Abs(path)
	}
	return exec.LookPath(filepath.Join("/usr/sbin", c.program))
}

// versionOf is the first line of what a contender says of itself.
func versionOf(c contender) string {
	if c.version == nil {
		return ""
	}
	text, err := exec.Command(c.program, c.version...).CombinedOutput()
	if err != nil {
		return "unknown version"
	}
	line, _, _ := strings.Cut(string(text), "\n")
	return strings.TrimSpace(line)
}
