// Package proxyproto is the PROXY protocol, versions 1 and 2, as HAProxy's proxy-protocol.txt has it: bytes
// in, bytes out. listen reads the header that a proxy sends ahead of a client's bytes, upstream writes one
// ahead of a request. It is the only place that knows the form; who is believed is decided elsewhere.
package proxyproto
