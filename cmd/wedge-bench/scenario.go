package main

import (
	"fmt"
	"strings"
)

// A scenario is one kind of load.
type scenario struct {
	letter, title string
	protocol      string // h1, h2 or h3
	secure        bool
	load          load // nil = memory is measured

	peers      []string // that can take part; nil = all
	asked      []string // that do without being asked for; nil = native
	strategies bool     // the edge takes part once for each, and ratios are to the first
}

var scenarios = []scenario{
	{letter: "a", title: "HTTP/1.1, plain", protocol: "h1",
		load: h2load{clients: 64, h1: true}},
	{letter: "b", title: "HTTP/1.1 over TLS 1.3", protocol: "h1", secure: true,
		load: h2load{clients: 64, h1: true}},
	{letter: "c", title: "HTTP/2, 16 connections × 16 streams", protocol: "h2", secure: true,
		load: h2load{clients: 16, streams: 16}},
	{letter: "d", title: "POST of 10 KiB, HTTP/1.1, plain", protocol: "h1",
		load: h2load{clients: 64, h1: true, post: 10 << 10}},
	{letter: "e", title: "answers of 1 MiB, HTTP/1.1, plain", protocol: "h1",
		load: h2load{clients: 64, h1: true, path: largePath}},
	{letter: "f", title: "HTTP/3, 16 connections × 16 streams", protocol: "h3", secure: true,
		load: goLoad{"h3load"}, peers: quicPeers, asked: quicPeers},
	{letter: "g", title: "a TLS handshake for each request, X25519, no resumption", protocol: "h1", secure: true,
		load: goLoad{"handshakes"}},
	{letter: "m", title: "memory of 5,000 idle TLS connections", protocol: "h1", secure: true},
	{letter: "w", title: "strategies, HTTP/1.1, plain", protocol: "h1",
		load: h2load{clients: 64, h1: true}, strategies: true, asked: []string{}},
}

var (
	native    = []string{"nginx", "haproxy", "caddy"}
	quicPeers = []string{"caddy", "reverseproxy"} // Debian's nginx and HAProxy do not speak HTTP/3
)

func findScenario(letter string) *scenario {
	for i := range scenarios {
		if scenarios[i].letter == letter {
			return &scenarios[i]
		}
	}
	return nil
}

// edges are the ways in which the edge takes part.
func (s *scenario) edges(wedge string) []contender {
	if !s.strategies {
		return []contender{pick.edge(wedge)}
	}
	var list []contender
	for _, each := range strategies {
		list = append(list, each.edge(wedge))
	}
	return list
}

func scenarioLetters() string {
	var l []string
	for _, s := range scenarios {
		l = append(l, s.letter)
	}
	return strings.Join(l, ",")
}

func scenarioHelp() string {
	var b strings.Builder
	for _, s := range scenarios {
		fmt.Fprintf(&b, "  %s  %s\n", s.letter, s.title)
	}
	return b.String()
}
