// Package edge assembles a Server from a configuration: it is the only place where config becomes options.
//
// A Server owns what lives as long as the process (listeners, certificates, pools, strategies, upstream
// connections, metrics) and a Generation, everything built from one configuration, which a reload replaces
// whole. What is the same by identity in both (a listener's address, a site's host, a pool's name, a backend's
// id, a strategy's name) keeps its sockets, connections, counters, health and pins.
package edge
