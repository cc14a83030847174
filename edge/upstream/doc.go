// Package upstream holds the connections to backends. A Transport sends a request to the backend that was
// chosen and hands back its answer; it neither chooses nor tries another backend.
//
// HTTP/1.1 is our own wire: the request is written and the answer read on the caller's goroutine, over a
// pooled connection that a backend gets back only after a complete request and a complete answer. Only a
// body that is still arriving from the client takes a second goroutine, which has ended when Do fails or the
// answer is closed. HTTP/2 (with TLS, or h2c) is net/http's.
//
// Backends are taken for hostile: what they send is bounded in size, number and time, and anything that is
// not strict HTTP is a bad answer after which the connection is closed.
package upstream
