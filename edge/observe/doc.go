// Package observe is what the edge tells of itself: metrics for Prometheus, the access log, and the
// identifiers that tie requests together (request ids, W3C trace context).
//
// Nothing here may slow a request. Counters are handles that are made when a configuration is, and a request
// only adds to cells of its connection's shard; Prometheus values are made when they are scraped. The access
// log copies a record into a bounded batch and encodes it elsewhere; what does not fit is dropped and
// counted. Labels are names from the configuration or from fixed lists, never what a client sent.
//
// It is the only package with client_golang, and starts no goroutine: who owns an AccessLog runs it.
package observe
