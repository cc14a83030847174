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
	edges         func(wedge string) []contender
	peers         []string // by default
	able          []string // to take part
	load          load     // nil = memory is measured
	baseline      bool     // ratios are to the first contender instead of from the edge to a peer
}

var scenarios = []scenario{
	{letter: "a", protocol: "h1", title: "HTTP/1.1, plain", peers: native, able: peerNames(), edges: oneEdge,
		load: h2load{connections: 64, h1: true}},
	{letter: "b", protocol: "h1", title: "HTTP/1.1 over TLS 1.3", secure: true, peers: native, able: peerNames(), edges: oneEdge,
		load: h2load{connections: 64, h1: true}},
	{letter: "c", protocol: "h2", title: "HTTP/2, 16 connections × 16 streams", secure: true, peers: native, able: peerNames(),
		edges: oneEdge, load: h2load{connections: 16, streams: 16}},
	{letter: "d", protocol: "h1", title: "POST of 10 KiB, HTTP/1.1, plain", peers: native, able: peerNames(), edges: oneEdge,
		load: h2load{connections: 64, h1: true, post: 10 << 10}},
	{letter: "e", protocol: "h1", title: "answers of 1 MiB, HTTP/1.1, plain", peers: native, able: peerNames(), edges: oneEdge,
		load: h2load{connections: 64, h1: true, path: largePath}},
	{letter: "f", protocol: "h3", title: "HTTP/3, 16 connections × 16 streams", secure: true, peers: []string{"reverseproxy", "caddy"},
		able: []string{"reverseproxy", "caddy"}, edges: oneEdge, load: goLoad{"h3load"}},
	{letter: "g", protocol: "h1", title: "a TLS handshake for each request, X25519, no resumption", secure: true, peers: native,
		able: peerNames(), edges: oneEdge, load: goLoad{"handshakes"}},
	{letter: "m", protocol: "h1", title: "memory of 5,000 idle TLS connections", secure: true, peers: native, able: peerNames(),
		edges: oneEdge},
	{letter: "w", protocol: "h1", title: "strategies, HTTP/1.1, plain", edges: strategyEdges, baseline: true,
		load: h2load{connections: 64, h1: true}},
}

// native are the peers that everybody compares with.
var native = []string{"nginx", "haproxy", "caddy"}

func findScenario(letter string) *scenario {
	for i := range scenarios {
		if scenarios[i].letter == letter {
			return &scenarios[i]
		}
	}
	return nil
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
