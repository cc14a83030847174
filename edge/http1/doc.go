// Package http1 is the HTTP/1.1 wire (RFC 9112): a strict parser, a writer and the chunked coding, bytes in,
// bytes out. It opens no connection and starts no goroutine; the server side (listen) and the client side
// (upstream) both stand on it.
//
// It also holds the two message types, Request and Response, in which every protocol's exchange is handed
// from the front to the backend: fields are kept in order as the bytes received, and framing is a Length and
// a Body instead of fields.
package http1
